"""Intervals: Wilson's for proportions, MOVER for figures of two groups, and quantiles of resamples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from bincam.stats.estimate import LEVEL, Estimate, Floats, Status, undefined

MOVER = "variance recovery"
"""The name of intervals of figures of two groups."""


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
    defined = np.isfinite(p) & np.isfinite(total) & (total > 0)
    n = np.where(defined, total, 1.0)
    low, high = proportion_confint(np.where(defined, p, 0.0) * n, n, alpha=1 - level, method="wilson")
    low, high = np.where(p <= 0, 0.0, np.clip(low, 0, 1)), np.where(p >= 1, 1.0, np.clip(high, 0, 1))
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def effective_count(
    share: Floats,
    images: Floats,
    clusters: Floats,
    residuals: Floats,
    squares: Floats,
    level: float = LEVEL,
    fourths: Floats | None = None,
) -> Floats:
    """Compute the number of independent images that would give a proportion the precision that clustered ones give it.

    The design effect is the variance linearised over clusters, divided by that of a simple random sample (Kish 1965),
    and at least 1; a quotient of quantiles of Student's t accounts for few clusters (Korn and Graubard 1998).
    Deviations, chosen by simulation (``experiments/statistics``):

    - The degrees of freedom are the effective number of clusters that decide, (Σr²)²/Σr⁴, instead of K - 1: where three
      people account for all errors, the design effect is an estimate from three.
    - That quotient applies to the part of the variance which is estimated, √(1 - 1/deff), but at least to half of it.
    - Images of a cluster are at best independent and at worst one answer, so the number is at least
      (Σn)²/Σn²·(t_{n-1}/t_{K-1})², unless the design effect says less. Where all answers are the same the variance is
      no evidence, and it is this number.

    Args:
        share: The proportion p.
        images: n.
        clusters: K.
        residuals: Σ_k r_k², with r_k = x_k - p·n_k over clusters with x_k ones among n_k images.
        squares: Σ_k n_k².
        level: Confidence level of the interval that the count is for.
        fourths: Σ_k r_k⁴; without it the degrees of freedom are K - 1.

    Returns:
        The effective number; n where every cluster has one image; NaN for fewer than two clusters.

    Example:
        50 people with 4 images each: 10 people are misclassified in all of theirs, the others in none.

        >>> ones = np.repeat([4.0, 0.0], [10, 40])
        >>> r = ones - 0.2 * 4
        >>> arguments = [np.array(x) for x in (0.2, 200.0, 50.0, (r**2).sum(), 50 * 4.0**2)]
        >>> effective_count(*arguments, fourths=(r**4).sum()).round(1)
        np.float64(48.1)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = clusters / (clusters - 1) * residuals / images**2
        simple = share * (1 - share) / (images - 1)
        deciding = clusters - 1 if fourths is None else residuals**2 / fourths
    kish = np.divide(images**2, squares, out=np.zeros(np.shape(images)), where=np.asarray(squares) > 0)
    return effective_number(share, variance, simple, deciding, images, clusters, kish, level)


def effective_number(
    share: ArrayLike,
    variance: ArrayLike,
    simple: ArrayLike,
    deciding: ArrayLike,
    images: ArrayLike,
    clusters: ArrayLike,
    kish: ArrayLike,
    level: float = LEVEL,
) -> Floats:
    """Compute the effective number of images of ``effective_count`` from variances; a mean of proportions has one, too.

    Args:
        share: The proportion or mean of proportions.
        variance: Its variance over clusters.
        simple: Its variance if all images were independent, which the variance is never below.
        deciding: Effective number of clusters that decide.
        images: Number of images.
        clusters: Number of clusters K.
        kish: Effective number of clusters by size, (Σn)²/Σn².
        level: Confidence level.

    Returns:
        NaN for fewer than two clusters.
    """
    from scipy.special import stdtrit

    p, n, K = (np.asarray(x, float) for x in (share, images, clusters))
    tail = 1 - (1 - level) / 2

    def few(freedom: ArrayLike) -> Floats:
        least = np.clip(np.nan_to_num(freedom, nan=1.0, posinf=1.0), 1, np.maximum(K - 1, 1))
        result: Floats = (stdtrit(np.maximum(n - 1, 1), tail) / stdtrit(least, tail)) ** 2
        return result

    worst = np.asarray(kish, float) * few(K - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.fmax(variance, simple)
        independent = np.where(spread > 0, p * (1 - p) / spread, worst)
        # A proportion's simple variance has the divisor n - 1, and its effective number is n.
        independent = independent * n / np.maximum(n - 1, 1)
        estimated = np.maximum(0.5, np.sqrt(np.clip(1 - np.asarray(simple) / spread, 0, 1)))
        number = independent / (1 + (1 / few(deciding) - 1) * np.nan_to_num(estimated, nan=1.0))
        number = np.maximum(number, np.minimum(independent, worst))
    known = (p > 0) & (p < 1) & (spread > 0)
    return np.where(K >= 2, np.where(known, number, worst), np.nan)


def mean_of_two(
    first: Estimate, second: Estimate, *, correlation: float = 0.0, identities: int | None, method: str = MOVER
) -> Estimate:
    """Estimate half the sum of two figures of different images, with the MOVER interval.

    Args:
        first: One figure, with an interval of its own.
        second: The other.
        correlation: The correlation of their errors, such as ``clustered.contributions.correlation``: people with
            images in both figures make it differ from 0.
        identities: Number of clusters in either, each counted once, or None.
        method: The interval's name in the estimate.

    Example:
        >>> from bincam.stats.estimate import estimate
        >>> fnr = estimate(0.3, *wilson(0.3, 50), 50, None, "wilson")
        >>> fpr = estimate(0.1, *wilson(0.1, 200), 200, None, "wilson")
        >>> balanced_error = mean_of_two(fnr, fpr, identities=None)
        >>> [round(x, 2) for x in (balanced_error.value, balanced_error.low, balanced_error.high)]
        [0.2, 0.14, 0.27]
    """
    value = (first.value + second.value) / 2
    return _joined(value, mover_mean(first, second, correlation), (first, second), identities, method)


def gap(
    worse: Estimate, better: Estimate, *, correlation: float = 0.0, identities: int | None, method: str = MOVER
) -> Estimate:
    """Estimate ``worse - better``; arguments and interval are those of ``mean_of_two``.

    Example:
        No error in 60 images, which leaves room for some:

        >>> from bincam.stats.estimate import estimate
        >>> worse = estimate(0.2, *wilson(0.2, 60), 60, None, "wilson")
        >>> better = estimate(0.0, *wilson(0.0, 60), 60, None, "wilson")
        >>> result = gap(worse, better, identities=None)
        >>> round(result.value, 2), round(result.low, 2), round(result.high, 2), result.method
        (0.2, 0.1, 0.32, 'variance recovery')
    """
    value = worse.value - better.value
    return _joined(value, mover_gap(worse, better, correlation), (worse, better), identities, method)


def ratio(
    over: Estimate, under: Estimate, *, correlation: float = 0.0, identities: int | None, method: str = MOVER
) -> Estimate:
    """Estimate ``over / under`` of two figures that are not negative; arguments are those of ``mean_of_two``.

    Undefined where a figure is negative or ``under`` is 0. There is no upper end where ``under`` may be 0.

    Example:
        >>> from bincam.stats.estimate import estimate
        >>> over = estimate(0.4, *wilson(0.4, 100), 100, None, "wilson")
        >>> under = estimate(0.2, *wilson(0.2, 100), 100, None, "wilson")
        >>> result = ratio(over, under, identities=None)
        >>> round(result.value, 1), round(result.low, 1), round(result.high, 1)
        (2.0, 1.3, 3.2)
    """
    if not (over.value >= 0 and under.value > 0):
        return undefined(method, over.images + under.images, identities)
    return _joined(over.value / under.value, mover_ratio(over, under, correlation), (over, under), identities, method)


def mover_mean(first: Estimate, second: Estimate, correlation: float = 0.0) -> tuple[float, float]:
    """Compute the MOVER interval of half the sum of two figures (Zou and Donner 2008).

    MOVER is the method of variance estimates recovery: it uses the ends of both figures' own intervals.
    ``correlation`` is that of their errors, 0 if they are independent.
    """
    value = (first.value + second.value) / 2
    below = first.value - first.low, second.value - second.low
    above = first.high - first.value, second.high - second.value
    return value - hypotenuse(*below, correlation) / 2, value + hypotenuse(*above, correlation) / 2


def mover_gap(worse: Estimate, better: Estimate, correlation: float = 0.0) -> tuple[float, float]:
    """Compute the MOVER interval of ``worse - better`` (Newcombe 1998; with a correlation Zou and Donner 2008)."""
    value = worse.value - better.value
    below = worse.value - worse.low, better.high - better.value
    above = worse.high - worse.value, better.value - better.low
    return value - hypotenuse(*below, -correlation), value + hypotenuse(*above, -correlation)


def hypotenuse(a: float, b: float, correlation: float) -> float:
    """Add two standard errors, or two distances to the ends of intervals, whose errors are correlated.

    >>> hypotenuse(3.0, 4.0, 0.0), hypotenuse(3.0, 4.0, 1.0)
    (5.0, 7.0)
    """
    return math.sqrt(max(a**2 + b**2 + 2 * correlation * a * b, 0.0))


def mover_ratio(over: Estimate, under: Estimate, correlation: float = 0.0) -> tuple[float, float]:
    """Compute the MOVER interval of ``over / under`` of two figures (Donner and Zou 2012).

    ``over`` is not negative and ``under`` positive; ``correlation`` is that of their errors, 0 if they are independent.
    The upper end is NaN where ``under`` may be 0.
    """
    a, b = over.value, under.value
    c, d = max(over.low, 0.0), max(under.low, 0.0)
    joint = correlation * (a - c) * (under.high - b), correlation * (over.high - a) * (b - d)
    low = _fieller(a * b - joint[0], c * (2 * a - c), under.high * (2 * b - under.high), -1)
    high = _fieller(a * b - joint[1], over.high * (2 * a - over.high), d * (2 * b - d), 1) if d > 0 else math.nan
    return low, high


def _fieller(product: float, above: float, below: float, sign: int) -> float:
    """Solve below·r² - 2·product·r + above = 0 for one of its roots, given by the sign."""
    root = product**2 - above * below
    if root < 0 or not math.isfinite(root):
        return math.nan
    return (product + sign * math.sqrt(root)) / below if below else above / (2 * product) if product else math.nan


def _joined(
    value: float,
    ends: tuple[float, float],
    parts: tuple[Estimate, Estimate],
    identities: int | None,
    method: str,
) -> Estimate:
    """Make an estimate from two of different images: small where one of them is. An end that is not known is NaN."""
    images = parts[0].images + parts[1].images
    if not math.isfinite(value):
        return undefined(method, images, identities)
    status: Status = "ok" if parts[0].status == parts[1].status == "ok" else "small"
    return Estimate(value, *ends, images, identities, status, method)
