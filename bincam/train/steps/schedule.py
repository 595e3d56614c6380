"""Learning rate schedules: a function of the step and, on plateaus, of a validation metric."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bincam.train.configuration.sections import ScheduleConfig


def factor(config: ScheduleConfig, step: int, *, steps_per_epoch: int, epochs: int, reductions: int = 0) -> float:
    """Compute the factor by which the peak learning rate is multiplied.

    With w warm-up steps out of n, and s the step from 0: (s + 1)/w during warm-up; then ``cosine`` is
    f + (1 - f)(1 + cos(π (s - w)/(n - w)))/2 with the floor f (Loshchilov and Hutter 2017; one cycle, without
    restarts), ``step`` is r^⌊epoch / every⌋, ``plateau`` is r^reductions but at least the floor, ``constant`` is 1.

    Args:
        config: The schedule.
        step: Optimiser steps taken before this one.
        steps_per_epoch: Optimiser steps per epoch.
        epochs: Number of epochs of the whole run.
        reductions: Number of reductions on plateaus so far.

    Example:
        >>> from bincam.train.configuration.sections import ScheduleConfig
        >>> cosine = ScheduleConfig(name="cosine", warmup_epochs=1)
        >>> [round(factor(cosine, step, steps_per_epoch=2, epochs=3), 3) for step in range(6)]
        [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
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
class PlateauCounter:
    """Counts the epochs without improvement of a metric.

    Attributes:
        best: Best value so far; None before the first.
        bad: Epochs without improvement since then.
        reductions: Number of times that patience has run out.
    """

    best: float | None = None
    bad: int = 0
    reductions: int = 0

    def after(self, value: float, *, higher: bool, patience: int, min_delta: float = 0.0) -> PlateauCounter:
        """Return the counter after one more epoch; NaN counts as no improvement.

        Args:
            value: The metric.
            higher: True if higher values are better.
            patience: When ``bad`` exceeds it, ``bad`` restarts at 0 and a reduction is counted.
            min_delta: Improvements must be larger than this.

        Example:
            >>> counter = PlateauCounter()
            >>> for loss in (0.7, 0.6, 0.6, 0.6):
            ...     counter = counter.after(loss, higher=False, patience=1)
            >>> counter
            PlateauCounter(best=0.6, bad=0, reductions=1)
        """
        if improved(value, self.best, higher=higher, min_delta=min_delta):
            return replace(self, best=value, bad=0)
        if self.bad + 1 > patience:
            return replace(self, bad=0, reductions=self.reductions + 1)
        return replace(self, bad=self.bad + 1)


def improved(value: float, best: float | None, *, higher: bool, min_delta: float = 0.0) -> bool:
    """Return True if a metric is better than the best so far; NaN never is."""
    if math.isnan(value):
        return False
    return best is None or (value - best if higher else best - value) > min_delta
