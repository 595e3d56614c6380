"""The trainings of the experiments, most informative first; each is one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from experiments.scenes.network import WIDTHS

SEEDS = (0, 1, 2)
LOCALISERS = ("mean", "max", "logsumexp")
POOLINGS = ("top", "noisy_or", "pcam", "attention")
STRENGTHS = (0.5, 0.9, 1.0)
CUED = ("mark:star", "colour:heart")
"""Both cues are planted in the same scenes, each with a class of its own."""


@dataclass(frozen=True)
class Plan:
    """Size of a training.

    Attributes:
        count: Scenes, drawn once per seed.
        epochs: Passes over them.
        batch: Scenes in a batch.
        peak: Highest learning rate of the one-cycle schedule.
        size: Pixels of an image's side.
        widths: Of the network.
        held: Scenes that are judged after every epoch.
    """

    count: int = 12_000
    epochs: int = 10
    batch: int = 32
    peak: float = 2e-3
    size: int = 96
    widths: tuple[int, ...] = WIDTHS
    held: int = 300


@dataclass(frozen=True)
class Sample:
    """Scenes on which trained networks are measured, the same for all of them.

    Attributes:
        validation: Scenes from which thresholds are chosen.
        test: Scenes that are measured.
        boxed: Of these, those whose boxes are measured.
        sweep: Scenes for each object size.
        scales: Sides of objects as shares of the image's side.
    """

    validation: int = 400
    test: int = 1000
    boxed: int = 400
    sweep: int = 250
    scales: tuple[float, ...] = (0.1, 0.14, 0.18, 0.23, 0.28)


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        rule: ``all`` or ``one``.
        pooling: Of the network.
        stride: Of the network.
        seed: Of scenes, weights, order and drawn labels.
        strength: Of the planted cues; None without.
        plan: Its size.
    """

    rule: str
    pooling: str
    seed: int
    stride: int = 8
    strength: float | None = None
    plan: Plan = field(default_factory=Plan)

    @property
    def name(self) -> str:
        """Name of the job's file."""
        cue = "" if self.strength is None else f"-cue{round(100 * self.strength)}"
        return f"{self.rule}-{self.pooling}-stride{self.stride}{cue}-seed{self.seed}"

    @property
    def shortcut(self) -> Mapping[str, float] | None:
        """The planted cues, as ``bincam.scenes.draw`` takes them."""
        return None if self.strength is None else dict.fromkeys(CUED, self.strength)

    def settings(self) -> dict[str, Any]:
        """Return everything that determines the weights, as JSON has it."""
        return as_json(asdict(self))


def jobs(plan: Plan | None = None, epochs_of_one: int = 20) -> list[Job]:
    """List all trainings in order.

    Args:
        plan: Of a training with the rule ``all``.
        epochs_of_one: Passes with the rule ``one``, which says less of each image.
    """
    own = plan or Plan()
    drawn = replace(own, epochs=epochs_of_one)
    listed = [Job("all", pooling, 0, plan=own) for pooling in LOCALISERS]
    listed.append(Job("one", "mean", 0, plan=drawn))
    for seed in SEEDS[1:]:
        listed += [Job("all", pooling, seed, plan=own) for pooling in LOCALISERS]
        listed.append(Job("one", "mean", seed, plan=drawn))
    for seed in SEEDS:
        listed += [Job("all", pooling, seed, plan=own) for pooling in POOLINGS]
        listed += [Job("all", "mean", seed, strength=strength, plan=own) for strength in STRENGTHS]
        listed += [Job("all", "mean", seed, stride=stride, plan=own) for stride in (16, 32)]
    return listed


def as_json(settings: dict[str, Any]) -> dict[str, Any]:
    """Replace tuples by lists, so that settings are equal to those that were read from JSON.

    >>> as_json({"plan": {"scales": (0.1, 0.2)}})
    {'plan': {'scales': [0.1, 0.2]}}
    """
    read: dict[str, Any] = json.loads(json.dumps(settings))
    return read
