"""The trainings of the experiment, most informative first; each pair is one JSON file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
FOLDS = (0, 1, 2, 3)
PARTS = ("last-stage", "all")
FACES_SEED, FACES_SIZE = 11, (128, 157)
FACES, PHOTOGRAPHS = 20_000, 400
QUICK_FACES = 4_000
EPOCHS = {"faces": {"last-stage": 8, "all": 5}, "orl": {"last-stage": 8, "all": 8}}
"""Passes over the training split, by images and by what is trained."""


@dataclass(frozen=True)
class Job:
    """One pair of an unbalanced and a balanced model.

    Attributes:
        data: ``faces`` (generated) or ``orl`` (photographs).
        trained: ``last-stage`` (the stages below keep ImageNet's weights) or ``all``.
        seed: Of the new layer's weights, order and mirroring.
        count: Generated faces, of all splits; 400 photographs.
        epochs: Passes over those of the training split.
        fold: Test fold of the photographs; None for faces.
        size: Pixels of an image's side.
    """

    data: str
    trained: str
    seed: int
    count: int
    fold: int | None = None
    size: int = 128

    @property
    def epochs(self) -> int:
        """Passes over the training split."""
        return EPOCHS[self.data][self.trained]

    @property
    def plan(self) -> str:
        """What pairs that differ only in seed and fold share."""
        return f"{self.data}-{self.trained}-{self.count}x{self.epochs}"

    @property
    def name(self) -> str:
        """Name of the pair's file."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return f"{self.plan}{fold}-seed{self.seed}"

    def settings(self) -> dict[str, Any]:
        """Return what determines the weights."""
        return asdict(self) | {"epochs": self.epochs}


def jobs() -> list[Job]:
    """List all pairs in order: what takes minutes first, so that an interrupted campaign has an answer.

    >>> [job.name for job in jobs()][:2]
    ['faces-last-stage-4000x8-seed0', 'orl-last-stage-400x8-fold0-seed0']
    """
    quick = [Job("faces", "last-stage", seed, QUICK_FACES) for seed in SEEDS]
    photographs = {trained: [Job("orl", trained, 0, PHOTOGRAPHS, fold) for fold in FOLDS] for trained in PARTS}
    whole = [Job("faces", "all", seed, FACES) for seed in SEEDS]
    return [quick[0], *photographs["last-stage"], *quick[1:], *photographs["all"], *whole]
