"""Ratios of two sums over images, such as the share of all change that is accounted for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from bincam.errors import InputError
from bincam.stats.clustered.contributions import Spread, jackknifed, skewed
from bincam.stats.clustered.means import EQUAL, mean_estimate, name
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate


def ratio_of_sums(top: ArrayLike, bottom: ArrayLike, clusters: Clusters, level: float = LEVEL) -> Estimate:
    """Estimate Σ top / Σ bottom over images, with an interval that accounts for clusters.

    Unlike the mean of the images' own ratios it is not ruled by images whose denominator is almost 0. The interval is
    that of means (``group_means``), with what cluster k contributes in first order, (top_k - r bottom_k) / Σ bottom,
    and its share of Σ bottom as its leverage.

    Args:
        top: ``(N,)``, of either sign; NaN where undefined.
        bottom: ``(N,)``, not negative; NaN where undefined.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        The estimate: undefined where the denominators sum to 0, small without an interval where all ratios are equal
        or only one cluster has a denominator.

    Raises:
        InputError: A denominator is negative, or the shapes differ.

    Example:
        Two thirds of a change of 3 + 3 + 6 are accounted for, although the images' own ratios average .53:

        >>> ratio_of_sums([1.0, 1.0, 6.0], [3.0, 3.0, 6.0], Clusters.of([""] * 3)).value.__round__(2)
        0.67
    """
    above, below = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    if above.shape != below.shape or above.shape != clusters.codes.shape:
        raise InputError(
            f"expected {clusters.codes.shape} numerators and denominators, got {above.shape} and {below.shape}"
        )
    used = np.isfinite(above) & np.isfinite(below)
    if (below[used] < 0).any():
        raise InputError(f"denominators are not negative, got {below[used].min():g}; move their sign to the numerators")
    sums = np.zeros((2, clusters.count))
    for row, values in zip(sums, (above, below), strict=True):
        np.add.at(row, clusters.codes[used], values[used])
    images, people = int((used & (below > 0)).sum()), int((sums[1] > 0).sum())
    whole = sums[1].sum()
    known = people if clusters.known else None
    if whole == 0:
        return mean_estimate(np.nan, np.nan, np.nan, images, known, clusters.known)
    value = sums[0].sum() / whole
    share = sums[1] / whole
    spread = Spread.of(jackknifed(sums[0] / whole - value * share, share), people)
    low, high = (float(end) for end in skewed(np.asarray(value), spread, level))
    if people < 2 or float(spread.error) <= EQUAL * abs(value):
        low = high = np.nan
    found = mean_estimate(value, low, high, images, known, clusters.known)
    return replace(found, method=f"ratio, {name(clusters.known)}")
