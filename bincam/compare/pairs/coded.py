"""Labels and answers of two audits of very many images: a byte for each image and attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.files import IMAGES
from bincam.audit.folder.parts.columns import Places, read_clusters, read_rows
from bincam.audit.folder.stored import read_table
from bincam.compare.pairs.matched import differing_labels
from bincam.errors import InputError
from bincam.stats.clusters import Clusters
from bincam.stats.outcomes import answers

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

FACTORS = (27, 9, 3, 1)
"""What the class, and the three answers, count for in a code of their digits 0 (no), 1 (unknown) and 2 (yes)."""

_DIGITS = np.stack([(np.arange(81) // factor % 3 - 1) for factor in FACTORS]).astype(np.int8)
LABELS = np.array([0, np.nan, 1], np.float32)[_DIGITS[0] + 1]
"""``(81,)``: the label of each code."""

ANSWERS = _DIGITS[1:]
"""``(3, 81)``: the three answers of each code."""

WRONG = np.where((_DIGITS[0] == 0) | (ANSWERS == 0), np.nan, _DIGITS[0] != ANSWERS).astype(np.float32)
"""``(3, 81)``: whether each answer is wrong."""


@dataclass(frozen=True)
class Shared:
    """The images that two audits have read.

    Attributes:
        audits: The two audits.
        rows: ``(N,)``: the images' rows in ``images.parquet``, ascending.
        places: Where each audit's images are among them.
        clusters: Clusters of the N images.
    """

    audits: tuple[Audit, Audit]
    rows: NDArray[np.int64]
    places: tuple[Places, Places]
    clusters: Clusters

    @classmethod
    def of(cls, first: Audit, second: Audit) -> Shared:
        """Read the tables of images of both audits, not their records."""
        read = read_rows(first), read_rows(second)
        if len(read[0]) != len(read[1]):
            raise InputError(
                f"{first.folder} and {second.folder}: tables of {len(read[0]):,} and {len(read[1]):,} images, expected "
                "the same; make both audits again"
            )
        own, rows = np.flatnonzero(read[0]), np.flatnonzero(read[0] & read[1])
        clusters = read_clusters(first, own).among(np.searchsorted(own, rows))
        places = Places.of(first, rows, read[0]), Places.of(second, rows, read[1])
        return cls((first, second), rows, places, clusters)

    @property
    def looked_at(self) -> int:
        """Number of images that were looked for in both audits."""
        return len(self.places[0].place)


def coded_answers(
    shared: Shared, attributes: Sequence[str], moved: NDArray[np.float64]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Read labels and answers in one scan over each audit.

    Args:
        shared: The images of two audits.
        attributes: Names of the A attributes.
        moved: ``(A,)``: adjusted thresholds for the first model.

    Returns:
        Codes ``(A, N)``, which ``LABELS``, ``ANSWERS`` and ``WRONG`` read, and the first model's thresholds ``(A,)``,
        those of the first image.

    Raises:
        InputError: Labels differ, or an image lacks some of its records.
    """
    codes = np.full((len(attributes), len(shared.rows)), np.int8(sum(FACTORS)))
    thresholds = np.full(len(attributes), np.nan, np.float32)
    columns = ("label", "logit", "threshold")
    for at, (label, logit, threshold) in shared.places[0].parts(columns, attributes, "compare: answers of the first"):
        here = FACTORS[0] * _classes(label) + FACTORS[1] * answers(logit, threshold)
        codes[:, at] += here + FACTORS[2] * answers(logit, moved[:, None])
        if len(at) and not at[0]:
            thresholds = threshold[:, 0].copy()
    differing, example = 0, ""
    for at, (label, logit, threshold) in shared.places[1].parts(columns, attributes, "compare: answers of the second"):
        own = LABELS[codes[:, at]]
        others = np.argwhere(~((own == label) | (np.isnan(own) & np.isnan(label))).T)
        if len(others) and not differing:
            n, a = others[0].tolist()
            example = f"{_name(shared, int(at[n]))}, {attributes[a]}: {own[a, n]:g} and {label[a, n]:g}"
        differing += len(others)
        codes[:, at] += answers(logit, threshold)
    if differing:
        raise differing_labels(*shared.audits, differing, example)
    return codes, thresholds


def _name(shared: Shared, position: int) -> str:
    """The name of an image."""
    return str(read_table(shared.audits[0].folder / IMAGES, ["image"])["image"][int(shared.rows[position])].as_py())


def _classes(label: NDArray[np.float32]) -> NDArray[np.int8]:
    """The class of labels: 1, -1, and 0 where it is unknown."""
    return np.where(np.isnan(label), 0, np.where(label > 0, 1, -1)).astype(np.int8)
