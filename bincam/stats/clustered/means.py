"""Means of many measures in groups of images, with intervals that account for clusters, skewness and bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.contributions import Spread, jackknifed, of_equal_values, skewed
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate

UNBOUNDED = (-np.inf, np.inf)
EQUAL = 1e-6
"""Values whose standard error is less than this share of their size are equal: records are float32."""


@dataclass(frozen=True)
class GroupMeans:
    """Means of C measures in G groups of images.

    Attributes:
        value: ``(G, C)``; NaN for an empty group.
        low: ``(G, C)``: lower ends; NaN where there is no interval.
        high: ``(G, C)``: upper ends.
        images: ``(G, C)``: number of images with a value.
        clusters: ``(G, C)``: number of clusters with a value.
        effective: ``(G, C)``: effective number of clusters, (Σn_k)²/Σn_k².
        contributions: ``(G, K, C)`` float32: corrected contributions of the clusters.
        known: True if clusters are people, False if every image is its own.
    """

    value: Floats
    low: Floats
    high: Floats
    images: NDArray[np.int64]
    clusters: NDArray[np.int64]
    effective: Floats
    contributions: NDArray[np.float32]
    known: bool

    @property
    def identities(self) -> NDArray[np.int64] | None:
        """The number of people, ``(G, C)``, or None without identities."""
        return self.clusters if self.known else None

    def select(self, groups: Sequence[int]) -> GroupMeans:
        """Return some groups, in the order given."""
        fields = ("value", "low", "high", "images", "clusters", "effective", "contributions")
        return replace(self, **{name: getattr(self, name)[list(groups)] for name in fields})

    def columns(self, measures: slice) -> GroupMeans:
        """Return some measures."""
        fields = ("value", "low", "high", "images", "clusters", "effective", "contributions")
        return replace(self, **{name: getattr(self, name)[..., measures] for name in fields})

    def estimate(self, group: int, measure: int) -> Estimate:
        """Return one mean; small where it has no interval."""
        at = (group, measure)
        people = int(self.clusters[at]) if self.known else None
        return mean_estimate(self.value[at], self.low[at], self.high[at], int(self.images[at]), people, self.known)


def mean_estimate(
    value: float, low: float, high: float, images: int, identities: int | None, known: bool, method: str = ""
) -> Estimate:
    """Make the estimate of a mean: small where there is no interval, such as where all values are equal.

    >>> mean_estimate(0.83, np.nan, np.nan, 300, None, known=False).status
    'small'
    """
    result = estimate(value, low, high, images, identities, method or name(known))
    missing = result.defined and (np.isnan(result.low) or np.isnan(result.high))
    return replace(result, status="small") if missing else result


def name(known: bool) -> str:
    """Name the interval of means, over identities or over images.

    >>> name(known=True)
    'cluster t, skewness'
    """
    return "cluster t, skewness" if known else "t, skewness"


def group_means(
    values: NDArray[np.floating],
    cell: NDArray[np.integer],
    membership: NDArray[np.floating],
    clusters: Clusters,
    bounds: tuple[NDArray[np.floating] | float, NDArray[np.floating] | float] = UNBOUNDED,
    level: float = LEVEL,
) -> GroupMeans:
    """Estimate the mean Σ x_k / Σ n_k of every measure in every group, with intervals that account for clusters.

    The intervals are Student's t with the variance CR3 and the effective number of deciding clusters as degrees of
    freedom, corrected for skewness (``contributions.skewed``), and cut at the bounds. Where all values are equal,
    bounded measures have the bound of ``contributions.of_equal_values``; others have no interval.

    Args:
        values: ``(N, C)``, NaN where undefined.
        cell: ``(N,)``: index of one of the D cells; negative for none.
        membership: ``(G, D)``: 1 where a cell belongs to a group.
        clusters: Clusters of the N images.
        bounds: Least and greatest possible value, for all measures or ``(C,)``; infinite where there is none.
        level: Confidence level.

    Example:
        Two measures of five people with four images each; the second is a share that is 0 in all images.

        >>> from bincam.stats import Clusters
        >>> values = np.zeros((20, 2))
        >>> values[:, 0] = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 4)
        >>> people = Clusters(np.repeat(np.arange(5), 4), known=True)
        >>> one = np.zeros(20, int), np.ones((1, 1))
        >>> bounds = np.array([-np.inf, 0.0]), np.array([np.inf, 1.0])
        >>> means = group_means(values, *one, people, bounds)
        >>> means.value.tolist(), means.low.round(2).tolist(), means.high.round(2).tolist()
        ([[3.0, 0.0]], [[0.72, 0.0]], [[5.28, 0.43]])
    """
    C, K, G = values.shape[1], clusters.count, len(membership)
    occupied = np.flatnonzero(np.bincount(cell[cell >= 0]))
    finite = np.isfinite(values)
    filled = np.where(finite, values, 0)
    sums, counts = np.zeros((len(occupied), K, C)), np.zeros((len(occupied), K, C))
    for d, code in enumerate(occupied):
        here = np.flatnonzero(cell == code)
        part = clusters.sums[:, here]
        sums[d], counts[d] = part @ filled[here].astype(float), part @ finite[here].astype(np.float32)
    shape = (G, C)
    value, low, high, effective = (np.full(shape, np.nan) for _ in range(4))
    images, people = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    contributions = np.zeros((G, K, C), np.float32)
    for g in range(G):
        member = np.flatnonzero(membership[g, occupied] > 0)
        if not len(member):
            continue
        of_group = means_of_totals(sums[member].sum(0), counts[member].sum(0), bounds, level)
        value[g], low[g], high[g], images[g], people[g], effective[g], contributions[g] = of_group
    return GroupMeans(value, low, high, images, people, effective, contributions, clusters.known)


def mean_within(
    values: NDArray[np.floating],
    inside: NDArray[np.bool_],
    clusters: Clusters,
    bounds: tuple[float, float] = UNBOUNDED,
    level: float = LEVEL,
) -> Estimate:
    """Estimate the mean of one measure in one group as ``group_means`` does, in memory for its images alone.

    Args:
        values: ``(N,)``, NaN where undefined.
        inside: ``(N,)``: True for the images of the group.
        clusters: Clusters of the N images.
        bounds: Least and greatest possible value.
        level: Confidence level.

    >>> people = Clusters(np.repeat(np.arange(5), 4), known=True)
    >>> mean = mean_within(np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 4), np.ones(20, bool), people)
    >>> mean.value, round(mean.low, 2), round(mean.high, 2)
    (3.0, 0.72, 5.28)
    """
    kept = np.flatnonzero(inside & np.isfinite(values))
    if not len(kept):
        return mean_estimate(np.nan, np.nan, np.nan, 0, 0 if clusters.known else None, clusters.known)
    total, size = np.asarray(values[kept], float), np.ones(len(kept))
    if clusters.known:
        codes = clusters.codes[kept]
        size = np.bincount(codes).astype(float)
        present = size > 0
        total, size = np.bincount(codes, total)[present].astype(float), size[present]
    limits = np.array([bounds[0]], float), np.array([bounds[1]], float)
    value, low, high, images, people, *_ = means_of_totals(total[:, None], size[:, None], limits, level)
    counted = int(people[0]) if clusters.known else None
    return mean_estimate(float(value[0]), float(low[0]), float(high[0]), int(images[0]), counted, clusters.known)


def means_of_totals(
    total: Floats,
    size: Floats,
    bounds: tuple[NDArray[np.floating] | float, NDArray[np.floating] | float] = UNBOUNDED,
    level: float = LEVEL,
    *,
    independent: bool = False,
) -> tuple[Floats, Floats, Floats, NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """Estimate means as ``group_means`` does, from what each cluster has of values and of images.

    Args:
        total: ``(K, C)``: sums of the values of each cluster.
        size: ``(K, C)``: number of images with a value.
        bounds: As for ``group_means``.
        level: Confidence level.
        independent: True if clusters are groups of images that are independent of one another: their spread is that of
            the images, but each image counts as a cluster.

    Returns:
        Mean, lower end, upper end, images, clusters, effective number of clusters, each ``(C,)``, and the corrected
        contributions ``(K, C)``.

    Example:
        >>> value, low, high, *_ = means_of_totals(np.arange(4.0, 24, 4)[:, None], np.full((5, 1), 4.0))
        >>> float(value[0]), float(low[0].round(2)), float(high[0].round(2))
        (3.0, 0.72, 5.28)
    """
    images, people = size.sum(0).astype(np.int64), (size > 0).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = total.sum(0) / images
        share = size / images
        effective = 1 / (share**2).sum(0)
        u = np.nan_to_num(jackknifed(total / images - value * share, share))
    if independent:
        people, effective = images, images.astype(float)
    ends = mean_interval(value, Spread.of(u, people), people, effective, bounds, level)
    return value, *ends, images, people, effective, u


def overall_means(
    values: NDArray[np.floating],
    clusters: Clusters,
    bounds: tuple[NDArray[np.floating] | float, NDArray[np.floating] | float] = UNBOUNDED,
    level: float = LEVEL,
) -> GroupMeans:
    """Estimate the means of the columns of values ``(N, C)`` as ``group_means``, of all images as one group.

    >>> overall_means(np.arange(30)[:, None] / 30, Clusters.of([""] * 30)).value.round(3)
    array([[0.483]])
    """
    return group_means(values, np.zeros(len(values), np.int64), np.ones((1, 1)), clusters, bounds, level)


def mean_interval(
    value: Floats,
    spread: Spread,
    clusters: NDArray[np.integer],
    effective: Floats,
    bounds: tuple[NDArray[np.floating] | float, NDArray[np.floating] | float] = UNBOUNDED,
    level: float = LEVEL,
) -> tuple[Floats, Floats]:
    """Compute the intervals of means ``(C,)`` from the spread of their errors; see ``group_means``.

    Returns:
        Lower and upper ends; NaN for fewer than two clusters, and where all values are equal and have no bounds.
    """
    least, greatest = (np.broadcast_to(np.asarray(bound, float), value.shape) for bound in bounds)
    low, high = skewed(value, spread, level)
    equal = spread.error <= EQUAL * np.abs(value)
    limited = np.isfinite(least) & np.isfinite(greatest)
    ends = of_equal_values(
        value, effective, (np.where(limited, least, np.nan), np.where(limited, greatest, np.nan)), level
    )
    several = clusters >= 2
    # Float32 records of a measure that is at its bound may be beyond it in the last digit.
    low = np.where(several, np.where(equal, ends[0], np.minimum(np.maximum(low, least), value)), np.nan)
    high = np.where(several, np.where(equal, ends[1], np.maximum(np.minimum(high, greatest), value)), np.nan)
    return low, high
