"""Intervals: Wilson's for proportions, quantiles of resamples for others, and MOVER for figures of two groups."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.stats.estimate import LEVEL, Estimate, Floats, Status, undefined

MIN_DEFINED = 0.5
"""Share of resamples in which a figure must be defined for its interval to be defined."""


def wilson(share: ArrayLike, count: ArrayLike, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Compute Wilson's score interval of proportions (statsmodels); NaN where nothing was counted.

    Args:
        share: Proportions, any shape.
        count: Number of images; may be an effective, fractional number.
        level: Confidence level.

    Returns:
        Lower and upper ends.

    >>> low, high = wilson([0.1, 0.0], [50, 50])
    >>> low.round(3), high.round(3)
    (array([0.043, 0.   ]), array([0.214, 0.071]))
    """
    from statsmodels.stats.proportion import proportion_confint

    total, p = np.broadcast_arrays(np.asarray(count, float), np.asarray(share, float))
    defined = np.isfinite(p) & (total > 0)
    n = np.where(defined, total, 1.0)
    low, high = proportion_confint(np.where(defined, p, 0.0) * n, n, alpha=1 - level, method="wilson")
    return np.where(defined, np.clip(low, 0, 1), np.nan), np.where(defined, np.clip(high, 0, 1), np.nan)


def effective_count(
    share: Floats, images: Floats, clusters: Floats, residuals: Floats, squares: Floats, level: float = LEVEL
) -> Floats:
    """Compute the number of independent images that would give a proportion the precision that clustered ones give it.

    The design effect is the variance linearised over clusters, divided by that of a simple random sample (Kish 1965),
    and at least 1; the quotient of the quantiles of Student's t accounts for few clusters (Korn and Graubard 1998).
    Where all answers are the same the variance is no evidence, and the images of a cluster count as one answer.

    Args:
        share: The proportion p.
        images: n.
        clusters: K.
        residuals: Σ_k (x_k - p·n_k)², over clusters with x_k ones among n_k images.
        squares: Σ_k n_k².
        level: Confidence level of the interval that the count is for.

    Returns:
        n/deff·(t_{n-1}/t_{K-1})²; n where every cluster has one image; NaN for fewer than two clusters.

    Example:
        50 people with 4 images each: 10 people are misclassified in all of theirs, the others in none.

        >>> ones = np.repeat([4.0, 0.0], [10, 40])
        >>> residuals = np.sum((ones - 0.2 * 4) ** 2)
        >>> arguments = [np.array(x) for x in (0.2, 200.0, 50.0, residuals, 50 * 4.0**2)]
        >>> effective_count(*arguments).round(1)
        np.float64(47.4)
    """
    from scipy.stats import t

    tail = 1 - (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        clustered = clusters / (clusters - 1) * residuals / images**2
        simple = share * (1 - share) / (images - 1)
        deff = np.where(simple > 0, np.maximum(1.0, clustered / simple), squares / images)
        few = (t.ppf(tail, np.maximum(images - 1, 1)) / t.ppf(tail, np.maximum(clusters - 1, 1))) ** 2
        effective = images / deff * few
    return np.where(clusters >= 2, effective, np.nan)


def quantiles(samples: NDArray[np.floating], level: float = LEVEL) -> tuple[Floats, Floats]:
    """Compute the ends of the percentile interval along the last axis; resamples without a value are left out.

    Args:
        samples: ``(..., R)``, NaN where undefined. It is sorted in place.
        level: Confidence level.

    Returns:
        Lower and upper ends ``(...)``, interpolated as numpy does; NaN where fewer than half are defined.

    >>> quantiles(np.arange(101.0), level=0.9)
    (array(5.), array(95.))
    """
    samples.sort(axis=-1)  # NaN last
    defined = samples.shape[-1] - np.isnan(samples).sum(-1)
    ends = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        position = np.maximum(defined - 1, 0) * share
        below = np.floor(position).astype(int)
        above = np.minimum(below + 1, np.maximum(defined - 1, 0))
        lower = np.take_along_axis(samples, below[..., None], -1)[..., 0].astype(float)
        upper = np.take_along_axis(samples, above[..., None], -1)[..., 0].astype(float)
        end = lower + (upper - lower) * (position - below)
        ends.append(np.where(defined > MIN_DEFINED * samples.shape[-1], end, np.nan))
    return ends[0], ends[1]


def mean_of_two(
    first: Estimate,
    second: Estimate,
    drawn: NDArray[np.floating],
    *,
    identities: int | None,
    method: str,
    level: float = LEVEL,
) -> Estimate:
    """Estimate half the sum of two figures of different images, with an interval from resamples that draw both.

    If a cluster has images in both figures, their errors are correlated, and resamples of clusters account for it. If
    resamples are too uniform to show the error of one figure (see ``degenerate``), the interval is the union of theirs
    and the MOVER interval, which assumes that the two are independent.

    Args:
        first: One figure, with an interval of its own.
        second: The other.
        drawn: ``(2, R)``: both in the same resamples, NaN where undefined.
        identities: Number of clusters in either, each counted once, or None.
        method: The resamples' name in the estimate.
        level: Confidence level.

    Example:
        >>> from bincam.stats.estimate import estimate
        >>> fnr = estimate(0.3, *wilson(0.3, 50), 50, None, "wilson")
        >>> fpr = estimate(0.1, *wilson(0.1, 200), 200, None, "wilson")
        >>> drawn = np.random.default_rng(0).binomial([[50], [200]], [[0.3], [0.1]], (2, 1000)) / [[50], [200]]
        >>> balanced_error = mean_of_two(fnr, fpr, drawn, identities=None, method="bootstrap")
        >>> [round(x, 2) for x in (balanced_error.value, balanced_error.low, balanced_error.high)]
        [0.2, 0.14, 0.27]
    """
    value = (first.value + second.value) / 2
    samples = (drawn[0].astype(float) + drawn[1]) / 2
    return _joined(value, samples, mover_mean(first, second), (first, second), drawn, identities, method, level)


def gap(
    worse: Estimate,
    better: Estimate,
    drawn: NDArray[np.floating],
    *,
    identities: int | None,
    method: str,
    level: float = LEVEL,
) -> Estimate:
    """Estimate ``worse - better``; arguments and interval are those of ``mean_of_two``.

    Example:
        No error in 60 images: resamples of that figure never vary, so the MOVER interval is included.

        >>> from bincam.stats.estimate import estimate
        >>> worse = estimate(0.2, *wilson(0.2, 60), 60, None, "wilson")
        >>> better = estimate(0.0, *wilson(0.0, 60), 60, None, "wilson")
        >>> errors = np.random.default_rng(0).binomial(60, 0.2, 1000) / 60
        >>> result = gap(worse, better, np.stack([errors, 0 * errors]), identities=None, method="bootstrap")
        >>> round(result.value, 2), round(result.low, 2), round(result.high, 2), result.method
        (0.2, 0.1, 0.32, 'union of bootstrap and variance recovery')
    """
    samples = drawn[0].astype(float) - drawn[1]
    mover = mover_gap(worse, better)
    return _joined(worse.value - better.value, samples, mover, (worse, better), drawn, identities, method, level)


def ratio(
    over: Estimate,
    under: Estimate,
    drawn: NDArray[np.floating],
    *,
    identities: int | None,
    method: str,
    level: float = LEVEL,
) -> Estimate:
    """Estimate ``over / under`` of two figures that are not negative; arguments are those of ``mean_of_two``.

    Undefined where a figure is negative or ``under`` is 0. A resample in which only ``under`` is 0 counts as infinite,
    one in which both are 0 as undefined; there is no upper end if the upper quantile is infinite.

    Example:
        >>> from bincam.stats.estimate import estimate
        >>> over = estimate(0.4, *wilson(0.4, 100), 100, None, "wilson")
        >>> under = estimate(0.2, *wilson(0.2, 100), 100, None, "wilson")
        >>> drawn = np.random.default_rng(0).binomial(100, [[0.4], [0.2]], (2, 1000)) / 100
        >>> result = ratio(over, under, drawn, identities=None, method="bootstrap")
        >>> round(result.value, 1), round(result.low, 1), round(result.high, 1)
        (2.0, 1.3, 3.3)
    """
    if not (over.value >= 0 and under.value > 0):
        return undefined(method, over.images + under.images, identities)
    with np.errstate(invalid="ignore", divide="ignore"):
        samples = np.maximum(drawn[0].astype(float), 0) / np.maximum(drawn[1], 0)
    mover = mover_ratio(over, under)
    return _joined(over.value / under.value, samples, mover, (over, under), drawn, identities, method, level)


def degenerate(drawn: NDArray[np.floating], level: float = LEVEL) -> bool:
    """Decide if the resamples of a figure ``(R,)`` are too uniform to show how large its error may be.

    They do not vary, such as those of a rate of 0, or their percentile interval ends at 0 or at 1: with about three
    errors or fewer, many resamples contain none.
    """
    defined = drawn[np.isfinite(drawn)]
    if not defined.size or np.ptp(defined) <= 1e-6 * np.abs(defined).max():
        return True
    tail = (1 - level) / 2
    return bool(max(np.mean(defined == 0), np.mean(defined == 1)) > tail)


def mover_mean(first: Estimate, second: Estimate) -> tuple[float, float]:
    """Compute the MOVER interval of half the sum of two independent figures (Zou and Donner 2008).

    MOVER is the method of variance estimates recovery: it uses the ends of both figures' own intervals.
    """
    value = (first.value + second.value) / 2
    low = value - math.hypot(first.value - first.low, second.value - second.low) / 2
    return low, value + math.hypot(first.high - first.value, second.high - second.value) / 2


def mover_gap(worse: Estimate, better: Estimate) -> tuple[float, float]:
    """Compute the MOVER interval of ``worse - better`` of two independent figures (Newcombe 1998)."""
    value = worse.value - better.value
    low = value - math.hypot(worse.value - worse.low, better.high - better.value)
    return low, value + math.hypot(worse.high - worse.value, better.value - better.low)


def mover_ratio(over: Estimate, under: Estimate) -> tuple[float, float]:
    """Compute the MOVER interval of ``over / under`` of two independent figures (Donner and Zou 2012).

    ``over`` is not negative and ``under`` positive. The upper end is NaN where ``under`` may be 0.
    """
    a, b = over.value, under.value
    c, d = max(over.low, 0.0), max(under.low, 0.0)
    low = _fieller(a * b, c * (2 * a - c), under.high * (2 * b - under.high), -1)
    high = _fieller(a * b, over.high * (2 * a - over.high), d * (2 * b - d), 1) if d > 0 else math.nan
    return low, high


def _fieller(product: float, above: float, below: float, sign: int) -> float:
    """Solve below·r² - 2·product·r + above = 0 for one of its roots, given by the sign."""
    root = product**2 - above * below
    if root < 0 or not math.isfinite(root):
        return math.nan
    return (product + sign * math.sqrt(root)) / below if below else above / (2 * product) if product else math.nan


def _joined(
    value: float,
    samples: Floats,
    mover: tuple[float, float],
    parts: tuple[Estimate, Estimate],
    drawn: NDArray[np.floating],
    identities: int | None,
    method: str,
    level: float,
) -> Estimate:
    """Make an estimate from two of different images: small where one of them is. An end that is not known is NaN."""
    images = parts[0].images + parts[1].images
    if not math.isfinite(value):
        return undefined(method, images, identities)
    with np.errstate(invalid="ignore"):  # between infinite resamples
        ends = [float(end[0]) for end in quantiles(samples[None], level)]
    low, high = (end if math.isfinite(end) else math.nan for end in ends)
    if any(degenerate(figure, level) for figure in drawn):
        method = f"union of {method} and variance recovery"
        low, high = float(np.minimum(low, mover[0])), float(np.maximum(high, mover[1]))  # NaN stays NaN
    status: Status = "ok" if parts[0].status == parts[1].status == "ok" else "small"
    return Estimate(value, low, high, images, identities, status, method)
