"""Summary statistics of a table: prevalence, imbalance, co-occurrence, identities in several splits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.one_of import Sets, rarer_than_even, set_columns

SPLITS: tuple[str, ...] = ("train", "validation", "test")
"""Names of the splits, in the order in which they are listed; an image in no split has ``""``."""


@dataclass(frozen=True)
class SplitSummary:
    """Counts in one split.

    Attributes:
        name: The split, ``""`` for images in no split, or ``"all"``.
        count: Number of images.
        positives: ``(A,)`` images with label 1.
        negatives: ``(A,)`` images with label 0.
        unknown: ``(A,)`` images without a label.
        identities: Number of distinct identities, or None if the table has none.
    """

    name: str
    count: int
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    unknown: NDArray[np.int64]
    identities: int | None

    @property
    def prevalence(self) -> NDArray[np.float64]:
        """``(A,)`` share of positives among the labelled images; NaN where no image is labelled."""
        return _ratio(self.positives, self.positives + self.negatives)

    @property
    def imbalance(self) -> NDArray[np.float64]:
        """``(A,)`` images of the majority class per image of the minority class; NaN where a class is absent."""
        return _ratio(np.maximum(self.positives, self.negatives), np.minimum(self.positives, self.negatives))

    @property
    def minority(self) -> tuple[str, ...]:
        """The rarer class of each attribute: ``"positive"``, ``"negative"`` or, if equal, ``"neither"``."""
        order = np.sign(self.negatives - self.positives)
        return tuple({1: "positive", -1: "negative", 0: "neither"}[int(i)] for i in order)


@dataclass(frozen=True)
class SetSummary:
    """Counts of the classes of a set of outputs that exclude one another, in one split.

    Attributes:
        outputs: The K outputs.
        images: ``(K,)`` images of each class.
        unknown: Images without a label.
    """

    outputs: tuple[str, ...]
    images: NDArray[np.int64]
    unknown: int

    @property
    def share(self) -> NDArray[np.float64]:
        """``(K,)`` share of each class among the labelled images; NaN where there are none."""
        return _ratio(self.images, np.full(len(self.images), self.images.sum()))

    @property
    def minority(self) -> tuple[str, ...]:
        """The outputs that are rarer than one in K."""
        rare = rarer_than_even(self.images)
        return tuple(output for output, is_rare in zip(self.outputs, rare, strict=True) if is_rare)


@dataclass(frozen=True)
class Description:
    """Result of ``AttributeTable.describe``.

    Attributes:
        source: Where the table was read from.
        names: The A attributes.
        splits: A summary named ``"all"``, then one per split that has images.
        phi: ``(A, A)`` φ coefficient over the images where both labels are known; NaN if one of them is constant.
        crossing: Identities with images in several splits, and those splits; empty if the table has no identities.
        sets: Name of a set of outputs to its summaries, in the order of ``splits``.
        without_landmarks: Images that lack one of the five landmarks or several; None if the table has no landmarks.
        meaning: What the values of the source mean, a sentence each.
    """

    source: str
    names: tuple[str, ...]
    splits: tuple[SplitSummary, ...]
    phi: NDArray[np.float64]
    crossing: dict[str, tuple[str, ...]]
    sets: dict[str, tuple[SetSummary, ...]] = field(default_factory=dict)
    without_landmarks: int | None = None
    meaning: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The description as JSON values; undefined numbers are null, and ``sets`` is left out where there are none."""
        sets = {
            name: {
                "outputs": list(summaries[0].outputs),
                "splits": [
                    {
                        "name": split.name,
                        "images": summary.images.tolist(),
                        "unknown": summary.unknown,
                        "minority": list(summary.minority),
                    }
                    for split, summary in zip(self.splits, summaries, strict=True)
                ],
            }
            for name, summaries in self.sets.items()
        }
        return {
            "kind": "bincam-description",
            "schema": 1,
            "source": self.source,
            "attributes": list(self.names),
            "splits": [
                {
                    "name": s.name,
                    "count": s.count,
                    "identities": s.identities,
                    "positives": s.positives.tolist(),
                    "negatives": s.negatives.tolist(),
                    "unknown": s.unknown.tolist(),
                    "prevalence": _plain(s.prevalence),
                    "minority": list(s.minority),
                    "imbalance_ratio": _plain(s.imbalance),
                }
                for s in self.splits
            ],
            "phi": [_plain(row) for row in self.phi],
            "identities_across_splits": {name: list(splits) for name, splits in self.crossing.items()},
            **({"sets": sets} if sets else {}),
            **({} if self.without_landmarks is None else {"without_landmarks": self.without_landmarks}),
            **({"meaning": list(self.meaning)} if self.meaning else {}),
        }


def describe(
    source: str,
    names: tuple[str, ...],
    labels: NDArray[np.float32],
    splits: NDArray[np.str_],
    identities: NDArray[np.str_] | None,
    one_of: Sets | None = None,
) -> Description:
    """Summarise the columns of a table; ``AttributeTable.describe`` passes its own.

    Args:
        source: Name of the table.
        names: The A attributes.
        labels: ``(N, A)``: 1, 0 or NaN.
        splits: ``(N,)``: out of ``SPLITS`` or ``""``.
        identities: ``(N,)``: ``""`` where unknown; None if the table has none.
        one_of: Sets of columns of which exactly one is 1 in every row.
    """
    rows = {"all": np.ones(len(labels), bool)}
    rows |= {name: member for name in (*SPLITS, "") if (member := splits == name).any()}
    return Description(
        source=source,
        names=names,
        splits=tuple(
            _summary(name, labels[member], None if identities is None else identities[member])
            for name, member in rows.items()
        ),
        phi=phi(labels),
        crossing=crossing(splits, identities),
        sets={
            name: tuple(_set_summary(one_of[name], labels[member][:, columns]) for member in rows.values())
            for name, columns in set_columns(one_of, names).items()
        }
        if one_of
        else {},
    )


def phi(labels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute φ of every pair of attributes over the rows in which both are labelled.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.

    Returns:
        ``(A, A)``; NaN where one of the pair is constant over these rows.
    """
    # float32 products of 0/1 matrices count exactly up to 2^24 rows.
    labelled = (~np.isnan(labels)).astype(np.float32)
    ones = np.nan_to_num(labels, nan=0.0)
    n = (labelled.T @ labelled).astype(np.float64)
    x = (ones.T @ labelled).astype(np.float64)  # positives of the row attribute among the pair's labelled rows
    xy = (ones.T @ ones).astype(np.float64)
    spread = np.sqrt(x * (n - x) * x.T * (n - x.T))
    return _ratio(n * xy - x * x.T, spread)


def crossing(splits: NDArray[np.str_], identities: NDArray[np.str_] | None) -> dict[str, tuple[str, ...]]:
    """Identities with images in more than one split, and those splits; unknown identities do not count."""
    if identities is None:
        return {}
    names = {name: set(np.unique(identities[splits == name]).tolist()) for name in SPLITS}
    shared = set().union(*(names[a] & names[b] for a in SPLITS for b in SPLITS if a < b)) - {""}
    return {identity: tuple(s for s in SPLITS if identity in names[s]) for identity in sorted(shared)}


def _summary(name: str, labels: NDArray[np.float32], identities: NDArray[np.str_] | None) -> SplitSummary:
    return SplitSummary(
        name=name,
        count=len(labels),
        positives=np.count_nonzero(labels == 1, axis=0),
        negatives=np.count_nonzero(labels == 0, axis=0),
        unknown=np.count_nonzero(np.isnan(labels), axis=0),
        identities=None if identities is None else len(set(np.unique(identities).tolist()) - {""}),
    )


def _set_summary(outputs: tuple[str, ...], labels: NDArray[np.float32]) -> SetSummary:
    images = np.count_nonzero(labels == 1, axis=0)
    return SetSummary(outputs, images, len(labels) - int(images.sum()))


def _ratio(over: NDArray[Any], under: NDArray[Any]) -> NDArray[np.float64]:
    result = np.full(np.shape(over), np.nan)
    np.divide(over, under, out=result, where=under > 0)
    return result


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 6) for v in values]
