"""Means of many cells and their resamples: clusters drawn with replacement, all cells at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Floats
from bincam.stats.intervals import effective_count, wilson

RESAMPLES = 1000


@dataclass(frozen=True)
class Means:
    """Means of C measures in G groups of images, for one attribute.

    Attributes:
        value: ``(G, C)``; NaN for an empty cell.
        images: ``(G, C)``: images with a value.
        identities: ``(G, C)``, or None.
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
    """Ratio estimators Σ w_k x_k / Σ w_k n_k of every attribute, group and measure, by the cluster bootstrap.

    Every image lies in one cell of an attribute, so all groups' sums are sums over few cells, and the resampled sums of
    a cell are one matrix product of its images.

    Args:
        values: ``(N, A, C)``, NaN where undefined.
        cell: ``(N, A)``: which of the D cells; negative for none.
        membership: ``(G, D)``: 1 where a cell belongs to a group.
        clusters: Of the N images.
        weights: ``(K, R)``, of ``Clusters.weights``.

    Yields:
        One per attribute, in order.
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
        for d, name in enumerate(occupied):
            here = np.flatnonzero(cell[:, a] == name)
            times = weights[clusters.codes[here]]  # (n, R)
            exact[d], count[d] = filled[here].sum(0, dtype=float), finite[here].sum(0)
            np.matmul(filled[here].T, times, out=sums[d])
            np.matmul(finite[here].T.astype(np.float32), times, out=drawn[d])
        total = member @ count
        with np.errstate(invalid="ignore", divide="ignore"):
            value = (member @ exact) / total
            samples = np.tensordot(member, sums, 1)
            samples /= np.tensordot(member, drawn, 1)
        yield Means(value, total.astype(np.int64), _people(finite, cell[:, a], membership, clusters), samples)


def _people(
    finite: NDArray[np.bool_], cell: NDArray[np.integer], membership: NDArray[np.float32], clusters: Clusters
) -> NDArray[np.int64] | None:
    """``(G, C)``: people with a value in each group."""
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
        images: Images with a value.
        identities: People, or None.
        method: How the interval was made.
    """

    value: Floats
    low: Floats
    high: Floats
    images: NDArray[np.int64]
    identities: NDArray[np.int64] | None
    method: str


def shares(values: NDArray[np.floating], member: NDArray[np.bool_], clusters: Clusters, level: float = LEVEL) -> Shares:
    """Proportions of ones in cells of images, with Wilson's interval.

    With identities the interval is that of the effective number of images (see ``effective_count``).

    Args:
        values: ``(N, ...)`` of 0, 1 and NaN.
        member: ``(N, ...)``: which images are in the cell.
        clusters: Of the N images.
        level: Of confidence.

    Returns:
        Arrays ``(...)``.
    """
    shape = values.shape[1:]
    inside = (member & np.isfinite(values)).reshape(len(values), -1)
    ones = np.where(inside, values.reshape(len(values), -1), 0)
    images = inside.sum(0).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = ones.sum(0, dtype=float) / images
    count, people, method = images, None, "wilson"
    if clusters.known:
        held = (clusters.sums @ inside.astype(np.float32)).astype(float)  # (K, cells)
        hits = (clusters.sums @ ones.astype(np.float32)).astype(float)
        people = (held > 0).sum(0)
        residuals = ((hits - np.nan_to_num(share) * held) ** 2).sum(0)
        count = effective_count(share, images, people.astype(float), residuals, (held**2).sum(0), level)
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
