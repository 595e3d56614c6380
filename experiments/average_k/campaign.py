"""The trainings of the experiment on label sets, most telling first; each is one JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from experiments.scenes.campaign import Job, Plan

SEEDS = (0, 1, 2, 3, 4)
SIZES = (1.0, 1.5, 2.0, 3.0, 4.0)
"""K of the label sets that every network is judged by."""
TRAINED_SIZE = 2.0
"""K of the pseudo-labels of the two-head loss; other values are jobs of their own."""
WARM = 0.5
"""Share of the epochs in which the two-head loss trains the softmax head alone."""
TUNED_EPOCHS, TUNED_PEAK = 6, 1e-3
"""Of a training with rare shapes, which begins with trained features."""
METHODS = ("ce", "two_head", "an_ls", "hill", "asymmetric")
RARE: Mapping[str, float] = dict.fromkeys(("star", "cross", "ring", "arrow", "heart"), 0.038)
"""Prevalences with which one half of the shapes is twenty times as rare as the other."""


@dataclass(frozen=True)
class Sample:
    """Scenes on which trained networks are measured, the same for all of them.

    Attributes:
        calibration: Scenes from which λ is found, without their labels.
        test: Scenes that are measured.
        sizes: K of the label sets.
    """

    calibration: int = 1000
    test: int = 2000
    sizes: tuple[float, ...] = SIZES


@dataclass(frozen=True)
class SetJob(Job):
    """One training with single labels, by a loss.

    Attributes:
        method: Of ``METHODS``.
        size: K of the two-head loss.
        warm: Share of the epochs in which it trains the softmax head alone.
        rare: Whether one half of the shapes is rare; the training then begins with ``features``.
        once: Whether labels are drawn once, and can be memorised, or anew in every epoch.
    """

    method: str = "ce"
    size: float = TRAINED_SIZE
    warm: float = WARM
    rare: bool = False
    once: bool = False

    @property
    def name(self) -> str:
        """Name of the job's file."""
        size = "" if self.size == TRAINED_SIZE else f"-k{self.size:g}"
        cold = "" if self.warm == WARM else f"-warm{100 * self.warm:g}"
        return f"{self.method}{size}{cold}-{regime(rare=self.rare, once=self.once)}-seed{self.seed}"

    @property
    def trained(self) -> Job:
        """The job that is trained: plain cross-entropy is one of ``experiments.scenes``, and shares its weights."""
        if self.method == "ce" and not self.rare and not self.once:
            return Job("one", self.pooling, self.seed, self.stride, self.strength, self.plan)
        return self

    @property
    def features(self) -> Job:
        """The job with whose features a training with rare shapes begins: every shape, stated for every scene."""
        return Job(
            "all",
            self.pooling,
            self.seed,
            self.stride,
            self.strength,
            replace(self.plan, epochs=Plan.epochs, peak=Plan.peak),
        )


def regime(*, rare: bool, once: bool) -> str:
    """Name a kind of labels.

    >>> regime(rare=True, once=False)
    'rare-anew'
    """
    return f"{'rare' if rare else 'even'}-{'once' if once else 'anew'}"


def jobs(plan: Plan | None = None) -> list[SetJob]:
    """List all trainings in order.

    Args:
        plan: Of a training from random weights.
    """
    own = plan or replace(Plan(), epochs=20)
    tuned = replace(own, epochs=TUNED_EPOCHS, peak=TUNED_PEAK)
    listed = [
        SetJob("one", "mean", seed, plan=tuned if rare else own, method=method, rare=rare)
        for seed in SEEDS
        for rare in (False, True)
        for method in METHODS
    ]
    return listed + [SetJob("one", "mean", 0, plan=own, method=method, once=True) for method in METHODS[:2]]
