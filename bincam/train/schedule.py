"""The learning rate as a function of the step, and of the validation metric where it waits for a plateau."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bincam.train.config_sections import ScheduleConfig


def factor(config: ScheduleConfig, step: int, *, steps_per_epoch: int, epochs: int, reductions: int = 0) -> float:
    """What the peak learning rate is multiplied by.

    With w warm-up steps of n in all, and s the step from 0: (s + 1)/w before w; from there on cosine is
    f + (1 - f)(1 + cos(π (s - w)/(n - w)))/2 with the floor f (Loshchilov and Hutter 2017, one cycle, per
    step), step is r^⌊epoch / every⌋, plateau r^reductions but no less than the floor, constant 1.

    Args:
        config: Which schedule.
        step: Optimiser steps taken before this one.
        steps_per_epoch: Optimiser steps of an epoch.
        epochs: Of the whole run.
        reductions: So far, by a plateau.
    """
    warm = round(config.warmup_epochs * steps_per_epoch)
    if step < warm:
        return (step + 1) / warm
    if config.name == "cosine":
        left = max(epochs * steps_per_epoch - warm, 1)
        return config.floor + (1 - config.floor) * (1 + math.cos(math.pi * min((step - warm) / left, 1.0))) / 2
    if config.name == "step":
        return config.factor ** (step // steps_per_epoch // config.every)
    if config.name == "plateau":
        return max(config.factor**reductions, config.floor)
    return 1.0


@dataclass(frozen=True)
class Waiting:
    """How long a metric has not improved.

    Attributes:
        best: Its best value so far; None before the first.
        bad: Epochs since then.
        reductions: How often patience has run out.
    """

    best: float | None = None
    bad: int = 0
    reductions: int = 0

    def after(self, value: float, *, higher: bool, patience: int, min_delta: float = 0.0) -> Waiting:
        """One epoch later; what is NaN has not improved.

        Args:
            value: The metric.
            higher: Whether more is better.
            patience: When ``bad`` exceeds it, it starts anew and a reduction is counted.
            min_delta: An improvement is larger than this.
        """
        if improved(value, self.best, higher=higher, min_delta=min_delta):
            return replace(self, best=value, bad=0)
        if self.bad + 1 > patience:
            return replace(self, bad=0, reductions=self.reductions + 1)
        return replace(self, bad=self.bad + 1)


def improved(value: float, best: float | None, *, higher: bool, min_delta: float = 0.0) -> bool:
    """Whether a metric beats the best so far; NaN never does."""
    if math.isnan(value):
        return False
    return best is None or (value - best if higher else best - value) > min_delta
