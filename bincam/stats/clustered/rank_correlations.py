"""Rank correlation of two values over images, with an interval over clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bincam.errors import InputError
from bincam.stats.clustered.means import mean_estimate
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats

METHOD = "jackknife over clusters, Fisher's z"
FEWEST = 4
"""Clusters below which there is no interval: leaving one out has to leave a correlation of at least three."""


def rank_correlation(first: ArrayLike, second: ArrayLike, clusters: Clusters, level: float = LEVEL) -> Estimate:
    """Estimate Spearman's rank correlation over images, ties at their mean rank.

    The interval is that of the jackknife over clusters (Tukey's pseudo-values) on the scale of Fisher's z = artanh ρ,
    with Student's t of K - 1 degrees of freedom.

    Args:
        first: ``(N,)``; NaN where undefined.
        second: ``(N,)``.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        The estimate: undefined with fewer than three images or a constant, small without an interval with fewer than
        four clusters or a correlation of exactly -1 or 1.

    Raises:
        InputError: The shapes differ.

    Example:
        >>> import numpy as np
        >>> first = np.arange(30.0)
        >>> found = rank_correlation(first, (first - 8) ** 2, Clusters.of([""] * 30))
        >>> round(found.value, 2), found.low < found.value < found.high
        (0.82, True)
    """
    from scipy.special import stdtrit

    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.shape != y.shape or x.shape != clusters.codes.shape:
        raise InputError(f"expected two times {clusters.codes.shape} values, got {x.shape} and {y.shape}")
    used = np.isfinite(x) & np.isfinite(y)
    x, y, codes = x[used], y[used], clusters.codes[used]
    people = np.unique(codes)
    value = _spearman(x, y)
    low = high = np.nan
    if len(people) >= FEWEST and abs(value) < 1:
        z = np.arctanh(value)
        with np.errstate(divide="ignore"):
            others = np.arctanh([_spearman(x[codes != one], y[codes != one]) for one in people])
        count = len(people)
        pseudo = count * z - (count - 1) * others
        error = np.std(pseudo, ddof=1) / np.sqrt(count) if np.isfinite(pseudo).all() else np.nan
        reach = float(stdtrit(count - 1, (1 + level) / 2)) * error
        low, high = np.tanh(z - reach), np.tanh(z + reach)
    known = len(people) if clusters.known else None
    return mean_estimate(value, low, high, len(x), known, clusters.known, METHOD)


def _spearman(x: Floats, y: Floats) -> float:
    """NaN for fewer than three values and for constants."""
    from scipy.stats import rankdata

    if len(x) < 3:
        return np.nan
    a, b = (ranks - ranks.mean() for ranks in (rankdata(x), rankdata(y)))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / scale, -1, 1)) if scale > 0 else np.nan
