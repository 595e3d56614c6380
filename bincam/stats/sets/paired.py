"""Paired differences between two models on the same images of a set: of mean rates over outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.contributions import corrected, correlation
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.intervals import MOVER, gap
from bincam.stats.sets.mean_rates import mean_rate

Floats = NDArray[np.float64]


def paired_mean_rates(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    true: NDArray[np.integer],
    outputs: Sequence[int],
    clusters: Clusters,
    level: float = LEVEL,
) -> Estimate:
    """Estimate the difference, first minus second, of two mean rates over outputs, such as minority errors.

    As for ``paired_shares``, only images on which the two differ decide: the difference is the mean rate of images that
    are wrong by the first model alone minus that of the second alone, each with the interval of ``mean_rate``, joined
    by MOVER with the correlation of the two over clusters.

    Args:
        first: ``(N,)``: 1 where the first model is wrong, 0 where right, NaN where unknown.
        second: The same of the second model; images where either is NaN are left out.
        true: ``(N,)``: index of the true output; negative where unknown.
        outputs: The outputs to average.
        clusters: Clusters of the N images.
        level: Confidence level.

    Example:
        >>> from bincam.stats import Clusters
        >>> true = np.repeat([0, 1], 50)
        >>> first, second = np.repeat([1.0, 0.0, 1.0, 0.0], [20, 30, 10, 40]), np.repeat([1.0, 0.0], [10, 90])
        >>> difference = paired_mean_rates(first, second, true, [0, 1], Clusters.of([""] * 100))
        >>> round(difference.value, 2), round(difference.low, 2), round(difference.high, 2)
        (0.2, 0.12, 0.29)
    """
    both = np.isfinite(first) & np.isfinite(second) & np.isin(true, np.asarray(list(outputs), np.int64))
    if not both.any():
        return undefined(MOVER)
    alone = [np.where(both, sign * (first - second) > 0, np.nan) for sign in (1, -1)]
    parts = [mean_rate(values, true, outputs, clusters, level) for values in alone]
    joint = correlation(*(_totals(values, true, outputs, clusters) for values in alone))
    difference = gap(*parts, correlation=joint, identities=parts[0].identities, method=MOVER)
    return replace(difference, images=parts[0].images)


def _totals(values: Floats, true: NDArray[np.integer], outputs: Sequence[int], clusters: Clusters) -> Floats:
    """What each cluster contributes to the mean rate over outputs."""
    total = np.zeros(clusters.count)
    for a in outputs:
        own = np.flatnonzero(np.isfinite(values) & (true == a))
        if len(own):
            sizes = np.bincount(clusters.codes[own], minlength=clusters.count).astype(float)
            hits = np.bincount(clusters.codes[own], values[own], clusters.count)
            n = len(own)
            total += np.nan_to_num(corrected((hits - hits.sum() / n * sizes) / n, sizes / n))
    return total
