"""Estimates of a yes-or-no head that may say "cannot say": its label sets are none, no, yes or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.stats.clustered.means import mean_estimate, means_of_totals
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.proportions import shares_of_totals

Floats = NDArray[np.float64]
CELLS = 8
"""A label, no or yes, with one of four sets."""

_CODES = np.arange(CELLS)
_IS_YES, _HAS_NO, _HAS_YES = _CODES >= 4, _CODES % 4 >= 2, _CODES % 2 == 1
_HIT = np.where(_IS_YES, _HAS_YES, _HAS_NO)
_SIZE = _HAS_NO.astype(int) + _HAS_YES
_ALL = np.ones(CELLS, bool)


@dataclass(frozen=True)
class HeadCoverage:
    """Coverage and size of the label sets of one yes-or-no head.

    Attributes:
        coverage: Share of images whose true answer is in their set.
        size: Mean number of answers; ``size - 1`` is ``several`` less ``empty``.
        empty: Share of images with an empty set.
        several: Share of images of which the head "cannot say": both answers are in the set.
        per_class: Coverage of the images without the attribute, and of those with it.
        several_per_class: Share of these of which the head cannot say: whom abstaining concerns.
        answered: Coverage where there is one answer: how often the head is right where it says something.
        histogram: Images with no, one and two answers.
        unknown: Images without a label.
        undefined: Labelled images without a set.
    """

    coverage: Estimate
    size: Estimate
    empty: Estimate
    several: Estimate
    per_class: tuple[Estimate, Estimate]
    several_per_class: tuple[Estimate, Estimate]
    answered: Estimate
    histogram: tuple[int, int, int]
    unknown: int
    undefined: int


_MEASURES = (  # hits, and the images that they are a share of
    (_HIT, _ALL),
    (_SIZE == 0, _ALL),
    (_SIZE == 2, _ALL),
    *((_HIT, side) for side in (~_IS_YES, _IS_YES)),
    *((_SIZE == 2, side) for side in (~_IS_YES, _IS_YES)),
    (_HIT, _SIZE == 1),
)
_HITS = np.stack([hit & of for hit, of in _MEASURES], 1).astype(float)
_OF = np.stack([of for _, of in _MEASURES], 1).astype(float)


def head_coverage(
    members: NDArray[np.bool_],
    labels: ArrayLike,
    clusters: Clusters,
    *,
    defined: NDArray[np.bool_] | None = None,
    level: float = LEVEL,
) -> HeadCoverage:
    """Estimate coverage and size of the sets of a yes-or-no head, with the intervals of ``set_coverage``.

    ``set_coverage`` gives the same figures of any set of outputs. Here the images are counted once per cluster, label
    and set, so that the heads of a model with many attributes take no longer than reading their scores.

    Args:
        members: ``(N, 2)``: True where no, and yes, is in the image's set; such as those of ``yes_no_scores``.
        labels: ``(N,)``: 1, 0 or NaN.
        clusters: Clusters of the N images.
        defined: ``(N,)``: False for images without a set; None if all have one.
        level: Confidence level.

    Raises:
        InputError: Shapes differ, or a label is not 0, 1 or NaN.

    Example:
        A head that cannot say whether the ten images with the attribute have it:

        >>> from bincam.stats import Clusters
        >>> labels = np.repeat([0.0, 1.0], [90, 10])
        >>> found = head_coverage(np.stack([labels >= 0, labels == 1], 1), labels, Clusters.of([""] * 100))
        >>> found.coverage.value, found.size.value, [share.value for share in found.several_per_class]
        (1.0, 1.1, [0.0, 1.0])
        >>> found.answered.images, found.histogram
        (90, (0, 90, 10))
    """
    held, y, known = _checked(members, labels, clusters)
    usable = known if defined is None else known & defined
    cell = (4 * (y == 1) + 2 * held[:, 0] + held[:, 1])[usable]
    table = _per_cluster(CELLS, cell, usable, clusters)
    # Each column of the totals is contiguous, so that sums over the clusters are fast.
    share = shares_of_totals((_HITS.T @ table).T, (_OF.T @ table).T, known=clusters.known, level=level)
    coverage, empty, several, no, yes, several_no, several_yes, answered = (
        share.estimate(measure) for measure in range(len(_MEASURES))
    )
    by_cell = table.sum(1)
    return HeadCoverage(
        coverage=coverage,
        size=_mean_sizes((_SIZE @ table)[:, None], table.sum(0)[:, None], clusters.known, level)[0],
        empty=empty,
        several=several,
        per_class=(no, yes),
        several_per_class=(several_no, several_yes),
        answered=answered,
        histogram=(int(by_cell[_SIZE == 0].sum()), int(by_cell[_SIZE == 1].sum()), int(by_cell[_SIZE == 2].sum())),
        unknown=int((~known).sum()),
        undefined=int((known & ~usable).sum()),
    )


def head_coverage_by_part(
    members: NDArray[np.bool_],
    labels: ArrayLike,
    codes: NDArray[np.int64],
    parts: int,
    clusters: Clusters,
    *,
    defined: NDArray[np.bool_] | None = None,
    level: float = LEVEL,
) -> list[tuple[Estimate, Estimate]]:
    """Estimate coverage and mean size of the sets of a yes-or-no head in disjoint parts of the images.

    Args:
        members: ``(N, 2)``, as for ``head_coverage``.
        labels: ``(N,)``.
        codes: ``(N,)``: index of the image's part; negative for none.
        parts: Number of parts.
        clusters: Clusters of the N images.
        defined: ``(N,)``, as for ``head_coverage``.
        level: Confidence level.

    Returns:
        Coverage and mean size of each part, as ``coverage_by_slice`` gives them.

    Raises:
        InputError: Shapes differ, or a label is not 0, 1 or NaN.

    Example:
        >>> from bincam.stats import Clusters
        >>> sets = np.array([[True, False], [True, False], [True, True], [False, True]])
        >>> found = head_coverage_by_part(sets, [0, 1, 1, 1], np.array([0, 0, 1, 1]), 2, Clusters.of([""] * 4))
        >>> [(coverage.value, size.value) for coverage, size in found]
        [(0.5, 1.0), (1.0, 1.5)]
    """
    held, y, known = _checked(members, labels, clusters)
    inside = known & (codes >= 0) if defined is None else known & (codes >= 0) & defined
    count = clusters.count
    cell = (4 * (y == 1) + 2 * held[:, 0] + held[:, 1])[inside]
    at = (cell * parts + codes[inside]) * count + clusters.codes[inside]
    table = np.bincount(at, minlength=CELLS * parts * count).reshape(CELLS, parts * count).astype(float)
    hits, sizes, total = ((of @ table).reshape(parts, count).T for of in (_HIT.astype(float), np.ones(CELLS), _SIZE))
    share = shares_of_totals(hits, sizes, known=clusters.known, level=level)
    means = _mean_sizes(total, sizes, clusters.known, level)
    return [(share.estimate(part), means[part]) for part in range(parts)]


def _checked(
    members: NDArray[np.bool_], labels: ArrayLike, clusters: Clusters
) -> tuple[NDArray[np.bool_], NDArray[np.floating], NDArray[np.bool_]]:
    held, y = np.asarray(members), np.asarray(labels)
    if held.shape != (len(y), 2) or held.dtype != bool or y.ndim != 1 or len(clusters.codes) != len(y):
        raise InputError(
            f"expected sets (N, 2) of True and False, labels (N,) and clusters of as many images, got {held.dtype} "
            f"{held.shape}, {y.shape} and clusters of {len(clusters.codes)}"
        )
    known = ~np.isnan(y)
    wrong = np.flatnonzero(known & (y != 0) & (y != 1))
    if len(wrong):
        raise InputError(f"label of image {wrong[0]} is {y[wrong[0]]:g}; expected 0, 1 or NaN")
    return held, y, known


def _per_cluster(
    cells: int, cell: NDArray[np.integer], rows: NDArray[np.bool_], clusters: Clusters
) -> NDArray[np.float64]:
    """Count the images of each cell and cluster, ``(cells, K)``."""
    count = clusters.count
    return np.bincount(cell * count + clusters.codes[rows], minlength=cells * count).reshape(cells, count).astype(float)


def _mean_sizes(total: Floats, size: Floats, known: bool, level: float) -> list[Estimate]:
    value, low, high, images, people, *_ = means_of_totals(total, size, (0.0, 2.0), level)
    identities = people.tolist() if known else [None] * len(value)
    ends = zip(value.tolist(), low.tolist(), high.tolist(), images.tolist(), identities, strict=True)
    return [mean_estimate(*figures, known) for figures in ends]
