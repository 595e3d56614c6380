"""Signed calibration error, and slope and intercept of a logistic recalibration, with intervals over clusters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.outcomes import is_usable
from bincam.stats.proportions import Shares, shares, shares_of_totals

Floats = NDArray[np.float64]

METHOD = "jackknife over clusters"
"""Method of the intervals of slope and intercept, and of the signed error."""

SURPRISES = f"{METHOD}, and Wilson of surprises"

_STEPS, _HALVINGS = 100, 60


@dataclass(frozen=True)
class Recalibration:
    """Logistic regression of the label on the logit (Cox 1958).

    Attributes:
        slope: 1 for calibrated logits; below 1 they are too extreme, above 1 too moderate.
        intercept: 0 for calibrated logits of slope 1: log-odds of positives where the logit is 0.
        reason: The reason why both are undefined; empty where they are defined.
    """

    slope: Estimate
    intercept: Estimate
    reason: str = ""


def signed_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.floating], clusters: Clusters, level: float = LEVEL
) -> Estimate:
    """Estimate the signed calibration error, mean(p - y): positive where positives are predicted too often.

    The variance is that of the jackknife over clusters, Σ_k (Σ_{i in k} (e_i - ē)/(1 - n_k/n))²/n² for e = p - y, with
    Student's t of ``degrees_of_freedom``. A model that errs rarely, but surely, may have no error in a sample. An end
    is therefore at least as far from the value as Wilson's upper end is from the share of surprises that would move it
    there: of images with p - y > ½ for the upper end, p - y < -½ for the lower one (ours).

    Args:
        probabilities: ``(N,)``; NaN is left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        level: Confidence level.

    Example:
        >>> from bincam.stats import Clusters
        >>> labels = (np.arange(100) < 70).astype(float)
        >>> error = signed_error(np.full(100, 0.9), labels, Clusters.of([""] * 100))
        >>> round(error.value, 2), round(error.low, 2), round(error.high, 2)
        (0.2, 0.11, 0.3)
    """
    kept = np.flatnonzero(is_usable(labels, probabilities))
    codes = clusters.codes[kept]
    people = len(np.unique(codes))
    known = people if clusters.known else None
    if not len(kept):
        return undefined(SURPRISES, 0, known)
    excess = probabilities[kept].astype(float) - (labels[kept] > 0)
    n, value = len(kept), float(excess.mean())
    if people < 2:
        return estimate(value, math.nan, math.nan, n, known, SURPRISES)
    size = np.bincount(codes).astype(float)
    total = np.asarray(np.bincount(codes, excess - value), float)
    alone = float(((excess - value) ** 2).mean())
    surprises = np.stack([excess < -0.5, excess > 0.5], -1).astype(float)
    share = shares(surprises, np.ones_like(surprises, bool), Clusters(codes, clusters.known), level)
    return _signed(value, size, total, alone, share, known, level)


def signed_error_of_totals(
    size: Floats, excess: Floats, squares: float, surprises: Floats, *, known: bool, level: float = LEVEL
) -> Estimate:
    """Estimate the signed calibration error as ``signed_error`` does, from what each cluster has.

    Args:
        size: ``(K,)``: number of images.
        excess: ``(K,)``: sums of p - y.
        squares: Sum of (p - y)² over all images.
        surprises: ``(K, 2)``: number of images with p - y below -½, and above ½.
        known: True if clusters are people; else they are groups of images that are independent of one another.
        level: Confidence level.

    >>> one = np.ones(100)
    >>> error = signed_error_of_totals(one, np.repeat([-0.1, 0.9], [70, 30]), 25.0, np.zeros((100, 2)), known=False)
    >>> round(error.value, 2), round(error.low, 2), round(error.high, 2)
    (0.2, 0.11, 0.29)
    """
    n, people = int(size.sum()), int((size > 0).sum())
    if not n:
        return undefined(SURPRISES, 0, people if known else None)
    value = float(excess.sum()) / n
    if people < 2:
        return estimate(value, math.nan, math.nan, n, people if known else None, SURPRISES)
    share = shares_of_totals(surprises, np.repeat(size[:, None], 2, 1), known=known, level=level)
    alone = max(squares / n - value**2, 0.0)
    return _signed(value, size, excess - value * size, alone, share, people if known else None, level)


def _signed(
    value: float, size: Floats, total: Floats, alone: float, share: Shares, people: int | None, level: float
) -> Estimate:
    """Estimate a signed error from sums of its residuals by cluster, their variance, and shares of surprises."""
    from scipy import stats

    n = int(size.sum())
    size, total = size[size > 0], total[size > 0]
    of_cluster = total / (1 - size / n)
    degrees = degrees_of_freedom(total, size * alone, size**2 * alone)
    reach = float(stats.t.isf((1 - level) / 2, degrees)) * math.sqrt(float((of_cluster**2).sum())) / n
    below, above = (max(reach, float(share.high[side] - share.value[side])) for side in (0, 1))
    return estimate(value, max(value - below, -1.0), min(value + above, 1.0), n, people, SURPRISES)


def recalibrate(
    logits: NDArray[np.floating], labels: NDArray[np.floating], clusters: Clusters, level: float = LEVEL
) -> Recalibration:
    """Fit P(y = 1) = σ(intercept + slope·z), the logistic recalibration of Cox (1958).

    The variance is that of Mancl and DeRouen (2001) for independence as the working correlation: clusters left out one
    at a time, to first order, with Student's t of ``degrees_of_freedom``. Slopes of few clusters are too large on
    average; the lower end is moved down by the first-order bias (Cox and Snell 1968), and the upper one stays (ours).

    Args:
        logits: ``(N,)``, z; those that are not finite are left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        Small where a class has too few images or clusters; undefined, with the reason, where the fit has no solution.

    Example:
        Logits that are twice as large as the log-odds:

        >>> from bincam.stats import Clusters
        >>> rng = np.random.default_rng(0)
        >>> odds = rng.normal(size=2000)
        >>> labels = (rng.random(2000) < 1 / (1 + np.exp(-odds))).astype(float)
        >>> fit = recalibrate(2 * odds, labels, Clusters.of([""] * 2000))
        >>> round(fit.slope.value, 1), round(fit.slope.low, 2), round(fit.slope.high, 2)
        (0.5, 0.45, 0.57)
        >>> recalibrate(np.array([-1.0, 1.0]), np.array([0.0, 1.0]), Clusters.of(["", ""])).reason
        'the logits separate the classes, so that no slope is the best'
    """
    kept = np.flatnonzero(is_usable(labels, logits))
    z, y, codes = np.asarray(logits[kept], float), labels[kept] > 0, clusters.codes[kept]
    people = len(np.unique(codes))
    known = people if clusters.known else None
    reason = _unsolvable(z, y)
    if reason:
        nothing = undefined(METHOD, len(kept), known)
        return Recalibration(nothing, nothing, reason)
    centre, scale = float(z.mean()), float(z.std())
    beta, fitted = fit_line((z - centre) / scale, y.astype(float), np.ones(len(y)))
    design = np.stack([np.ones_like(z), (z - centre) / scale], 1)
    _, cluster = np.unique(codes, return_inverse=True)
    weight = fitted * (1 - fitted)
    information = np.zeros((people, 2, 2))
    score = np.zeros((people, 2))
    for a in range(2):
        score[:, a] = np.bincount(cluster, (y - fitted) * design[:, a], people)
        for b in range(2):
            information[:, a, b] = np.bincount(cluster, weight * design[:, a] * design[:, b], people)
    # From the standardised logit to z: slope = β₁/scale, intercept = β₀ - β₁·centre/scale.
    back = np.array([[1.0, -centre / scale], [0.0, 1 / scale]])
    deviation = np.sqrt(weight)

    def variances(row: Floats) -> tuple[Floats, Floats]:
        leverage = design @ row  # of each image's residual on the coefficient
        alone = np.bincount(cluster, (leverage * deviation) ** 2, people).astype(float)
        return alone, np.bincount(cluster, leverage * deviation, people).astype(float) ** 2

    def curvature(moved: Floats) -> Floats:
        spread = np.einsum("ia,ab,ib->i", design, moved, design)
        return np.asarray(design.T @ (weight * (1 - 2 * fitted) * spread))

    value, low, high = coefficients(beta, back, score, information, variances, curvature, level)
    fewer = y if y.sum() * 2 < len(y) else ~y
    few = len(np.unique(codes[fewer])) if clusters.known else None
    return recalibration(value, low, high, (int(fewer.sum()), few), (len(kept), known))


def coefficients(
    beta: Floats,
    back: Floats,
    score: Floats,
    information: Floats,
    variances: Callable[[Floats], tuple[Floats, Floats]],
    curvature: Callable[[Floats], Floats],
    level: float = LEVEL,
) -> tuple[Floats, Floats, Floats]:
    """Compute intercept and slope of ``recalibrate`` with their intervals, from sums over the images of clusters.

    Args:
        beta: ``(2,)``: fitted coefficients of 1 and of the standardised logit x.
        back: ``(2, 2)``: from these to intercept and slope.
        score: ``(K, 2)``: Σ (y - p)·(1, x).
        information: ``(K, 2, 2)``: Σ p(1 - p)·(1, x)(1, x)ᵀ.
        variances: Function of r ``(2,)``: Σ (r·(1, x))² p(1 - p) and (Σ r·(1, x)·√(p(1 - p)))² of each cluster.
        curvature: Function of a matrix M: Σ p(1 - p)(1 - 2p)·(1, x)M(1, x)ᵀ·(1, x) over all images.
        level: Confidence level.

    Returns:
        Values, lower and upper ends, ``(2,)`` each; ends are NaN where leaving out a cluster leaves no fit.
    """
    from scipy import stats

    low, high = np.full(2, np.nan), np.full(2, np.nan)
    value = back @ beta
    rest = information.sum(0) - information
    if len(score) >= 2 and (np.linalg.cond(rest) < 1e10).all():
        moved_standardised = np.linalg.solve(rest, score[..., None])[..., 0]
        moved = moved_standardised @ back.T
        bread = back @ np.linalg.inv(information.sum(0))
        degrees = [degrees_of_freedom(score @ row, *variances(row)) for row in bread]
        reach = stats.t.isf((1 - level) / 2, np.array(degrees)) * np.sqrt((moved**2).sum(0))
        low, high = value - reach, value + reach
        bias = -bread @ curvature(moved_standardised.T @ moved_standardised) / 2
        low[1], high[1] = low[1] - max(bias[1], 0.0), high[1] - min(bias[1], 0.0)
    return value, low, high


def recalibration(
    value: Floats, low: Floats, high: Floats, rarer: tuple[int, int | None], every: tuple[int, int | None]
) -> Recalibration:
    """Make estimates of intercept and slope ``(2,)``; ``rarer`` and ``every`` are images and people of the classes."""
    intercept, slope = (_of(value[n], low[n], high[n], *rarer, *every) for n in range(2))
    return Recalibration(slope, intercept)


def degrees_of_freedom(sums: Floats, alone: Floats, together: Floats) -> float:
    """Compute the degrees of freedom of a variance over clusters of unequal size (Satterthwaite 1946).

    If v_k is the variance of a cluster's sum, they are (Σv)²/Σv² - 1, at least 1. v is between that of independent
    images and that of equal ones, in proportion to the correlation that the sums show (Bell and McCaffrey 2002 assume
    independence, which takes large clusters for less than they are).

    Args:
        sums: ``(K,)``: sums of residuals of the clusters.
        alone: ``(K,)``: their variances if images are independent.
        together: ``(K,)``: if the images of a cluster are equal.

    >>> degrees_of_freedom(np.array([2.0, -2.0, 2.0, -2.0]), np.ones(4), 4 * np.ones(4))
    3.0
    """
    more = float((together - alone).sum())
    correlation = float(np.clip((float((sums**2).sum()) - alone.sum()) / more, 0, 1)) if more > 0 else 0.0
    variance = alone + correlation * np.maximum(together - alone, 0)
    return max(float(variance.sum() ** 2 / (variance**2).sum()) - 1, 1.0) if variance.any() else 1.0


def _of(
    value: float, low: float, high: float, few: int, few_people: int | None, n: int, people: int | None
) -> Estimate:
    """Make an estimate whose status is that of the rarer class."""
    status = estimate(float(value), float(low), float(high), few, few_people, METHOD).status
    return Estimate(float(value), float(low), float(high), n, people, status, METHOD)


def _unsolvable(z: Floats, y: NDArray[np.bool_]) -> str:
    ends = [(z[own].min(), z[own].max()) if own.any() else (math.inf, -math.inf) for own in (~y, y)]
    return unsolvable(int((~y).sum()), int(y.sum()), *ends)


def unsolvable(
    negatives: int, positives: int, of_negatives: tuple[float, float], of_positives: tuple[float, float]
) -> str:
    """Give the reason why logits cannot be recalibrated; empty where they can.

    Args:
        negatives: Number of negatives.
        positives: Number of positives.
        of_negatives: Least and greatest logit of the negatives.
        of_positives: Of the positives.

    >>> unsolvable(5, 5, (-2.0, -1.0), (-1.0, 3.0))
    'the logits separate the classes, so that no slope is the best'
    """
    if not negatives + positives:
        return "no image has both a label and a logit"
    if not negatives or not positives:
        return f"all images are {'positive' if positives else 'negative'}"
    if min(of_negatives[0], of_positives[0]) == max(of_negatives[1], of_positives[1]):
        return "all logits are equal"
    if of_negatives[1] <= of_positives[0] or of_positives[1] <= of_negatives[0]:
        return "the logits separate the classes, so that no slope is the best"
    return ""


def fit_line(z: Floats, positives: Floats, images: Floats) -> tuple[Floats, Floats]:
    """Maximise the likelihood of a logistic regression by Newton's method with halved steps.

    Args:
        z: ``(m,)``: values, alone or of bins.
        positives: ``(m,)``: number of positives at each.
        images: ``(m,)``: number of images at each; not all of them positive, nor all negative.

    Returns:
        Coefficients of 1 and z, and the probability at each value.

    >>> beta, fitted = fit_line(np.array([-1.0, 1.0]), np.array([25.0, 75.0]), np.array([100.0, 100.0]))
    >>> round(float(beta[1]), 4), fitted.round(2).tolist()  # log 3
    (1.0986, [0.25, 0.75])
    """
    from scipy.special import expit

    design = np.stack([np.ones_like(z), z], 1)
    negatives = images - positives

    def loss(beta: Floats) -> float:
        eta = design @ beta
        return float((positives * np.logaddexp(0, -eta) + negatives * np.logaddexp(0, eta)).sum())

    share = positives.sum() / images.sum()
    beta = np.array([math.log(share / (1 - share)), 0.0])
    current = loss(beta)
    for _ in range(_STEPS):
        fitted = expit(design @ beta)
        gradient = design.T @ (positives - images * fitted)
        step = np.linalg.solve((design * (images * fitted * (1 - fitted))[:, None]).T @ design, gradient)
        part = 1.0
        for _ in range(_HALVINGS):
            following = loss(beta + part * step)
            if following <= current:
                break
            part /= 2
        beta = beta + part * step
        if current - following <= 1e-13 * (1 + current):
            break
        current = following
    return beta, np.asarray(expit(design @ beta))
