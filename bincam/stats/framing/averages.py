"""Means over images with clustered intervals, in the form that figures of framing need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.means import overall_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.proportions import shares


def share(values: NDArray[np.floating], clusters: Clusters, level: float = LEVEL) -> Estimate:
    """Estimate the share of ones among values ``(N,)`` of 1, 0 and NaN, with Wilson's interval.

    >>> share(np.array([1.0, 0.0, np.nan, 1.0]), Clusters.of([""] * 4)).images
    3
    """
    return shares(values, np.isfinite(values), clusters, level).estimate()


def mean(
    values: NDArray[np.floating],
    clusters: Clusters,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = LEVEL,
) -> Estimate:
    """Estimate the mean of values ``(N,)``, NaN where undefined, with a clustered t interval within the bounds.

    >>> round(mean(np.arange(30) / 30, Clusters.of([""] * 30)).value, 3)
    0.483
    """
    return means(values[:, None], clusters, bounds, level)[0]


def means(
    values: NDArray[np.floating],
    clusters: Clusters,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = LEVEL,
) -> list[Estimate]:
    """Estimate the means of the columns of values ``(N, C)``, as ``mean``."""
    result = overall_means(np.asarray(values, np.float64), clusters, bounds, level)
    return [result.estimate(0, column) for column in range(values.shape[1])]
