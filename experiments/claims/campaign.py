"""The trainings of the experiment, most informative first; each pair is one JSON file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
FOLDS = (0, 1, 2, 3)
FACES_SEED, FACES_SIZE = 11, (128, 157)
FULL, REDUCED = (20_000, 5), (4_000, 4)
"""Generated faces and epochs: as planned, and what two shared cores finish within an hour or two."""


@dataclass(frozen=True)
class Job:
    """One pair of an unbalanced and a balanced model.

    Attributes:
        data: ``faces`` (generated) or ``orl`` (photographs).
        seed: Of the new layer's weights, order and mirroring.
        count: Generated faces, of all splits; 400 photographs.
        epochs: Passes over those of the training split.
        fold: Test fold of the photographs; None for faces.
        size: Pixels of an image's side.
    """

    data: str
    seed: int
    count: int
    epochs: int
    fold: int | None = None
    size: int = 128

    @property
    def name(self) -> str:
        """Name of the job's file."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return f"{self.data}-{self.count}x{self.epochs}{fold}-seed{self.seed}"

    @property
    def plan(self) -> str:
        """What jobs that differ only in seed and fold share."""
        return f"{self.data}-{self.count}x{self.epochs}"

    def settings(self) -> dict[str, Any]:
        """Return what determines the weights."""
        return asdict(self)


def jobs() -> list[Job]:
    """List all pairs in order: a smaller plan first, so that an interrupted campaign has an answer.

    >>> [job.name for job in jobs()][:3]
    ['faces-4000x4-seed0', 'orl-400x8-fold0-seed0', 'orl-400x8-fold1-seed0']
    """
    reduced = [Job("faces", seed, *REDUCED) for seed in SEEDS]
    photographs = [Job("orl", 0, 400, 8, fold) for fold in FOLDS]
    return [reduced[0], *photographs, *reduced[1:], *(Job("faces", seed, *FULL) for seed in SEEDS)]
