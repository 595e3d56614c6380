"""Difference between two proportions of the same images, such as the errors of two models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate
from bincam.stats.intervals import MOVER, gap
from bincam.stats.proportions import shares


def paired_shares(
    first: NDArray[np.floating], second: NDArray[np.floating], clusters: Clusters, level: float = LEVEL
) -> Estimate:
    """Estimate the difference, first minus second, of two proportions of the same images.

    Only images on which the two differ decide. The difference is the share of images with 1 in the first alone minus
    that with 1 in the second alone, each with Wilson's interval of its effective number of images, joined by MOVER with
    the correlation of the two shares over clusters. Two models that agree on all images may differ on others, so the
    interval is never a point.

    Args:
        first: ``(N,)``: 1, 0, NaN.
        second: ``(N,)``: the same; images where either is NaN are left out.
        clusters: Clusters of the N images.
        level: Confidence level.

    Example:
        >>> from bincam.stats import Clusters
        >>> first = np.repeat([1.0, 1.0, 0.0, 0.0], [20, 10, 4, 66])
        >>> second = np.repeat([1.0, 0.0, 1.0, 0.0], [20, 10, 4, 66])
        >>> difference = paired_shares(first, second, Clusters.of([""] * 100))
        >>> round(difference.value, 2), round(difference.low, 2), round(difference.high, 2)
        (0.06, -0.02, 0.14)
        >>> alike = paired_shares(first, first, Clusters.of([""] * 100))
        >>> alike.value, round(alike.low, 2), round(alike.high, 2)
        (0.0, -0.04, 0.04)
    """
    both = np.isfinite(first) & np.isfinite(second)
    alone = np.stack([np.where(both, sign * (first - second) > 0, np.nan) for sign in (1, -1)], 1)
    share = shares(alone, np.ones(alone.shape, bool), clusters, level)
    people = None if share.identities is None else int(share.identities[0])
    parts = [
        estimate(share.value[k], share.low[k], share.high[k], int(share.images[k]), people, share.method)
        for k in (0, 1)
    ]
    cell = np.where(both, 0, -1)
    joint = correlation(*group_means(alone, cell, np.ones((1, 1)), clusters, level=level).contributions[0].T)
    return replace(gap(*parts, correlation=joint, identities=people, method=MOVER), images=parts[0].images)
