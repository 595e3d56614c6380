"""Stopped anywhere, by Ctrl-C or a kill, and gone on with: the same bytes as if it had never stopped."""

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

from bincam.train import fit, fit_pair
from bincam.train.runs.checkpoint import FILE as STATE
from tests.train.conftest import HARD, outcome

MEMORY = {"data__memory": True, "ema": 0.9}


@pytest.mark.parametrize(("at", "changes"), [(1, HARD), (5, HARD), (6, HARD), (6, MEMORY), (9, HARD), (9, MEMORY)])
def test_ctrl_c_in_any_step_ends_it_and_the_rest_is_the_same(config, monkeypatch, at, changes):
    """The sixth is an epoch's last."""
    from bincam.train.steps.optimizer_step import Stepper

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
    from bincam.train.evaluations import run_evaluation

    asked = []
    ask = run_evaluation.ask

    def interrupted(*args, **kwargs):
        asked.append(1)
        if len(asked) == nth:
            os.kill(os.getpid(), signal.SIGINT)
        return ask(*args, **kwargs)

    monkeypatch.setattr(run_evaluation, "ask", interrupted)
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


def test_ctrl_c_is_heard_where_nothing_is_left_to_do(config):
    from bincam.train.loop import fit_until

    settings = config(epochs=1)
    folder = fit(settings).folder
    manifest = (folder / "manifest.json").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fit_until(settings, lambda: True, resume=True)
    assert (folder / "manifest.json").read_bytes() == manifest


def test_ctrl_c_in_one_arm_begins_no_other(config, monkeypatch):
    settings = config(epochs=1)
    interrupted_at(monkeypatch, 2)  # in the first arm's test
    with pytest.raises(KeyboardInterrupt):
        fit_pair(settings)
    monkeypatch.undo()
    assert sorted(path.name for path in Path(settings.out).iterdir()) == ["unbalanced"]
    assert fit_pair(settings, resume=True).identical


def test_ctrl_c_between_two_arms_trains_nothing_more(config, monkeypatch):
    from bincam.train.runs.folder import RunFolder

    settings = config(epochs=1)
    before = signal.getsignal(signal.SIGINT)
    records = RunFolder.write_records

    def interrupted(self, at, status):
        records(self, at, status)
        if status == "finished":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunFolder, "write_records", interrupted)
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
    monkeypatch.setitem(loop._CHECK_EVERY, "cpu", 16)
    seldom = fit(config(to="seldom", checkpoint_steps=4))
    assert written == [(0, 4), (1, 0), (1, 4), (2, 0)]
    assert outcome(often.folder) == outcome(seldom.folder)


def test_the_second_ctrl_c_does_not_wait():
    from bincam.train.steps.distributed import deferred_interrupt

    with deferred_interrupt() as stopped:
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
