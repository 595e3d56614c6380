"""Learning rates equal torch's own schedulers'."""

from __future__ import annotations

import math

import pytest
import torch

from bincam.train.configuration.sections import ScheduleConfig
from bincam.train.steps.schedule import PlateauCounter, factor, improved


def by_torch(make, steps):
    """The rates of ``steps`` steps under one of torch's schedulers, from a peak of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(config, steps, *, steps_per_epoch, epochs):
    return [factor(config, step, steps_per_epoch=steps_per_epoch, epochs=epochs) for step in range(steps)]


def test_cosine():
    config = ScheduleConfig(name="cosine", floor=0.1)
    theirs = by_torch(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.1), 20)
    assert ours(config, 20, steps_per_epoch=5, epochs=4) == pytest.approx(theirs)


def test_cosine_after_warm_up_ends_at_the_floor():
    rates = ours(ScheduleConfig(warmup_epochs=1), 20, steps_per_epoch=5, epochs=4)
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == pytest.approx(1.0)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.02


def test_step():
    config = ScheduleConfig(name="step", every=2, factor=0.5)
    theirs = by_torch(lambda o: torch.optim.lr_scheduler.StepLR(o, 6, gamma=0.5), 20)
    assert ours(config, 20, steps_per_epoch=3, epochs=7) == pytest.approx(theirs)


def test_constant_after_half_an_epoch_of_warm_up():
    rates = ours(ScheduleConfig(name="constant", warmup_epochs=0.5), 6, steps_per_epoch=4, epochs=2)
    assert rates == pytest.approx([0.5, 1, 1, 1, 1, 1])


@pytest.mark.parametrize("higher", [False, True])
def test_plateau(higher):
    config = ScheduleConfig(name="plateau", factor=0.5, patience=1, floor=0.2)
    values = [5.0, 4.0, 4.0, 4.0, 4.1, 4.1, 3.0, 3.5, 3.5, 3.5, 3.5, 3.5]
    values = [-v for v in values] if higher else values
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max" if higher else "min", factor=0.5, patience=1, threshold=0, threshold_mode="abs", min_lr=0.2
    )
    waiting = PlateauCounter()
    for step, value in enumerate(values):
        theirs.step(value)
        waiting = waiting.after(value, higher=higher, patience=1)
        rate = factor(config, step, steps_per_epoch=1, epochs=20, reductions=waiting.reductions)
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
    assert waiting.reductions >= 2


def test_nan_is_no_improvement_and_costs_patience():
    waiting = PlateauCounter().after(math.nan, higher=True, patience=0)
    assert waiting == PlateauCounter(best=None, bad=0, reductions=1)
    assert not improved(math.nan, None, higher=False)
    assert improved(1.0, None, higher=False)


def test_what_is_smaller_than_min_delta_is_no_improvement():
    assert not improved(0.95, 1.0, higher=False, min_delta=0.1)
    assert improved(0.85, 1.0, higher=False, min_delta=0.1)
