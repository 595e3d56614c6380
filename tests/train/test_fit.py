"""A run from end to end: what it leaves, what it refuses, and that its gradient is that of the whole batch."""

from __future__ import annotations

import errno
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bincam
from bincam.data import loader
from bincam.errors import BincamError, BincamWarning, InputError
from bincam.train import fit
from bincam.train.calibration import platt
from bincam.train.feed import Feed, mirrored, pixel_sum, repeats, shuffled
from bincam.train.state import FILE as STATE
from tests.train.conftest import write_spots


def digest(folder):
    from bincam.train.start import weights_digest

    return weights_digest(bincam.load(folder))


@pytest.mark.parametrize(("loss", "head"), [("focal", "logits"), ("euclidean", "margin")])
def test_where_no_shift_is_known_logits_are_calibrated_on_validation(config, table, loss, head):
    result = fit(config(loss=loss, data__memory=True))
    model = bincam.load(result.folder)
    assert model.card.head == head
    assert model.card.logit_shift == {}
    (batch,) = loader(table.split("validation"), card=model.card, batch_size=45)
    with torch.no_grad():
        expected = platt(model(batch.images), batch.labels)
    found = [model.card.calibration[name] for name in table.names]
    np.testing.assert_allclose(found, expected, rtol=2e-2)


def test_what_a_run_leaves(config, table):
    settings = config(epochs=3, optimizer__lr=1e-2, data__memory=True)
    before = torch.random.get_rng_state()
    result = fit(settings)
    assert torch.equal(before, torch.random.get_rng_state())
    lines = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]
    assert set(lines[0]["validation"]["attributes"]) == {"above", "below"}
    values = [line["validation"]["mean"]["balanced_error"] for line in lines]
    assert result.best_value == min(values)
    assert result.best_epoch == values.index(min(values)) + 1

    card = bincam.load(result.folder).card
    train = table.split("train")
    assert card.train_counts["below"] == (int((train.labels[:, 1] == 0).sum()), int((train.labels[:, 1] == 1).sum()))
    assert (card.loss, card.head, card.fit, card.input_size) == ("bce", "logits", "stretch", (32, 32))
    assert card.thresholds == {}
    assert card.tuned_thresholds == lines[result.best_epoch - 1]["tuned_thresholds"]
    assert bincam.load(result.folder / "last").card.tuned_thresholds == lines[-1]["tuned_thresholds"]

    assert card.calibration == {}, "the shift is known: 0"

    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert (manifest["kind"], manifest["schema"], manifest["status"]) == ("bincam-train", 2, "finished")
    assert manifest["data"]["digest"] == table.digest()
    assert manifest["data"]["images"] == {"train": 96, "validation": 45, "test": 30}
    assert manifest["versions"]["torch"] == torch.__version__
    assert manifest["tuned_thresholds"] == card.tuned_thresholds
    test = json.loads((result.folder / "test.json").read_text())
    assert test == result.test
    assert test["images"] == 30
    assert result.model().card == card


def test_the_best_model_is_the_one_that_was_measured(config, table):
    result = fit(config(epochs=2, optimizer__lr=1e-2))
    from bincam.data import loader

    model = result.model()
    said = [model(batch.images).detach() for batch in loader(table.split("test"), card=model.card)]
    z, y = torch.cat(said).numpy(), table.split("test").labels
    wrong = [np.mean((z[y[:, 1] == value, 1] >= 0) != value) for value in (0, 1)]
    found = result.test["zero"]["attributes"]["below"]
    assert (found["fpr"], found["fnr"]) == pytest.approx(tuple(wrong))


@pytest.mark.parametrize("augmentation", ["none", "flip", "affact"])
def test_the_same_seed_gives_the_same_model_and_another_does_not(config, augmentation):
    once = fit(config(epochs=1, to="a", data__augmentation=augmentation))
    again = fit(config(epochs=1, to="b", data__augmentation=augmentation, data__workers=1))
    other = fit(config(epochs=1, to="c", data__augmentation=augmentation, seed=1))
    assert digest(once.folder) == digest(again.folder)
    assert once.history[0]["pixels"] == again.history[0]["pixels"]
    assert digest(once.folder) != digest(other.folder)


def test_images_in_memory_are_the_same_images(config):
    read = fit(config(epochs=2, to="a"))
    kept = fit(config(epochs=2, to="b", data__memory=True))
    assert [r["pixels"] for r in read.history] == [r["pixels"] for r in kept.history]
    assert digest(read.folder) == digest(kept.folder)


def test_grey_images_in_memory_and_not(config):
    grey = {"epochs": 1, "data__mean": [0.5], "data__std": [0.25], "model__options__in_chans": 1}
    read = fit(config(to="a", **grey))
    kept = fit(config(to="b", data__memory=True, **grey))
    assert digest(read.folder) == digest(kept.folder)


def test_more_images_than_memory_are_refused(config, monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda _: 10)
    with pytest.raises(InputError, match=r"96 images of 32 x 32 need .* GiB, and this machine has"):
        fit(config(data__memory=True))


def test_parts_of_a_batch_give_the_gradient_of_the_batch(config):
    whole = fit(config(epochs=2, to="a", optimizer__name="sgd", optimizer__lr=0.1))
    parts = fit(config(epochs=2, to="b", optimizer__name="sgd", optimizer__lr=0.1, accumulate=4))
    for one, other in zip(whole.history, parts.history, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], abs=1e-5)
    a, b = (bincam.load(result.folder / "last").state_dict() for result in (whole, parts))
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=1e-5, rtol=1e-4)


ONE_STEP = {"epochs": 1, "batch_size": 96, "optimizer__lr": 0.1, "optimizer__weight_decay": 0,
            "schedule__name": "constant", "data__augmentation": "none"}  # fmt: skip


def first_step(settings, table):
    """The whole training split as one batch, labels unknown among them: weights, gradients by torch alone, and ours."""
    result = fit(settings)
    from bincam.data import loader
    from bincam.train.start import first_model

    train = table.split("train")
    model = first_model(settings, train, {}).to(memory_format=torch.channels_last)
    batch = next(iter(loader(train, card=result.model().card, batch_size=96)))
    known = ~batch.labels.isnan()
    loss = nn.functional.binary_cross_entropy_with_logits(model(batch.images)[known], batch.labels[known])
    loss.backward()
    assert result.history[0]["train_loss"] == pytest.approx(float(loss.detach()), abs=1e-6)
    ours = bincam.load(result.folder / "last").state_dict()
    return [(p.detach(), p.grad, ours[name]) for name, p in model.named_parameters()]


def test_one_step_of_sgd_by_hand(config, table):
    settings = config(**ONE_STEP, optimizer__name="sgd", optimizer__momentum=0)
    for weight, slope, after in first_step(settings, table):
        torch.testing.assert_close(after, weight - 0.1 * slope, atol=1e-5, rtol=1e-4)


def test_one_clipped_and_decaying_step_of_sgd_by_hand(config, table):
    """Nesterov's first step is 1 + momentum times the slope; decay is added after clipping, to matrices alone."""
    changes = {**ONE_STEP, "optimizer__weight_decay": 0.5}
    steps = first_step(config(**changes, optimizer__name="sgd", optimizer__momentum=0.5, clip_norm=0.01), table)
    norm = torch.stack([slope.square().sum() for _, slope, _ in steps]).sum().sqrt()
    assert norm > 0.02
    for weight, slope, after in steps:
        decayed = slope * 0.01 / norm + (0.5 * weight if weight.ndim > 1 else 0)
        torch.testing.assert_close(after, weight - 0.1 * 1.5 * decayed, atol=1e-6, rtol=1e-4)


def test_one_step_of_rmsprop_by_hand(config, table):
    """Its first step is lr / sqrt(1 - alpha) whatever the slope's size, so slopes of rounding errors are left out."""
    settings = config(**{**ONE_STEP, "optimizer__lr": 1e-3}, optimizer__name="rmsprop", optimizer__alpha=0.9)
    compared = 0
    for weight, slope, after in first_step(settings, table):
        clear = slope.abs() > 1e-4
        expected = weight - 1e-3 * slope / ((0.1 * slope.square()).sqrt() + 1e-8)
        torch.testing.assert_close(after[clear], expected[clear], atol=1e-6, rtol=1e-4)
        compared += int(clear.sum())
    assert compared > 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer__name": "rmsprop", "optimizer__lr": 1e-4},
        {"precision": "bf16"},
        {"channels_last": False, "clip_norm": 0.5},
        {"schedule__name": "plateau", "model__freeze_batchnorm": True, "model__options__norm_layer": "batchnorm"},
        {"model__options__drop_rate": 0.5, "model__pooling": "attention"},
        {"loss": "moon_bce", "schedule__warmup_epochs": 0.5},
        {"loss": {"name": "ldam", "options": {}}},
        {"resampling": "class_aware"},
    ],
)
def test_what_can_be_chosen_trains(config, changes):
    result = fit(config(epochs=2, **changes))
    assert result.epochs == 2
    assert all(math.isfinite(record["train_loss"]) for record in result.history)


def test_frozen_statistics_stay_and_others_do_not(config):
    batchnorm = {"model__options__norm_layer": "batchnorm", "epochs": 1}
    frozen = fit(config(to="a", model__freeze_batchnorm=True, **batchnorm)).model().state_dict()
    moving = fit(config(to="b", **batchnorm)).model().state_dict()
    means = [name for name in frozen if name.endswith("running_mean")]
    assert means
    assert all(not frozen[name].any() for name in means)
    assert all(moving[name].any() for name in means)


def test_early_stopping_ends_the_run_and_the_best_epoch_is_kept(config):
    states = []

    def look(_):
        states.append(digest(f"{settings.out}/last"))

    waits = {"metric": "auroc", "patience": 2, "min_delta": 0.5}
    settings = config(epochs=9, optimizer__lr=1e-9, early_stopping=waits, best="accuracy")
    result = fit(settings, on_epoch=look)
    assert (result.ended, result.epochs) == ("early stopping", 3)
    assert len({record["validation"]["mean"]["accuracy"] for record in result.history}) == 1
    assert result.best_epoch == 1  # nothing that comes later is better
    assert len(set(states)) == 3
    assert digest(result.folder) == states[0]
    assert digest(result.folder / "last") == states[2]


def test_a_plateau_lowers_the_rate(config):
    schedule = {"name": "plateau", "patience": 0, "factor": 0.5, "metric": "balanced_error"}
    result = fit(config(epochs=4, optimizer__lr=1e-8, best="accuracy", schedule=schedule))
    assert result.history[-1]["lr"] < result.history[0]["lr"]


def test_thresholds_decide_only_where_asked_to(config):
    result = fit(config(epochs=1, store_thresholds=True))
    card = result.model().card
    assert card.thresholds == card.tuned_thresholds
    assert set(card.thresholds) == {"above", "below"}


def test_a_loss_that_compares_the_entries_of_a_batch_is_warned_of_when_batches_are_divided(config):
    with pytest.warns(BincamWarning, match="two_way compares the entries of a batch"):
        fit(config(epochs=1, accumulate=2, loss="two_way"))


# What is refused -----------------------------------------------------------------------------------------------------


def test_a_folder_that_holds_a_run_is_not_overwritten(config):
    fit(config(epochs=1))
    with pytest.raises(InputError, match="holds a run; go on with it by --resume"):
        fit(config(epochs=1))


def test_missing_splits_are_named(config, tmp_path):
    table = write_spots(tmp_path / "two", (32, 0, 8))
    with pytest.raises(InputError, match="no images in split 'validation'; splits with images: train, test"):
        fit(config(data__source=str(table)))


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
        ({"model__pretrained": "nowhere"}, "nowhere is no folder"),
        ({"model__pretrained": "lite0"}, "lite0 is the weights of 'tf_efficientnet_lite0'"),
        ({"loss": "bse"}, "did you mean 'bce'"),
        ({"model__options__pooling": "max"}, "'pooling' is no option of timm.create_model"),
        ({"data__options__file": "x"}, "file cannot be said of this kind of data set"),
        ({"data__options__spilt": "split"}, "spilt cannot be said of this kind of data set; did you mean 'split'"),
        ({"resampling": {"name": "class_aware", "options": {"a": 1}}}, "unknown option 'a'"),
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
    with pytest.raises(InputError, match=r"answers above, below, and this model is to answer below; .*backbone"):
        fit(config(to="c", **one))
    backbone = fit(config(to="d", model__pretrained_part="backbone", optimizer__lr=1e-12, **one)).model()
    torch.testing.assert_close(
        first.model().network.backbone.state_dict(), backbone.network.backbone.state_dict(), atol=1e-6, rtol=0
    )
    with pytest.raises(InputError, match="of name 'resnet10t', and this model of 'resnet18'"):
        fit(config(to="e", model={"name": "resnet18", "pretrained": str(first.folder)}))


def test_a_loss_that_is_not_finite_stops_and_the_last_good_state_stays(config, monkeypatch):
    from bincam.train.attribute_loss import AttributeLoss

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
    from bincam.train.attribute_loss import AttributeLoss

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
        BincamError, match=r"step 3 of epoch 1 is finite and the weights after it are not; its 16 images"
    ):
        fit(settings)
    monkeypatch.undo()
    folder = Path(settings.out)
    assert json.loads((folder / "manifest.json").read_text())["status"] == "stopped"
    assert json.loads(torch.load(folder / STATE, weights_only=True)["run"])["step"] == 2
    assert digest(fit(settings, resume=True).folder) == digest(whole.folder)


def test_logits_that_are_not_finite_are_laid_to_no_image(config, monkeypatch):
    from bincam.train import loop

    ask = loop.ask
    monkeypatch.setattr(loop, "ask", lambda *a, **k: replace(ask(*a, **k), logits=np.full((45, 2), np.nan, "f4")))
    with pytest.raises(BincamError, match="logits on validation are not finite after epoch 1; there is no") as caught:
        fit(config())
    assert "row" not in str(caught.value)


def test_a_full_disk_keeps_the_former_state(config, monkeypatch):
    settings = config(epochs=2)
    save = torch.save
    written = []

    def full(value, path, *args, **kwargs):
        if written:
            save({"half": 1}, path)
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        save(value, path, *args, **kwargs)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(BincamError, match="No space left on device; the former state is kept"):
        fit(settings)
    monkeypatch.undo()
    folder = Path(settings.out)
    assert [path.name for path in (folder / "state").iterdir()] == ["state.pt"]
    seen = []
    fit(settings, resume=True, on_epoch=lambda record: seen.append(record["epoch"]))
    assert seen == [2]


# What the images are -------------------------------------------------------------------------------------------------


def test_half_of_the_images_are_mirrored_and_the_right_ones(config, table):
    settings = config(batch_size=96, data__memory=True)
    plain = config(batch_size=96, data__memory=True, data__augmentation="none")
    from bincam.train.start import card_of, first_model

    train = table.split("train")
    card = card_of(first_model(settings, train, {}), fit="stretch")
    order = shuffled(96, 0)

    def images(one):
        feed = Feed(train, one, card, order, rank=0, world=1, device=torch.device("cpu"))
        ((batch,),) = list(feed.epoch(3))
        return batch

    flipped, straight = images(settings), images(plain)
    assert torch.equal(flipped.rows, straight.rows)
    turned = torch.from_numpy(mirrored(flipped.rows.numpy(), 96, 0, 3))
    assert 30 < int(turned.sum()) < 66
    assert torch.equal(flipped.images[~turned], straight.images[~turned])
    assert torch.equal(flipped.images[turned], straight.images[turned].flip(-1))
    assert flipped.images.is_contiguous(memory_format=torch.channels_last)


def test_an_image_that_is_drawn_again_is_another_view(table):
    from bincam.data.augment import Augmentation
    from bincam.data.dataset import FaceDataset, Key

    rows = np.array([5, 2, 5, 5, 0, 2])
    assert repeats(rows).tolist() == [0, 0, 1, 2, 0, 1]
    many = np.arange(96).repeat(50)
    turned = mirrored(many, 96, 0, 3).reshape(96, 50)
    assert np.array_equal(turned[:, 0], mirrored(np.arange(96), 96, 0, 3))  # as if nothing were re-sampled
    assert np.abs(turned.mean(1) - 0.5).max() < 0.35
    views = FaceDataset(table, size=32, fit="stretch", augmentation=Augmentation())
    first, again = (views[Key(1, 7, repeat)].view.image for repeat in (0, 1))
    assert not np.array_equal(first, again)
    assert np.array_equal(first, views[Key(1, 7)].view.image)


def test_the_sum_of_pixels_sees_where_they_are_and_whose_they_are():
    images, rows = torch.randn(6, 3, 8, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40, 46)
    whole = pixel_sum(images, rows)
    assert whole.dtype == torch.int64

    def changed(at, to):
        other = images.clone()
        other[at] = to
        return int(pixel_sum(other, rows)) != int(whole)

    assert changed(2, images[2].flip(-1))
    assert changed(2, images[2].flip(0))
    assert changed((2, 0, 1, [1, 3]), images[2, 0, 1, [3, 1]])  # two pixels
    assert changed([1, 4], images[[4, 1]])  # two images of other rows
    assert changed([0, 3], images[[0, 3]].flip(-1))
    assert not changed(2, images[2])
    assert pixel_sum(images, rows + 1) != whole

    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert pixel_sum(images[order], rows[order]) == whole
    parts = zip(images[order].split(4), rows[order].split(4), strict=True)
    assert sum((pixel_sum(*part) for part in parts), torch.zeros((), dtype=torch.int64)) == whole
    assert pixel_sum(images.contiguous(memory_format=torch.channels_last), rows) == whole
    assert pixel_sum(images.permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2), rows) == whole


def test_a_mirrored_training_image_shows_in_an_epochs_record(config, monkeypatch):
    def other(rows, count, seed, epoch):
        return mirrored(rows, count, seed, epoch) ^ (rows == rows[0])

    once = fit(config(epochs=1, to="a"))
    monkeypatch.setattr("bincam.train.feed.mirrored", other)
    again = fit(config(epochs=1, to="b"))
    assert once.history[0]["order"] == again.history[0]["order"]
    assert once.history[0]["pixels"] != again.history[0]["pixels"]


def test_the_bar_shows_the_mean_of_the_losses_that_are_known(config, monkeypatch):
    """As on a GPU, where losses are looked at now and then."""
    from bincam.train import loop
    from bincam.train.progress import Reporter
    from bincam.train.stepper import Stepper

    shown, losses = [], []
    step = Stepper.step

    def noted(self, *args, **kwargs):
        value = step(self, *args, **kwargs)
        losses.append(float(value))
        return value

    monkeypatch.setattr(Stepper, "step", noted)
    monkeypatch.setattr(Reporter, "step", lambda *told: shown.append(told[-1]))
    monkeypatch.setitem(loop._LOOK, "cpu", 4)
    fit(config(epochs=1))
    four, six = np.mean(losses[:4]), np.mean(losses)
    assert shown[:3] == [None] * 3
    assert shown[3:] == pytest.approx([four, four, six])


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("train/loss")]


def test_tensorboard_has_what_the_lines_have(config):
    pytest.importorskip("tensorboard")
    result = fit(config(epochs=2))
    assert scalars(result.folder) == [(r["epoch"], pytest.approx(r["train_loss"])) for r in result.history]
    (file,) = (result.folder / "tensorboard").iterdir()
    file.unlink()  # as after a kill
    longer = fit(config(epochs=3, tensorboard=True), resume=True)
    longest = fit(config(epochs=4, tensorboard=True), resume=True)
    assert longest.history[:3] == longer.history
    assert scalars(result.folder) == [(r["epoch"], pytest.approx(r["train_loss"])) for r in longest.history]


def test_tensorboard_is_written_only_where_it_is_wanted(config):
    assert not (fit(config(epochs=1, tensorboard=False)).folder / "tensorboard").exists()


def test_tensorboard_that_is_not_installed(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="tensorboard: true, but it is not installed: pip install tensorboard"):
        fit(config(epochs=1, tensorboard=True))
    assert not Path(config().out).exists()
    assert not (fit(config(epochs=1)).folder / "tensorboard").exists()
