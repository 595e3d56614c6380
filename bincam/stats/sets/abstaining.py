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
    held, y = np.asarray(members), np.asarray(labels, np.float64)
    if held.shape != (len(y), 2) or held.dtype != bool or y.ndim != 1 or len(clusters.codes) != len(y):
        raise InputError(
            f"expected sets (N, 2) of True and False, labels (N,) and clusters of as many images, got {held.dtype} "
            f"{held.shape}, {y.shape} and clusters of {len(clusters.codes)}"
        )
    known = ~np.isnan(y)
    wrong = np.flatnonzero(known & (y != 0) & (y != 1))
    if len(wrong):
        raise InputError(f"label of image {wrong[0]} is {y[wrong[0]]:g}; expected 0, 1 or NaN")
    usable = known if defined is None else known & defined
    cell = (4 * (y == 1) + 2 * held[:, 0] + held[:, 1])[usable]
    counts = np.bincount(clusters.codes[usable] * CELLS + cell, minlength=clusters.count * CELLS)
    table = counts.reshape(-1, CELLS).astype(float)
    share = shares_of_totals(table @ _HITS, table @ _OF, known=clusters.known, level=level)
    coverage, empty, several, no, yes, several_no, several_yes, answered = (
        share.estimate(measure) for measure in range(len(_MEASURES))
    )
    by_cell = table.sum(0)
    return HeadCoverage(
        coverage=coverage,
        size=_mean_size(table, clusters.known, level),
        empty=empty,
        several=several,
        per_class=(no, yes),
        several_per_class=(several_no, several_yes),
        answered=answered,
        histogram=(int(by_cell[_SIZE == 0].sum()), int(by_cell[_SIZE == 1].sum()), int(by_cell[_SIZE == 2].sum())),
        unknown=int((~known).sum()),
        undefined=int((known & ~usable).sum()),
    )


def _mean_size(table: Floats, known: bool, level: float) -> Estimate:
    value, low, high, images, people, *_ = means_of_totals(
        table @ _SIZE[:, None].astype(float), table.sum(1, keepdims=True), (0.0, 2.0), level
    )
    identities = int(people[0]) if known else None
    return mean_estimate(float(value[0]), float(low[0]), float(high[0]), int(images[0]), identities, known)
