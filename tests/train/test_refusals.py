"""What a run refuses before it begins, and what it keeps where it has to stop."""

from __future__ import annotations

import json
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.data.readers.data_file import save_reading
from bincam.errors import BincamError, BincamWarning, InputError
from bincam.train import fit
from bincam.train.runs.checkpoint import FILE as STATE
from bincam.train.runs.splits import read_splits
from bincam.train.steps.batches import shuffled
from tests.folders import taken_elsewhere
from tests.full_disk import full_disk
from tests.train.conftest import digest, write_spots


def test_a_folder_that_holds_a_run_is_not_overwritten(config):
    fit(config(epochs=1))
    with pytest.raises(InputError, match="contains a run; resume it with --resume"):
        fit(config(epochs=1))


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_another_process_trains_in_is_refused(config, resume):
    folder = Path(config().out)
    with taken_elsewhere(folder), pytest.raises(InputError, match="another process is writing this folder"):
        fit(config(epochs=1), resume=resume)
    assert not list(folder.iterdir())
    left = [".weights-ab12cd34.safetensors", "last/.card-ab12cd34.json", "state/.state-ab12cd34.pt"]
    for name in left:  # by a killed process
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert fit(config(epochs=1), resume=resume).epochs == 1
    assert not list(folder.rglob(".*"))


def test_a_picture_in_two_splits_is_told_and_trained_with(config, tmp_path):
    table = write_spots(tmp_path / "leaking")
    (table.parent / "099.png").write_bytes((table.parent / "000.png").read_bytes())  # validation and training
    run = config(data__source=str(table), epochs=1)
    with pytest.warns(BincamWarning, match="1 picture is in several of the splits train, validation and test"):
        assert fit(run).epochs == 1


@pytest.mark.parametrize("resume", [False, True])
def test_a_model_without_a_state_is_not_overwritten(config, resume):
    folder = fit(config(epochs=1)).folder
    (folder / STATE).unlink()
    with pytest.raises(InputError, match="contains a model but no state of a run to resume; choose another out"):
        fit(config(epochs=1, seed=1), resume=resume)


def test_missing_splits_are_named(config, tmp_path):
    table = write_spots(tmp_path / "two", (32, 0, 8))
    with pytest.raises(InputError, match="no images in split 'validation'; splits with images: train, test"):
        fit(config(data__source=str(table)))


def test_a_format_without_a_column_of_splits_is_not_told_to_name_one(config, tmp_path):
    for name in ("train/cat/1.png", "train/dog/1.png", "test/cat/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"splits with images: train, test; split the data anew \(data\.folds=3"):
        fit(config(data__source=str(tmp_path), data__attributes=None, data__options={}))


def test_without_a_column_of_splits_the_message_says_how_to_name_it(config, tmp_path):
    table = write_spots(tmp_path / "none", (8, 8, 8))
    changes = {"data__source": str(table), "data__options": {"attributes": ["above", "below"]}}
    with pytest.raises(InputError, match=r"splits with images: none; name the column .*\(data\.options: {split: COL"):
        fit(config(**changes))
    save_reading(table, {"split": "split"})  # as the message says, but for every command
    assert len(read_splits(config(**changes).data).train) == 8


def test_images_without_landmarks_are_refused_before_the_first_step(config, tmp_path):
    table = write_spots(tmp_path / "faces", (8, 8, 8))
    head, *lines = table.read_text().splitlines()
    points = ["9,9,20,9,15,15,10,22,20,22"] * len(lines)
    points[9] = "9,9,20,9,,,,,,"
    rows = [f"{line},{at}" for line, at in zip(lines, points, strict=True)]
    table.write_text("\n".join([",".join([head, *LANDMARK_COLUMNS]), *rows]) + "\n")
    options = {"split": "split", "landmarks": "celeba"}
    changes = {"data__source": str(table), "data__options": options, "batch_size": 8}
    with pytest.raises(InputError, match=r"split 'validation': 1 of 8 images lack landmarks .* set data\.fit to crop"):
        fit(config(**changes, data__fit="face"))
    fit(config(**changes, data__fit="crop", epochs=1))


def test_an_attribute_of_one_class(config, tmp_path):
    table = write_spots(tmp_path / "one", (32, 8, 8))
    lines = table.read_text().splitlines()
    constant = [lines[0], *(line.rsplit(",", 1)[0] + ",0" for line in lines[1:])]
    table.write_text("\n".join(constant))
    with pytest.raises(InputError, match="split 'train': 'below' has no positives among 32 images"):
        fit(config(data__source=str(table)))
    table.write_text("\n".join(c if ",validation," in c else line for c, line in zip(constant, lines, strict=True)))
    with pytest.warns(BincamWarning, match="split 'validation': 'below' has no positives among 8 images"):
        result = fit(config(data__source=str(table), epochs=1))
    found = result.history[0]["validation"]
    assert found["attributes"]["below"]["fnr"] is None
    assert found["mean"]["fnr"] == found["attributes"]["above"]["fnr"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 97}, "96 training images do not fill one batch of 97"),
        ({"data__attributes": ["abve"]}, "did you mean 'above'"),
        ({"device": "cuda"}, "finds no GPU"),
        ({"precision": "fp16"}, "fp16 needs a GPU"),
        ({"model__name": "resnet10"}, "timm has no model"),
        ({"model__pretrained": "nowhere"}, "nowhere is not a folder"),
        ({"model__pretrained": "lite0"}, "lite0 are the weights of 'tf_efficientnet_lite0'"),
        ({"loss": "bse"}, "did you mean 'bce'"),
        ({"model__options__pooling": "max"}, "'pooling' cannot be passed to timm.create_model"),
        ({"data__options__file": "x"}, "file does not apply to this kind of data set"),
        (
            {"data__options__spilt": "split"},
            r"spilt does not apply to this kind of data set \(table\); did you mean 'split'",
        ),
        ({"resampling": {"name": "class_aware", "options": {"a": 1}}}, "has no option 'a'"),
        ({"resampling": "clas_aware"}, "did you mean 'class_aware'"),
        ({"data__fit": "face"}, "landmarks"),
        ({"data__mean": [0.5]}, "mean has 1 values"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(config, changes, message):
    if torch.cuda.is_available() and changes.keys() & {"device", "precision"}:
        pytest.skip("there is a GPU")
    settings = config(**changes)
    with pytest.raises(InputError, match=message):
        fit(settings)
    assert not (Path(settings.out) / STATE).exists()


def test_weights_of_another_model(config):
    first = fit(config(epochs=1, to="a"))
    again = fit(config(epochs=1, to="b", model__pretrained=str(first.folder), optimizer__lr=1e-12))
    a, b = digest(first.folder), digest(again.folder)
    assert a != b
    torch.testing.assert_close(first.model().state_dict(), again.model().state_dict(), atol=1e-6, rtol=0)
    one = {"data__attributes": ["below"], "model__pretrained": str(first.folder), "epochs": 1}
    with pytest.raises(InputError, match=r"has the attributes above, below, expected below; .*backbone"):
        fit(config(to="c", **one))
    backbone = fit(config(to="d", model__pretrained_part="backbone", optimizer__lr=1e-12, **one)).model()
    torch.testing.assert_close(
        first.model().network.backbone.state_dict(), backbone.network.backbone.state_dict(), atol=1e-6, rtol=0
    )
    with pytest.raises(InputError, match="has name 'resnet10t', expected 'resnet18'"):
        fit(config(to="e", model={"name": "resnet18", "pretrained": str(first.folder)}))


def test_a_loss_that_is_not_finite_stops_and_the_last_good_state_stays(config, monkeypatch):
    from bincam.train.losses.base import AttributeLoss

    settings = config(epochs=3)
    steps = []
    terms = AttributeLoss.terms

    def broken(self, logits, targets):
        value = terms(self, logits, targets)
        steps.extend([1] * (len(targets) == 16))  # validation has 45 images
        return value * float("nan") if len(steps) == 9 else value

    monkeypatch.setattr(AttributeLoss, "terms", broken)
    with pytest.raises(
        BincamError, match=r"loss of step 3 of epoch 2 is not finite; its 16 images.*\.png \(row \d+\)"
    ) as caught:
        fit(settings)
    row = int(shuffled(96, 0)(1)[2 * 16])
    assert f"{row:03d}.png (row {row})" in str(caught.value)
    folder = Path(settings.out)
    assert json.loads((folder / "manifest.json").read_text())["status"] == "stopped"
    monkeypatch.undo()
    assert fit(settings, resume=True).epochs == 3


def test_a_gradient_that_is_not_finite_does_not_reach_the_state(config, monkeypatch):
    """The loss of the step is finite, and only the weights after it are not."""
    from bincam.train.losses.base import AttributeLoss

    whole = fit(config(to="whole"))
    settings = config(checkpoint_steps=1)
    steps = []
    terms = AttributeLoss.terms

    def broken(self, logits, targets):
        if logits.requires_grad:
            steps.append(1)
            if len(steps) == 3:
                logits = logits * 1
                logits.register_hook(lambda slope: slope * float("nan"))
        return terms(self, logits, targets)

    monkeypatch.setattr(AttributeLoss, "terms", broken)
    with pytest.raises(
        BincamError, match=r"weights after step 3 of epoch 1 are not finite, its loss is; its 16 images"
    ):
        fit(settings)
    monkeypatch.undo()
    folder = Path(settings.out)
    assert json.loads((folder / "manifest.json").read_text())["status"] == "stopped"
    assert json.loads(torch.load(folder / STATE, weights_only=True)["run"])["step"] == 2
    assert digest(fit(settings, resume=True).folder) == digest(whole.folder)


def test_logits_that_are_not_finite_are_laid_to_no_image(config, monkeypatch):
    from bincam.train.evaluations import run_evaluation

    ask = run_evaluation.ask
    monkeypatch.setattr(
        run_evaluation, "ask", lambda *a, **k: replace(ask(*a, **k), logits=np.full((45, 2), np.nan, "f4"))
    )
    with pytest.raises(BincamError, match="logits on validation are not finite after epoch 1; no state") as caught:
        fit(config())
    assert "row" not in str(caught.value)


@pytest.mark.parametrize("size", [2_000, 100_000])  # too little for the records, or for the state
def test_a_full_disk_keeps_the_former_state(config, size):
    def files(folder):
        return {file.relative_to(folder): file.stat().st_size for file in folder.rglob("*") if file.is_file()}

    same = {"schedule__name": "constant", "test": False, "tensorboard": False}
    whole = fit(config(to="whole", epochs=3, **same))
    fit(config(epochs=2, **same))
    more, folder = config(epochs=3, **same), Path(config().out)
    there, state = set(files(folder)), (folder / STATE).read_bytes()
    with (
        full_disk(size),
        pytest.raises(BincamError, match=r"cannot be written: .*; the previous state is kept"),
    ):
        fit(more, resume=True)
    assert max(files(folder).values()) > 100_000
    assert set(files(folder)) == there  # nothing half-written lies about
    assert (folder / STATE).read_bytes() == state
    seen = []
    fit(more, resume=True, on_epoch=lambda record: seen.append(record["epoch"]))
    assert seen == [3]
    assert digest(folder / "last") == digest(whole.folder / "last")


def test_a_disk_that_fills_after_the_state_costs_no_epoch(config, monkeypatch):
    from bincam.train import loop

    same = {"epochs": 2, "test": False, "tensorboard": False}
    whole, settings = fit(config(to="whole", **same)), config(**same)
    write_state = loop.write_state
    with full_disk(2**60), monkeypatch.context() as changed:  # room for everything up to the second epoch's weights

        def last(folder, run, state):
            write_state(folder, run, state)
            if state.position.epoch == 2:
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

        changed.setattr(loop, "write_state", last)
        with pytest.raises(BincamError, match=r"cannot be written: .*; the previous state is kept"):
            fit(settings)
    seen = []
    result = fit(settings, resume=True, on_epoch=lambda record: seen.append(record["epoch"]))
    assert seen == []
    assert result.history[1]["train_loss"] == whole.history[1]["train_loss"]
    assert digest(result.folder) == digest(whole.folder)
    assert digest(result.folder / "last") == digest(whole.folder / "last")


def test_one_image_under_batchnorm(config):
    with pytest.raises(InputError, match=r"parts of 1 image\(s\) leave a BatchNorm layer a single value per channel"):
        fit(config(epochs=1, accumulate=16, model__options__norm_layer="batchnorm"))
