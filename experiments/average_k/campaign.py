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
        rare: Whether one half of the shapes is rare.
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


def regime(*, rare: bool, once: bool) -> str:
    """Name a kind of labels.

    >>> regime(rare=True, once=False)
    'rare-anew'
    """
    return f"{'rare' if rare else 'even'}-{'once' if once else 'anew'}"


def jobs(plan: Plan | None = None) -> list[SetJob]:
    """List all trainings in order.

    Args:
        plan: Of a training.
    """
    own = plan or replace(Plan(), epochs=20)

    def of(methods: tuple[str, ...], seeds: tuple[int, ...], *, rare: bool = False, once: bool = False) -> list[SetJob]:
        return [
            SetJob("one", "mean", seed, plan=own, method=method, rare=rare, once=once)
            for seed in seeds
            for method in methods
        ]

    listed = of(("ce",), SEEDS[:3]) + of(("two_head",), SEEDS[:3])
    listed += of(METHODS[2:], SEEDS[:1])
    listed += of(METHODS[:2], SEEDS[:1], once=True) + of(METHODS[:2], SEEDS[:1], rare=True)
    listed += of(METHODS[2:], SEEDS[1:3])
    listed += of(METHODS[2:], SEEDS[:1], once=True) + of(METHODS[2:], SEEDS[:1], rare=True)
    for seed in SEEDS[1:3]:
        listed += of(METHODS[:2], (seed,), once=True) + of(METHODS[:2], (seed,), rare=True)
    listed += [SetJob("one", "mean", 0, plan=own, method="two_head", size=size) for size in (3.0, 4.0)]
    listed += [SetJob("one", "mean", 0, plan=own, method="two_head", warm=0.0)]
    listed += of(METHODS[2:], SEEDS[1:3], once=True) + of(METHODS[2:], SEEDS[1:3], rare=True)
    for seed in SEEDS[3:]:
        for rare, once in ((False, False), (False, True), (True, False)):
            listed += of(METHODS, (seed,), rare=rare, once=once)
    return listed
