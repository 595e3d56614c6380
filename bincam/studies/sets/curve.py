"""Coverage against size at every threshold: the one curve on which average-K and LAC are points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.postprocessing.label_sets import Floats, row_blocks

POINTS = 101
"""Points of a curve, one for each percent of coverage; a quarter as many further ones divide the last two percent."""


@dataclass(frozen=True, eq=False)
class SizeCoverage:
    """The curve of judged images, from no label to a size at which every true label is in its set.

    Attributes:
        size: ``(P,)``: mean number of labels, ascending.
        coverage: ``(P,)``: of all images.
        minority: ``(P,)``: mean over the outputs of few samples of their coverage; NaN without any.
        majority: ``(P,)``: mean over the others.
        images: Labelled images with finite scores.
    """

    size: NDArray[np.float64]
    coverage: NDArray[np.float64]
    minority: NDArray[np.float64]
    majority: NDArray[np.float64]
    images: int

    def to_json(self) -> dict[str, Any]:
        """Return the curve as JSON has it: None for NaN."""
        names = ("size", "coverage", "minority", "majority")
        curves = {name: np.round(getattr(self, name), 6) for name in names}
        return {
            "images": self.images,
            **{name: [None if np.isnan(one) else one for one in curve.tolist()] for name, curve in curves.items()},
        }


def size_coverage(scores: Floats, true: NDArray[np.int64], few: ArrayLike) -> SizeCoverage:
    """Compute the curve of scores.

    The thresholds are quantiles of the scores of true labels, so that the curve has its points where coverage changes.

    Args:
        scores: ``(N, K)``; rows with one that is not finite are left out.
        true: ``(N,)``: indices of the true labels, -1 where unknown.
        few: ``(K,)``: True for the outputs of few samples.

    Example:
        >>> curve = size_coverage(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]), [False, True])
        >>> curve.coverage[[0, -1]].tolist(), curve.size[[0, -1]].tolist(), curve.minority[[0, -1]].tolist()
        ([0.0, 1.0], [0.0, 1.5], [0.0, 1.0])
    """
    usable = np.flatnonzero((true >= 0) & np.isfinite(scores).all(1))
    p, y, rare = scores[usable], true[usable], np.asarray(few, bool)
    n = len(y)
    if not n:
        none = np.zeros(0)
        return SizeCoverage(none, none, none, none, 0)
    own = p[np.arange(n), y]
    shares = np.concatenate(
        [np.linspace(0, 1, POINTS), np.linspace(0, 0.02, POINTS // 4)]
    )  # finer where few are missed
    ranks = np.unique((shares * (n - 1)).round().astype(np.int64))
    ascending = np.unique(np.partition(own, ranks)[ranks])  # the thresholds
    kept = np.zeros(len(ascending) + 1, np.int64)
    for block in row_blocks(*p.shape):  # the number of thresholds that each score reaches
        kept += np.bincount(np.searchsorted(ascending, p[block].ravel(), side="right"), minlength=len(kept))
    size = kept[::-1].cumsum()[-2::-1] / n
    reached = np.searchsorted(ascending, own, side="right")
    per_class = np.zeros((p.shape[1], len(kept)), np.int64)
    np.add.at(per_class, (y, reached), 1)
    covered = per_class[:, ::-1].cumsum(1)[:, -2::-1]  # (K, thresholds): labels that reach each
    images = per_class.sum(1)

    def mean_of(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        present = np.flatnonzero(chosen & (images > 0))
        if not len(present):
            return np.full(len(ascending), np.nan)
        return np.asarray((covered[present] / images[present, None]).mean(0))

    parts = [size, covered.sum(0) / n, mean_of(rare), mean_of(~rare)]
    size, coverage, minority, majority = (
        np.append(part, 0.0 if np.isfinite(part).any() else np.nan)[::-1] for part in parts
    )
    return SizeCoverage(size, coverage, minority, majority, n)
