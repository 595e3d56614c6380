"""What each cluster contributes to the error of a figure: variance, degrees of freedom, skewness and correlation.

A figure that is a smooth function of sums over images has the error Σ_k u_k in first order, where u_k is what cluster k
contributes (its influence). For a mean it is u_k = (x_k - m n_k)/N, with the sum x_k and the number n_k of the
cluster's images; for AUROC it consists of the placement values (``delong``). Everything about the interval follows
from these K numbers, so no resampling is needed, and the correlation of two figures is that of their contributions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.stats.estimate import LEVEL, Floats
from bincam.stats.intervals import wilson

LEAST = 0.05
"""A cluster's leverage is at most 1 minus this: one that has nearly all images would give an infinite variance."""


def corrected(contributions: Floats, leverage: Floats) -> Floats:
    """Divide contributions by √(1 - h): the variance estimate CR2 of Bell and McCaffrey (2002) for means.

    A cluster that has a share h of the images draws the mean towards itself, so its residual is too small.

    Args:
        contributions: ``(K, ...)``.
        leverage: ``(K, ...)``: the share of the figure's images that a cluster has.

    >>> corrected(np.array([0.1, -0.1]), np.array([0.5, 0.5])).round(3)
    array([ 0.141, -0.141])
    """
    result: Floats = contributions / np.sqrt(np.maximum(1 - leverage, LEAST))
    return result


def jackknifed(contributions: Floats, leverage: Floats) -> Floats:
    """Multiply contributions by √((K - 1)/K)/(1 - h): the variance estimate CR3, for means that of the jackknife.

    Without one cluster, a mean changes by its contribution over 1 - h. For clusters of equal size it is CR2; where one
    has many of the images it is larger, and intervals of skewed measures of few people cover better (MacKinnon, Nielsen
    and Webb 2023, "Cluster-robust inference: a guide to empirical practice", recommend it).

    Args:
        contributions: ``(K, ...)``.
        leverage: ``(K, ...)``: the share of the figure's images that a cluster has; 0 for clusters without an image.

    >>> jackknifed(np.array([0.1, -0.1]), np.array([0.5, 0.5])).round(3)
    array([ 0.141, -0.141])
    """
    clusters = np.maximum((leverage > 0).sum(0), 1)
    result: Floats = contributions / np.maximum(1 - leverage, LEAST) * np.sqrt((clusters - 1) / clusters)
    return result


@dataclass(frozen=True)
class Spread:
    """The distribution of a figure's error; every field has the shape ``(...)`` of the figures.

    Attributes:
        error: Standard error.
        freedom: Degrees of freedom of its square: the effective number of clusters that decide, (Σu²)²/Σu⁴, between 1
            and K - 1. If three people account for all errors it is at most 3, however many others were audited.
        skewness: Σu³/(Σu²)^1.5, the skewness of the figure's error.
    """

    error: Floats
    freedom: Floats
    skewness: Floats

    @classmethod
    def of(cls, contributions: Floats, clusters: ArrayLike) -> Spread:
        """Compute it from corrected contributions ``(K, ...)``.

        Args:
            contributions: Of ``corrected`` or ``jackknifed``.
            clusters: ``(...)``: the number of clusters with an image.

        Example:
            Ten people of whom one contributes nearly everything:

            >>> spread = Spread.of(np.array([0.09, *[-0.01] * 9]), 10)
            >>> spread.error.round(3), spread.freedom.round(1), spread.skewness.round(1)
            (np.float64(0.095), np.float64(1.2), np.float64(0.8))
        """
        square = contributions**2
        total = square.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            deciding = total**2 / (square**2).sum(0)
            skewness = (square * contributions).sum(0) / total**1.5
        freedom = np.clip(np.nan_to_num(deciding, nan=1.0), 1, np.maximum(np.asarray(clusters) - 1, 1))
        return cls(np.sqrt(total), freedom, np.nan_to_num(skewness))

    def quantile(self, level: float = LEVEL) -> Floats:
        """Compute the quantile of Student's t for a two-sided interval."""
        from scipy.special import stdtrit

        return np.asarray(stdtrit(self.freedom, (1 + level) / 2), np.float64)


def skewed(value: Floats, spread: Spread, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Compute the interval of figures on an unbounded scale, with a correction for skewness.

    Hall's transformation (1992, "On the removal of skewness by transformation") T + gT²/3 + g²T³/27 + g/6 of
    T = (m - μ)/s, with the skewness g of the figure's error, is nearly symmetric, and monotone. Deviations: its
    quantile is Student's instead of the normal, with the degrees of freedom of ``Spread``; s and g are those of
    clusters.

    >>> spread = Spread(np.float64(1.0), np.float64(1e6), np.float64(0.3))
    >>> [end.round(2) for end in skewed(np.float64(0.0), spread)]
    [np.float64(-1.63), np.float64(2.65)]
    """
    t, g = spread.quantile(level), spread.skewness
    flat = np.abs(g) < 1e-6

    def untransformed(y: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            result: Floats = np.where(flat, y, 3 / np.where(flat, 1, g) * (np.cbrt(1 + g * (y - g / 6)) - 1))
        return result

    return value - untransformed(t) * spread.error, value - untransformed(-t) * spread.error


def logistic(value: Floats, spread: Spread, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Compute the interval of figures strictly between 0 and 1 that is symmetric on the logit scale.

    The logit's standard error is s/(v(1 - v)) (delta method); the quantile is Student's with the degrees of freedom of
    ``Spread``. NaN for a value of 0 or 1.

    >>> spread = Spread(np.float64(0.04), np.float64(30), np.float64(0))
    >>> [end.round(2) for end in logistic(np.float64(0.9), spread)]
    [np.float64(0.78), np.float64(0.96)]
    """
    from scipy.special import expit, logit

    with np.errstate(invalid="ignore", divide="ignore"):
        inside = (value > 0) & (value < 1)
        width = spread.quantile(level) * spread.error / (value * (1 - value))
        low, high = expit(logit(value) - width), expit(logit(value) + width)
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def of_equal_values(
    value: Floats, effective: Floats, bounds: tuple[Any, Any], level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Compute the interval of the mean of values that are all equal, and cannot leave their bounds.

    The share q of images with any other value is at most Wilson's upper end for none in the effective number of
    clusters, so the mean is between (1 - q) m + q·lower bound and (1 - q) m + q·upper bound.

    Args:
        value: ``(...)``: m.
        effective: ``(...)``: effective number of clusters, (Σn)²/Σn².
        bounds: The lower and upper bounds of a value, ``(...)``; NaN where it has none.
        level: Confidence level.

    Returns:
        Lower and upper ends; NaN without bounds, because one image might have any value.

    >>> [end.round(2) for end in of_equal_values(np.float64(0.8), np.float64(20), (0, 1))]
    [np.float64(0.67), np.float64(0.83)]
    """
    other = wilson(np.zeros_like(effective), effective, level)[1]
    return value - other * (value - bounds[0]), value + other * (bounds[1] - value)


def correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Compute the correlation of the errors of two figures from their contributions ``(K,)``; 0 if one has none.

    >>> correlation(np.array([0.1, -0.1, 0.0]), np.array([0.2, -0.1, -0.1])).__round__(2)
    0.87
    """
    squares = float(np.sum(first**2) * np.sum(second**2))
    return float(np.clip(np.sum(first * second) / squares**0.5, -1, 1)) if squares > 0 else 0.0
