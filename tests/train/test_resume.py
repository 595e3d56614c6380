"""Stopped anywhere, by an error, Ctrl-C or a kill, and gone on with: the same bytes as if it had never stopped."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import bincam
from bincam.errors import BincamWarning, InputError
from bincam.train import fit, fit_pair
from bincam.train.state import FILE as STATE
from tests.train.conftest import digest

HARD = {"ema": 0.9, "model__options__drop_rate": 0.3, "model__options__norm_layer": "batchnorm", "clip_norm": 1.0,
        "data__augmentation": "affact"}  # fmt: skip


class Stop(Exception):  # noqa: N818  # it is no error
    pass


def outcome(folder: Path):
    """Everything of a run that does not tell the time."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["images_per_second"]
    models = {name: digest(folder / name) for name in ("", "last")}
    cards = {name: bincam.load(folder / name).card for name in ("", "last")}
    return lines, models, cards, json.loads((folder / "test.json").read_text())


def stop_after(epoch: int):
    def look(record):
        if record["epoch"] == epoch:
            raise Stop

    return look


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
    said = "run of 1 epochs, and now they are 2: a cosine's learning rates follow the run's length"
    with pytest.warns(BincamWarning, match=said):
        fit(config(epochs=2), resume=True)
    never = {"to": "never", "loss": {"name": "ldam", "options": {"defer": 1}}, "schedule__name": "constant"}
    fit(config(epochs=1, **never))
    fit(config(epochs=2, **never), resume=True)
    late = {"to": "late", "loss": "ldam", "schedule__name": "constant"}
    fit(config(epochs=1, **late))
    with pytest.warns(BincamWarning, match="now they are 2: ldam's weights follow"):
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
    monkeypatch.setattr("bincam.train.manifest.revision", lambda: {"commit": "later", "changed": False})
    again = fit(config(epochs=epochs, schedule__name="constant"), resume=True, on_epoch=stop_after(1))
    assert (again.history, again.test) == (first.history, first.test)
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*") if path.is_file()} == times


def test_ctrl_c_is_heard_where_nothing_is_left_to_do(config):
    from bincam.train.loop import fit_until

    settings = config(epochs=1)
    folder = fit(settings).folder
    manifest = (folder / "manifest.json").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fit_until(settings, lambda: True, resume=True)
    assert (folder / "manifest.json").read_bytes() == manifest


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
    monkeypatch.setattr("bincam.train.manifest.revision", lambda: {"commit": "later", "changed": False})
    with pytest.raises(Stop):
        fit(settings, resume=True, on_epoch=stop_after(2))
    with pytest.warns(BincamWarning, match="run of 2 epochs, and now they are 3"):
        fit(config(epochs=3), resume=True)
    told = json.loads(manifest.read_text())
    assert (told["git"], told["length"]) == (began, 2)
    later = {"git": {"commit": "later", "changed": False}}
    assert told["resumed"] == [{"epoch": 1, "step": 0, **later}, {"epoch": 2, "step": 0, **later, "length": 3}]


@pytest.mark.parametrize("left", [None, "weights.safetensors", "last/card.json"])
def test_a_kill_between_a_state_and_its_models_leaves_nothing_wrong(config, monkeypatch, left):
    """The second of three epochs, after which fewer are wanted."""
    from bincam.train.runfolder import RunFolder

    same = {"schedule__name": "constant", "best": "loss"}
    whole = fit(config(epochs=2, to="whole", **same))
    assert whole.best_epoch == 2
    models = RunFolder.models

    def killed(self, model, record, *, best):
        if record["epoch"] == 2:
            if left is not None:
                (self.path / left).write_text("half")
            raise Stop
        models(self, model, record, best=best)

    monkeypatch.setattr(RunFolder, "models", killed)
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


MEMORY = {"data__memory": True, "ema": 0.9}


@pytest.mark.parametrize(("at", "changes"), [(1, HARD), (5, HARD), (6, HARD), (6, MEMORY), (9, HARD), (9, MEMORY)])
def test_ctrl_c_in_any_step_ends_it_and_the_rest_is_the_same(config, monkeypatch, at, changes):
    """The sixth is an epoch's last."""
    from bincam.train.stepper import Stepper

    whole = fit(config(epochs=2, to="whole", **changes))
    steps = []
    step = Stepper.step

    def interrupted(self, *args, **kwargs):
        steps.append(1)
        if len(steps) == at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *args, **kwargs)

    settings = config(epochs=2, to="broken", **changes)
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Stepper, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(settings)
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is before
    assert len(steps) == at
    assert json.loads((Path(settings.out) / "manifest.json").read_text())["status"] == "interrupted"
    state = torch.load(Path(settings.out) / STATE, weights_only=True)
    assert json.loads(state["run"])["epoch"] * 6 + json.loads(state["run"])["step"] == at
    result = fit(settings, resume=True)
    assert outcome(whole.folder) == outcome(result.folder)


def interrupted_at(monkeypatch, nth):
    """Ctrl-C in the nth look at a split."""
    from bincam.train import loop

    asked = []
    ask = loop.ask

    def interrupted(*args, **kwargs):
        asked.append(1)
        if len(asked) == nth:
            os.kill(os.getpid(), signal.SIGINT)
        return ask(*args, **kwargs)

    monkeypatch.setattr(loop, "ask", interrupted)
    return asked


@pytest.mark.parametrize("nth", [1, 2, 3], ids=["validation", "last validation", "test"])
def test_ctrl_c_between_steps_is_heard(config, monkeypatch, nth):
    whole = fit(config(epochs=2, to="whole"))
    settings = config(epochs=2, to="broken")
    asked = interrupted_at(monkeypatch, nth)
    with pytest.raises(KeyboardInterrupt):
        fit(settings)
    assert len(asked) == nth
    monkeypatch.undo()
    folder = Path(settings.out)
    assert json.loads((folder / "manifest.json").read_text())["status"] == "interrupted"
    state = json.loads(torch.load(folder / STATE, weights_only=True)["run"])
    assert (state["epoch"], state["step"]) == (min(nth, 2), 0)
    result = fit(settings, resume=True)
    assert json.loads((folder / "manifest.json").read_text())["status"] == "finished"
    assert outcome(whole.folder) == outcome(result.folder)


def test_ctrl_c_in_one_arm_begins_no_other(config, monkeypatch):
    settings = config(epochs=1)
    interrupted_at(monkeypatch, 2)  # in the first arm's test
    with pytest.raises(KeyboardInterrupt):
        fit_pair(settings)
    monkeypatch.undo()
    assert sorted(path.name for path in Path(settings.out).iterdir()) == ["unbalanced"]
    assert fit_pair(settings, resume=True).identical


def test_ctrl_c_between_two_arms_trains_nothing_more(config, monkeypatch):
    from bincam.train.runfolder import RunFolder

    settings = config(epochs=1)
    before = signal.getsignal(signal.SIGINT)
    records = RunFolder.records

    def interrupted(self, at, status):
        records(self, at, status)
        if status == "finished":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunFolder, "records", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_pair(settings)
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is before
    assert not (Path(settings.out) / "balanced" / STATE).exists()
    assert fit_pair(settings, resume=True).identical


def test_states_are_written_at_the_steps_asked_for_however_rarely_losses_are_looked_at(config, monkeypatch):
    """As on a GPU, where they are looked at every 16 steps."""
    from bincam.train import loop

    written = []
    write = loop.write_state

    def noted(folder, run, state):
        written.append((state.position.epoch, state.position.step))
        write(folder, run, state)

    monkeypatch.setattr(loop, "write_state", noted)
    often = fit(config(to="often"))
    assert written == [(1, 0), (2, 0)]
    written.clear()
    monkeypatch.setitem(loop._LOOK, "cpu", 16)
    seldom = fit(config(to="seldom", checkpoint_steps=4))
    assert written == [(0, 4), (1, 0), (1, 4), (2, 0)]
    assert outcome(often.folder) == outcome(seldom.folder)


def test_the_second_ctrl_c_does_not_wait():
    from bincam.train.process import stoppable

    with stoppable() as stopped:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def in_a_child(run) -> bool:
    """Run something in a forked process; whether it came through without being killed."""
    cv2.setNumThreads(1)  # a copy of opencv's pool without its threads would never answer
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_write(config, after):
    """Just before, and just after, each of the files is put in its place."""
    changes = {**HARD, "epochs": 2, "checkpoint_steps": 4}
    whole = fit(config(to="whole", **changes))

    def run(nth: int) -> None:
        replace = Path.replace
        calls = []

        def deadly(self, target):
            calls.append(target)
            if len(calls) == nth and not after:
                kill()
            result = replace(self, target)
            if len(calls) == nth:
                kill()
            return result

        Path.replace = deadly  # type: ignore[method-assign]  # in the child only
        fit(config(to="killed", **changes), resume=True)

    nth, kills = 1, 0
    while not in_a_child(partial(run, nth)):
        nth, kills = nth + 1, kills + 1  # the run is gone on with, and killed at a later write
    assert kills > 4
    assert outcome(whole.folder) == outcome(whole.folder.parent / "killed")


@pytest.mark.slow
def test_killed_at_any_moment(config):
    """Again and again, at random moments, until it comes through."""
    changes = {**HARD, "epochs": 6, "checkpoint_steps": 2}
    began = time.monotonic()
    whole = fit(config(to="whole", **changes))
    lasts = time.monotonic() - began
    rng = np.random.default_rng(0)

    def run(delay: float) -> None:
        threading.Timer(delay, kill).start()
        fit(config(to="killed", **changes), resume=True)

    kills = 0
    while not in_a_child(lambda: run(rng.uniform(0.2, 0.7) * lasts)):
        kills += 1
        assert kills < 40
    assert kills > 0
    assert outcome(whole.folder) == outcome(whole.folder.parent / "killed")


# What is refused -----------------------------------------------------------------------------------------------------


def test_a_state_of_another_configuration(config):
    fit(config(epochs=1))
    for changes, message in [
        ({"optimizer__lr": 0.5}, "optimizer.lr 0.003, and now it is 0.5"),
        ({"seed": 3}, "seed 0, and now it is 3"),
        ({"model__name": "resnet18", "model__options": {}}, "model.name 'resnet10t', and now it is 'resnet18'"),
        ({"loss": "focal"}, "loss.name 'bce', and now it is 'focal'"),
        ({"data__attributes": ["above"]}, "belongs to other attributes"),
        ({"data__attributes": ["below", "above"]}, "belongs to other attributes .'above', not 'below'"),
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
    with pytest.raises(InputError, match=f"with first weights {own[:12]}.*pretrained weights, or the versions"):
        fit(settings, resume=True)


def test_a_broken_state(config):
    folder = fit(config(epochs=1)).folder
    whole = (folder / STATE).read_bytes()
    for content, message in [(whole[:1000], "not a"), (b"", "not a"), (b"x" * 100, "not a")]:
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
