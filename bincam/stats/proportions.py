"""Proportions in many cells of images at once, with Wilson's interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate
from bincam.stats.intervals import effective_count, wilson

RESAMPLES = 1000


@dataclass(frozen=True)
class Shares:
    """Proportions with Wilson's interval; every field has the shape of a cell array.

    Attributes:
        value: NaN for an empty cell.
        low: Lower end.
        high: Upper end.
        images: Number of images with a value.
        identities: Number of clusters, or None.
        method: The method of the interval.
    """

    value: Floats
    low: Floats
    high: Floats
    images: NDArray[np.int64]
    identities: NDArray[np.int64] | None
    method: str

    def estimate(self, *at: int) -> Estimate:
        """Return one proportion of the cell array."""
        people = None if self.identities is None else int(self.identities[at])
        images = int(self.images[at])
        return estimate(self.value[at], self.low[at], self.high[at], images, people, self.method)

    def at(self, *place: int) -> Shares:
        """Return one proportion of the cell array, or some of its last axes, as such an array."""
        value, low, high, images = (np.asarray(x[place]) for x in (self.value, self.low, self.high, self.images))
        people = None if self.identities is None else np.asarray(self.identities[place])
        return Shares(value, low, high, images, people, self.method)


def shares(values: NDArray[np.floating], member: NDArray[np.bool_], clusters: Clusters, level: float = LEVEL) -> Shares:
    """Compute the proportions of ones in cells of images, with Wilson's interval.

    With identities the interval is that of the effective number of images (see ``effective_count``).

    Args:
        values: ``(N, ...)`` of 0, 1 and NaN.
        member: ``(N, ...)``: True for the images of the cell.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        Arrays ``(...)``.

    Example:
        The images of a person share their outcome, so the interval is about that of 20 images:

        >>> from bincam.stats import Clusters
        >>> wrong, codes = np.repeat([1.0, 0.0], [25, 75]), np.repeat(np.arange(20), 5)
        >>> for clusters in (Clusters.of([""] * 100), Clusters(codes, known=True)):
        ...     result = shares(wrong, np.ones(100, bool), clusters)
        ...     print(result.value, result.low.round(2), result.high.round(2), result.method)
        0.25 0.18 0.34 wilson
        0.25 0.11 0.48 wilson, design effect
    """
    shape = values.shape[1:]
    table = len(values), math.prod(shape)  # also of no image
    inside = (member & np.isfinite(values)).reshape(table)
    ones = np.where(inside, values.reshape(table), 0)
    if clusters.known:
        sizes = (clusters.sums @ inside.astype(np.float32)).astype(float)  # (K, cells)
        hits = (clusters.sums @ ones.astype(np.float32)).astype(float)
    else:
        sizes, hits = inside.sum(0, dtype=float)[None], ones.sum(0, dtype=float)[None]
    result = shares_of_totals(hits, sizes, known=clusters.known, level=level)
    people = None if result.identities is None else result.identities.reshape(shape)
    value, low, high = (part.reshape(shape) for part in (result.value, result.low, result.high))
    return Shares(value, low, high, result.images.reshape(shape), people, result.method)


def shares_of_totals(hits: Floats, sizes: Floats, *, known: bool, level: float = LEVEL) -> Shares:
    """Compute proportions as ``shares`` does, from what each cluster has of ones and of images.

    Args:
        hits: ``(K, cells)``: number of ones of each cluster; without identities any division of the images will do.
        sizes: ``(K, cells)``: number of images.
        known: True if clusters are people, False if every image is its own.
        level: Confidence level.

    Returns:
        Arrays ``(cells,)``.

    Example:
        >>> of_people = np.repeat([[5.0], [0.0]], [5, 15], axis=0), np.full((20, 1), 5.0)
        >>> result = shares_of_totals(*of_people, known=True)
        >>> result.value, result.low.round(2), result.high.round(2)
        (array([0.25]), array([0.11]), array([0.48]))
    """
    images = sizes.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits.sum(0) / images
    count, people, method = images, None, "wilson"
    if known:
        people = (sizes > 0).sum(0)
        squared = (hits - np.nan_to_num(share) * sizes) ** 2
        of_images = images, people.astype(float), squared.sum(0), (sizes**2).sum(0)
        count = effective_count(share, *of_images, level, fourths=(squared**2).sum(0))
        method = "wilson, design effect"
    low, high = wilson(share, np.nan_to_num(count), level)
    return Shares(share, low, high, images.astype(np.int64), people, method)
