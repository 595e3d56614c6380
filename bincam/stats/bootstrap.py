"""Means and proportions in many cells of images at once, with cluster-bootstrap resamples or Wilson's interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate
from bincam.stats.intervals import effective_count, wilson

RESAMPLES = 1000


@dataclass(frozen=True)
class Means:
    """Means of C measures in G groups of images, for one attribute.

    Attributes:
        value: ``(G, C)``; NaN for an empty cell.
        images: ``(G, C)``: number of images with a value.
        identities: ``(G, C)``: number of clusters with a value, or None.
        samples: ``(G, C, R)`` float32: the means in each resample; NaN where none of a cell's images was drawn.
    """

    value: Floats
    images: NDArray[np.int64]
    identities: NDArray[np.int64] | None
    samples: NDArray[np.float32]


def resampled_means(
    values: NDArray[np.float32],
    cell: NDArray[np.integer],
    membership: NDArray[np.float32],
    clusters: Clusters,
    weights: NDArray[np.float32],
) -> Iterator[Means]:
    """Compute the ratio estimators Σ w_k x_k / Σ w_k n_k of every attribute, group and measure, in every resample.

    Every image is in one cell of an attribute, so the sums of all groups are sums over few cells, and the resampled
    sums of a cell are one matrix product of its images.

    Args:
        values: ``(N, A, C)``, NaN where undefined.
        cell: ``(N, A)``: index of one of the D cells; negative for none.
        membership: ``(G, D)``: 1 where a cell belongs to a group.
        clusters: Clusters of the N images.
        weights: ``(K, R)``, of ``Clusters.weights``.

    Yields:
        The means of each attribute, in order.

    Example:
        One measure of four images of three people, in two groups of one cell each:

        >>> from bincam.stats import Clusters
        >>> clusters = Clusters.of(["ann", "ann", "bob", "eve"])
        >>> values = np.float32([1, 3, 2, 6]).reshape(4, 1, 1)
        >>> cell, membership = np.array([[0], [0], [1], [1]]), np.eye(2, dtype=np.float32)
        >>> (means,) = resampled_means(values, cell, membership, clusters, clusters.weights(100, seed=0))
        >>> means.value.tolist(), means.images.tolist(), means.identities.tolist(), means.samples.shape
        ([[2.0], [4.0]], [[2], [2]], [[1], [2]], (2, 1, 100))
    """
    C, R = values.shape[-1], weights.shape[1]
    for a in range(values.shape[1]):
        finite = np.isfinite(values[:, a])  # (N, C)
        filled = np.where(finite, values[:, a], np.float32(0))
        occupied = np.unique(cell[cell[:, a] >= 0, a])
        member = membership[:, occupied]
        D = len(occupied)
        exact, count = np.zeros((D, C)), np.zeros((D, C))
        sums, drawn = np.empty((D, C, R), np.float32), np.empty((D, C, R), np.float32)
        for d, code in enumerate(occupied):
            here = np.flatnonzero(cell[:, a] == code)
            times = weights[clusters.codes[here]]  # (n, R)
            exact[d], count[d] = filled[here].sum(0, dtype=float), finite[here].sum(0)
            np.matmul(filled[here].T, times, out=sums[d])
            np.matmul(finite[here].T.astype(np.float32), times, out=drawn[d])
        total = member @ count
        with np.errstate(invalid="ignore", divide="ignore"):
            value = (member @ exact) / total
            samples = np.tensordot(member, sums, 1)
            samples /= np.tensordot(member, drawn, 1)
        yield Means(value, total.astype(np.int64), _cluster_counts(finite, cell[:, a], membership, clusters), samples)


def _cluster_counts(
    finite: NDArray[np.bool_], cell: NDArray[np.integer], membership: NDArray[np.float32], clusters: Clusters
) -> NDArray[np.int64] | None:
    """Count the clusters with a value in each group, ``(G, C)``."""
    if not clusters.known:
        return None
    padded = np.concatenate([membership > 0, np.zeros((len(membership), 1), bool)], 1)
    inside = padded[:, np.where(cell < 0, membership.shape[1], cell)]  # (G, N)
    return clusters.identities(inside.T[:, :, None] & finite[:, None, :])


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
    inside = (member & np.isfinite(values)).reshape(len(values), -1)
    ones = np.where(inside, values.reshape(len(values), -1), 0)
    images = inside.sum(0).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = ones.sum(0, dtype=float) / images
    count, people, method = images, None, "wilson"
    if clusters.known:
        sizes = (clusters.sums @ inside.astype(np.float32)).astype(float)  # (K, cells)
        hits = (clusters.sums @ ones.astype(np.float32)).astype(float)
        people = (sizes > 0).sum(0)
        squared = (hits - np.nan_to_num(share) * sizes) ** 2
        of_images = images, people.astype(float), squared.sum(0), (sizes**2).sum(0)
        count = effective_count(share, *of_images, level, fourths=(squared**2).sum(0))
        method = "wilson, design effect"
    low, high = wilson(share, np.nan_to_num(count), level)
    return Shares(
        share.reshape(shape),
        low.reshape(shape),
        high.reshape(shape),
        images.astype(np.int64).reshape(shape),
        None if people is None else people.reshape(shape),
        method,
    )
