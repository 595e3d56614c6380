"""Slope and intercept of a logistic recalibration from numbers of images by score, and from sums by cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.stats.estimate import LEVEL, Floats, undefined
from bincam.stats.recalibration import METHOD, Recalibration, coefficients, fit_line, recalibration


@dataclass(frozen=True)
class BinnedFit:
    """A logistic regression of the label on log-odds, fitted to numbers of images by bin.

    Attributes:
        centre: Of the log-odds.
        scale: Their standard deviation; the regression is on x = (log-odds - centre)/scale.
        beta: ``(2,)``: coefficients of 1 and x.
        third: ``(4,)``: Σ p(1 - p)(1 - 2p)·x^j over all images, j = 0 ... 3.
        reason: Why there is none; empty otherwise.
    """

    centre: float = math.nan
    scale: float = math.nan
    beta: tuple[float, float] = (math.nan, math.nan)
    third: tuple[float, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, odds: Floats, negatives: NDArray[np.integer], positives: NDArray[np.integer]) -> BinnedFit:
        """Fit it.

        Args:
            odds: ``(m,)``: log-odds of each bin, finite where it has images.
            negatives: ``(m,)``: number of negatives.
            positives: ``(m,)``: number of positives.

        >>> fit = BinnedFit.of(np.array([-1.0, 1.0]), np.array([75, 25]), np.array([25, 75]))
        >>> round(fit.beta[1] / fit.scale, 4)  # log 3
        1.0986
        """
        used = (negatives + positives) > 0
        z, yes, count = odds[used], positives[used].astype(float), (negatives + positives)[used].astype(float)
        n = float(count.sum())
        centre = float((count * z).sum() / n)
        scale = math.sqrt(float((count * (z - centre) ** 2).sum() / n))
        x = (z - centre) / scale
        beta, p = fit_line(x, yes, count)
        third = count * p * (1 - p) * (1 - 2 * p)
        moments = tuple(float((third * x**j).sum()) for j in range(4))
        return cls(centre, scale, (float(beta[0]), float(beta[1])), moments)


def recalibration_of_totals(
    fit: BinnedFit,
    sums: Floats,
    sizes: Floats,
    *,
    known: bool,
    line: tuple[float, float] = (1.0, 0.0),
    level: float = LEVEL,
) -> Recalibration:
    """Estimate slope and intercept as ``recalibrate`` does.

    The coefficients are those of the bins, moved by one step of Newton's method with the unbinned images.

    Args:
        fit: Of the bins.
        sums: ``(K, 7)``: sums over the images of each cluster of r, rx, w, wx, wx², √w and √w·x, with the residual r,
            w = p(1 - p) and x of the fit.
        sizes: ``(K, 2)``: number of negatives and positives.
        known: True if clusters are people; else they are groups of images that are independent of one another.
        line: a and b of the log-odds a·z + b on which slope and intercept are, where z are those of the fit.
        level: Confidence level.
    """
    images = sizes.sum(0)
    present = sizes.sum(1) > 0
    people = int(present.sum()) if known else None
    if not fit.reason and line[0] == 0:
        fit = BinnedFit(reason="all logits are equal")
    if fit.reason:
        nothing = undefined(METHOD, int(images.sum()), people)
        return Recalibration(nothing, nothing, fit.reason)
    s = sums[present]
    score = s[:, :2]
    information = s[:, [2, 3, 3, 4]].reshape(-1, 2, 2)
    centre, scale = line[0] * fit.centre + line[1], line[0] * fit.scale
    back = np.array([[1.0, -centre / scale], [0.0, 1 / scale]])
    beta = np.array(fit.beta) + np.linalg.solve(information.sum(0), score.sum(0))

    def variances(row: Floats) -> tuple[Floats, Floats]:
        return np.einsum("a,kab,b->k", row, information, row), (s[:, 5:7] @ row) ** 2

    def curvature(moved: Floats) -> Floats:
        c = fit.third
        quadratic = moved[0, 0], 2 * moved[0, 1], moved[1, 1]
        return np.array([sum(q * c[j + i] for j, q in enumerate(quadratic)) for i in range(2)])

    value, low, high = coefficients(beta, back, score, information, variances, curvature, level)
    smaller = int(images[1] * 2 < images.sum())
    few = int((sizes[:, smaller] > 0).sum()) if known else None
    return recalibration(value, low, high, (int(images[smaller]), few), (int(images.sum()), people))
