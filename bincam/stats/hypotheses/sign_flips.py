"""Distribution of a sum of clusters' contributions whose signs are random, and the differences that it would show.

Under the hypothesis of no difference a cluster's contribution is as likely positive as negative. The distribution over
all signs needs neither a normal nor a large sample, so tests of few people keep their level without losing their power.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POWER = 0.8
"""Share of audits in which a detectable difference is found."""

MANY = 100.0
"""With a greater effective number of clusters the distribution is that of Student's t with the same kurtosis."""

LARGEST = 200
"""Number of the largest contributions whose signs are counted; the sum of the others is taken as normal."""

DRAWS = 9999
"""Number of random signs where several sums are tested at once and there are too many signs to count."""

_STEPS = 2000  # of the grid on which sums are counted, from 0 to the greatest possible one
_COUNTED = 13  # clusters of which all signs are counted where several sums are tested at once


def effective_clusters(contributions: Floats) -> float:
    """Compute the number of equal clusters with the kurtosis of these, (Σu²)²/Σu⁴; 0 where all are 0.

    >>> effective_clusters(np.array([1.0, -1.0, 1.0, 0.0]))
    3.0
    """
    squares = contributions**2
    return float(squares.sum() ** 2 / (squares**2).sum()) if squares.any() else 0.0


def tail(contributions: Floats, observed: float, *, greater: bool = False) -> float:
    """Compute the probability that the sum of contributions with random signs is at least as far from 0 as observed.

    Args:
        contributions: ``(K,)``: u.
        observed: The observed sum, or a smaller one to be stricter.
        greater: Count only sums that are at least ``observed``, with its sign.

    Example:
        Five equal contributions of the same sign: two of 32 choices of signs give a sum of 5 or -5.

        >>> round(tail(np.ones(5), 5.0), 4), round(tail(np.ones(5), 5.0, greater=True), 4)
        (0.0625, 0.0312)
    """
    from scipy import stats

    u = np.sort(np.abs(contributions[contributions != 0]))[::-1]
    if not len(u):
        return 1.0
    effective = effective_clusters(u)
    if effective > MANY:
        standardised = observed / math.sqrt(float((u**2).sum()))
        degrees = 3 * effective - 2  # T²/ν is beta-distributed with the kurtosis of the sum, 3 - 2/effective
        inside = degrees - standardised**2
        t = math.copysign(math.inf, standardised) if inside <= 0 else standardised * math.sqrt((degrees - 1) / inside)
        return float(stats.t.sf(t, degrees - 1) if greater else 2 * stats.t.sf(abs(t), degrees - 1))
    step, chance = _counted(u[:LARGEST])
    sums = (np.arange(len(chance)) - len(chance) // 2) * step
    rest = math.sqrt(float((u[LARGEST:] ** 2).sum()))
    end = observed if greater else abs(observed)
    if rest > step:
        above = stats.norm.sf((end - sums) / rest)
        below = 0.0 if greater else stats.norm.cdf((-end - sums) / rest)
        return float(min(1.0, (chance * (above + below)).sum()))
    reached = (sums if greater else np.abs(sums)) >= end - step / 2
    return float(min(1.0, chance[reached].sum()))


def _counted(sizes: Floats) -> tuple[float, Floats]:
    """Count the sums ±size ± ... on a grid, by convolution; return its step and the chance of each point."""
    step = float(sizes.sum()) / _STEPS
    chance = np.ones(1)
    for cells in np.rint(sizes / step).astype(int):
        if cells:
            wider = np.zeros(len(chance) + 2 * cells)
            wider[: len(chance)] += chance / 2
            wider[2 * cells :] += chance / 2
            chance = wider
    return step, chance


def joint_tail(contributions: Floats, observed: float) -> float:
    """Compute the probability that random signs give several sums a distance of at least ``observed`` from 0.

    Args:
        contributions: ``(K, D)``: each cluster has one sign for all its D contributions.
        observed: The squared distance sᵀ(Σuuᵀ)⁻¹s of the observed sums s, or a smaller one.

    Returns:
        Counted over all signs of up to 13 clusters, else over ``DRAWS`` random ones from a fixed seed.

    >>> u = np.eye(3).repeat(2, 0)[:, :2]
    >>> joint_tail(u, 4.0)  # both sums have equal signs in a quarter of the cases
    0.25
    """
    u = contributions[(contributions != 0).any(1)]
    K = len(u)
    if K <= _COUNTED:
        signs = 1 - 2 * (np.arange(2**K)[:, None] >> np.arange(K) & 1)
    else:
        signs = 2 * np.random.default_rng(0).integers(0, 2, (DRAWS, K), np.int8) - 1
    sums = signs.astype(float) @ u
    distance = np.einsum("rd,rd->r", sums @ np.linalg.inv(u.T @ u), sums)
    reached = int((distance >= observed * (1 - 1e-9)).sum())
    return reached / len(signs) if K <= _COUNTED else (1 + reached) / (1 + DRAWS)


def detectable(
    error: float,
    clusters: int,
    effective: float,
    level: float,
    *,
    sides: int = 2,
    groups: int = 2,
    unit: float = 0.0,
) -> float:
    """Compute the smallest true difference that such a test would find in ``POWER`` of all audits.

    Args:
        error: Standard error of the difference under the hypothesis.
        clusters: Number of clusters.
        effective: Effective number of clusters, at most their number.
        level: Level of the test, after correction for the number of tests.
        sides: 1 or 2.
        groups: Number of groups that are compared at once.
        unit: Variance that a difference of 1 adds, for counts of rare events: e² + difference·unit.

    Returns:
        In the units of the error. NaN without an error; infinite where no difference, however large, reaches the level,
        because few clusters have few signs.

    >>> round(detectable(0.05, 1000, 1000, 0.05), 3)  # 2.8 standard errors
    0.14
    >>> detectable(0.05, 5, 5, 0.05)  # if all five have the same sign, p is 2/32
    inf
    """
    from scipy import stats

    if not math.isfinite(error) or not effective > 0:
        return math.nan
    if sides * 0.5**clusters > level:
        return math.inf
    if groups > 2:
        distance = _noncentrality(groups - 1, level, effective)
    else:
        degrees = max(3 * effective - 3, 1.0)
        t = float(stats.t.isf(level / sides, degrees))
        distance = (t * math.sqrt((degrees + 1) / (degrees + t**2)) + float(stats.norm.ppf(POWER))) ** 2
    return (distance * unit + math.sqrt((distance * unit) ** 2 + 4 * distance * error**2)) / 2


def _noncentrality(dimensions: int, level: float, effective: float) -> float:
    """Compute the squared distance, in standard errors, at which a test of several sums reaches ``POWER``."""
    from scipy import optimize, stats

    needed = dimensions * float(stats.f.isf(level, dimensions, max(effective, 1.0)))
    return float(optimize.brentq(lambda x: stats.ncx2.sf(needed, dimensions, x) - POWER, 1e-9, 50 + 10 * needed))
