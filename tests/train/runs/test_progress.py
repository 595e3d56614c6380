"""What is shown and drawn while a run goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.train import fit


def test_the_bar_shows_the_mean_of_the_losses_that_are_known(config, monkeypatch):
    """As on a GPU, where losses are looked at now and then."""
    from bincam.train import loop
    from bincam.train.runs.progress import Reporter
    from bincam.train.steps.optimizer_step import Stepper

    shown, losses = [], []
    step = Stepper.step

    def noted(self, *args, **kwargs):
        value = step(self, *args, **kwargs)
        losses.append(float(value))
        return value

    monkeypatch.setattr(Stepper, "step", noted)
    monkeypatch.setattr(Reporter, "step", lambda *told: shown.append(told[-1]))
    monkeypatch.setitem(loop._CHECK_EVERY, "cpu", 4)
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
    result = fit(config(epochs=2, schedule__name="constant"))
    assert scalars(result.folder) == [(r["epoch"], pytest.approx(r["train_loss"])) for r in result.history]
    (file,) = (result.folder / "tensorboard").iterdir()
    file.unlink()  # as after a kill
    longer = fit(config(epochs=3, schedule__name="constant", tensorboard=True), resume=True)
    longest = fit(config(epochs=4, schedule__name="constant", tensorboard=True), resume=True)
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


def test_a_line_counts_at_the_speed_of_this_run_and_the_arms_that_follow(config, monkeypatch, capsys):
    from bincam import progress
    from bincam.train.runs.progress import Reporter

    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    mean = {"balanced_error": None}
    record = {"epoch": 3, "train_loss": 0.5, "images_per_second": 10.0, "validation": {"mean": mean}}
    with progress.Course({"first": 4, "second": 4}) as course:
        course.begin("first")
        with Reporter(config(epochs=4), steps=100, done=290) as reporter:  # ten steps are left of epoch 3
            clock[0] = 2.0
            reporter.epoch(record)
    # 0.2 s a step: 20 s for epoch 4, and 80 s for the second arm.
    assert capsys.readouterr().err.strip().endswith("about 2 min left")
    with Reporter(config(epochs=4), steps=100, done=290) as reporter:
        clock[0] = 4.0
        reporter.epoch(record)
    assert capsys.readouterr().err.strip().endswith("about 20 s left")
