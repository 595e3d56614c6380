"""Taken up, or made longer: the same as if it had never stopped; and what is not taken up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bincam.errors import BincamWarning, InputError
from bincam.train import fit
from bincam.train.runs.checkpoint import FILE as STATE
from tests.train.conftest import HARD, Stop, outcome, stop_after

LATE = {"loss": {"name": "ldam", "options": {"defer": 0.5}}}  # re-weighs in the second half of the epochs


@pytest.mark.parametrize(
    "changes", [{}, HARD, {"optimizer__name": "sgd", "schedule__name": "plateau", "accumulate": 2}, LATE]
)
def test_two_and_two_epochs_equal_four(config, changes):
    whole = fit(config(epochs=4, to="whole", **changes))
    broken = config(epochs=4, to="broken", **changes)
    with pytest.raises(Stop):
        fit(broken, on_epoch=stop_after(2))
    result = fit(broken, resume=True)
    assert result.epochs == 4
    assert outcome(whole.folder) == outcome(result.folder)


def test_a_run_can_be_made_longer(config):
    long = fit(config(epochs=3, to="long", schedule__name="constant"))
    short = config(epochs=1, to="short", schedule__name="constant")
    fit(short)
    longer = fit(config(epochs=3, to="short", schedule__name="constant"), resume=True)
    assert outcome(long.folder) == outcome(longer.folder)


def test_another_length_is_warned_of_where_epochs_follow_it(config):
    fit(config(epochs=1))
    said = "run of 1 epochs, and now epochs is 2: a cosine's learning rates depend on the run's length"
    with pytest.warns(BincamWarning, match=said):
        fit(config(epochs=2), resume=True)
    never = {"to": "never", "loss": {"name": "ldam", "options": {"defer": 1}}, "schedule__name": "constant"}
    fit(config(epochs=1, **never))
    fit(config(epochs=2, **never), resume=True)
    late = {"to": "late", "loss": "ldam", "schedule__name": "constant"}
    fit(config(epochs=1, **late))
    with pytest.warns(BincamWarning, match="now epochs is 2: ldam's weights depend"):
        fit(config(epochs=2, **late), resume=True)


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_run_with_enough_epochs_ends_at_once(config, epochs):
    settings = config(epochs=4, checkpoint_steps=5, schedule__name="constant")
    with pytest.raises(Stop):
        fit(settings, on_epoch=stop_after(2))
    two = fit(config(epochs=2, to="two", schedule__name="constant"))
    result = fit(config(epochs=epochs, schedule__name="constant"), resume=True, on_epoch=stop_after(3))
    assert (result.epochs, result.ended) == (2, "epochs")
    assert outcome(two.folder) == outcome(result.folder)
    assert fit(settings, resume=True).epochs == 4


def test_the_test_is_the_same_whoever_trained_the_last_epoch(config):
    whole = fit(config(to="whole", **LATE))
    broken = config(to="broken", **LATE)
    with pytest.raises(Stop):
        fit(broken, on_epoch=stop_after(2))
    assert not (Path(broken.out) / "test.json").exists()
    assert fit(broken, resume=True).test == whole.test
    assert fit(broken, resume=True).test == whole.test  # as a pair looks again at an arm that is done


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_finished_run_is_left_alone(config, monkeypatch, epochs):
    first = fit(config(epochs=2, schedule__name="constant"))
    times = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*") if path.is_file()}
    monkeypatch.setattr("bincam.train.runs.manifest.revision", lambda: {"commit": "later", "changed": False})
    again = fit(config(epochs=epochs, schedule__name="constant"), resume=True, on_epoch=stop_after(1))
    assert (again.history, again.test) == (first.history, first.test)
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*") if path.is_file()} == times


@pytest.mark.parametrize("name", ["card.json", "weights.safetensors", "test.json"])
def test_a_finished_run_that_has_been_broken_since_is_told_of(config, name):
    file = fit(config(epochs=1)).folder / name
    for content in (b"", file.read_bytes()[: file.stat().st_size // 2]):
        file.write_bytes(content)
        with pytest.raises(InputError, match=name):
            fit(config(epochs=1), resume=True)


def test_a_test_that_is_wanted_later_is_made(config):
    folder = fit(config(epochs=1, test=False)).folder
    assert fit(config(epochs=1), resume=True).test == json.loads((folder / "test.json").read_text())
    assert "test: true" in (folder / "config.yaml").read_text()


def test_a_manifest_that_cannot_be_read_is_made_again(config):
    first = fit(config(epochs=1))
    (first.folder / "manifest.json").write_text("{}")
    assert fit(config(epochs=1), resume=True).test == first.test
    assert json.loads((first.folder / "manifest.json").read_text())["status"] == "finished"


def test_a_manifest_tells_who_began_and_who_went_on(config, monkeypatch):
    settings = config(epochs=2)
    manifest = Path(settings.out) / "manifest.json"
    with pytest.raises(Stop):
        fit(settings, on_epoch=stop_after(1))
    began = json.loads(manifest.read_text())["git"]
    assert "resumed" not in json.loads(manifest.read_text())
    monkeypatch.setattr("bincam.train.runs.manifest.revision", lambda: {"commit": "later", "changed": False})
    with pytest.raises(Stop):
        fit(settings, resume=True, on_epoch=stop_after(2))
    with pytest.warns(BincamWarning, match="run of 2 epochs, and now epochs is 3"):
        fit(config(epochs=3), resume=True)
    told = json.loads(manifest.read_text())
    assert (told["git"], told["length"]) == (began, 2)
    later = {"git": {"commit": "later", "changed": False}}
    assert told["resumed"] == [{"epoch": 1, "step": 0, **later}, {"epoch": 2, "step": 0, **later, "length": 3}]


@pytest.mark.parametrize("left", [None, "weights.safetensors", "last/card.json"])
def test_a_kill_between_a_state_and_its_models_leaves_nothing_wrong(config, monkeypatch, left):
    """The second of three epochs, after which fewer are wanted."""
    from bincam.train.runs.folder import RunFolder

    same = {"schedule__name": "constant", "best": "loss"}
    whole = fit(config(epochs=2, to="whole", **same))
    assert whole.best_epoch == 2
    models = RunFolder.write_models

    def killed(self, model, record, *, best):
        if record["epoch"] == 2:
            if left is not None:
                (self.path / left).write_text("half")
            raise Stop
        models(self, model, record, best=best)

    monkeypatch.setattr(RunFolder, "write_models", killed)
    with pytest.raises(Stop):
        fit(config(epochs=3, **same))
    monkeypatch.undo()
    result = fit(config(epochs=2, **same), resume=True)
    assert outcome(whole.folder) == outcome(result.folder)


def test_a_test_of_another_model_does_not_stay(config):
    same = {"schedule__name": "constant", "best": "loss"}
    folder = fit(config(epochs=1, **same)).folder
    assert (folder / "test.json").exists()
    longer = fit(config(epochs=3, test=False, **same), resume=True)
    assert longer.best_epoch > 1
    assert not (folder / "test.json").exists()


def test_resuming_where_nothing_is_starts(config):
    assert fit(config(epochs=1), resume=True).epochs == 1


# What is refused -----------------------------------------------------------------------------------------------------


def test_a_state_of_another_configuration(config):
    fit(config(epochs=1))
    for changes, message in [
        ({"optimizer__lr": 0.5}, "optimizer.lr 0.003, but now it is 0.5"),
        ({"seed": 3}, "seed 0, but now it is 3"),
        ({"model__name": "resnet18", "model__options": {}}, "model.name 'resnet10t', but now it is 'resnet18'"),
        ({"loss": "focal"}, "loss.name 'bce', but now it is 'focal'"),
        ({"data__attributes": ["above"]}, "belongs to a run with other attributes"),
        ({"data__attributes": ["below", "above"]}, "belongs to a run with other attributes .'above', not 'below'"),
    ]:
        with pytest.raises(InputError, match=message):
            fit(config(epochs=1, **changes), resume=True)


def test_first_weights_that_have_changed(config):
    first = fit(config(epochs=1, to="first", schedule__name="constant"))
    settings = config(epochs=2, model__pretrained=str(first.folder / "last"))
    with pytest.raises(Stop):
        fit(settings, on_epoch=stop_after(1))
    own = json.loads((Path(settings.out) / "manifest.json").read_text())["initial_weights"]
    fit(config(epochs=2, to="first", schedule__name="constant"), resume=True)
    with pytest.raises(InputError, match=f"with initial weights {own[:12]}.*pretrained weights, or the versions"):
        fit(settings, resume=True)


def test_a_broken_state(config):
    folder = fit(config(epochs=1)).folder
    whole = (folder / STATE).read_bytes()
    for content, message in [
        (whole[:1000], "not a complete"),
        (b"", "not a complete"),
        (b"x" * 100, "not written by torch.save"),
    ]:
        (folder / STATE).write_bytes(content)
        with pytest.raises(InputError, match=message):
            fit(config(epochs=1), resume=True)
    torch.save({"kind": "other"}, folder / STATE)
    with pytest.raises(InputError, match="expected a bincam-train-state"):
        fit(config(epochs=1), resume=True)


def test_data_that_has_changed(config, spots, tmp_path):
    table = tmp_path / "t.csv"
    text = spots.read_text()
    table.write_text(text)
    options = {"split": "split", "images": str(spots.parent)}
    settings = config(epochs=2, data__source=str(table), data__options=options)
    with pytest.raises(Stop):
        fit(settings, on_epoch=stop_after(1))
    table.write_text(text.replace("000.png,train,0", "000.png,train,1").replace("001.png,train,1", "001.png,train,0"))
    with pytest.raises(InputError, match="data set has changed"):
        fit(settings, resume=True)
