"""Own region: more of an attribute's evidence in its region than of the evidence for unrelated attributes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bincam.stats.estimate import Floats

MOST_OVERLAP = 0.1
"""Attributes compete for a region if theirs overlaps it by less, as intersection over union."""

MOST_CORRELATION = 0.2
"""Attributes compete if their labels correlate by less, as the magnitude of φ."""

FEWEST = 3
"""With fewer competing attributes nothing can be told."""


def region_overlaps(regions: NDArray[np.floating]) -> Floats:
    """Compute the intersection over union of all pairs of regions.

    Args:
        regions: ``(A, H, W)``, or ``(N, A, H, W)`` if each image has its own: shares of each pixel in [0, 1]; NaN for
            none.

    Returns:
        ``(A, A)``: Σ min / Σ max over the pixels, in the mean over images that have both; NaN where none has.

    Example:
        >>> left, right, both = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 1.0]]])
        >>> region_overlaps(np.stack([left, right, both])).tolist()
        [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.5, 0.5, 1.0]]
    """
    flat = np.asarray(regions, np.float64).reshape(-1, *regions.shape[-3:-2], math.prod(regions.shape[-2:]))
    total = flat.sum(-1)
    count = flat.shape[1]
    result = np.full((count, count), np.nan)
    for a in range(count):
        common = np.minimum(flat[:, a, None], flat).sum(-1)  # (N, A)
        with np.errstate(invalid="ignore", divide="ignore"):
            overlap = common / (total[:, a, None] + total - common)
            result[a] = np.nansum(overlap, 0) / np.isfinite(overlap).sum(0)
    return result


def label_correlations(labels: NDArray[np.floating]) -> Floats:
    """Compute φ of all pairs of labels, over images that have both.

    Args:
        labels: ``(N, A)``: 1, 0, or NaN.

    Returns:
        ``(A, A)``; NaN where one of the two is constant.

    Example:
        >>> label_correlations(np.array([[1, 1], [0, 0], [1, 0], [0, 1]])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    known, positive = np.isfinite(labels), labels == 1
    n = (known.T.astype(float)) @ known
    both = positive.T.astype(float) @ positive
    first = positive.T.astype(float) @ known  # positives of the row's label among the pair's images
    second = first.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(first * (n - first) * second * (n - second))
        return np.asarray(np.where(spread > 0, (n * both - first * second) / spread, np.nan))


def competing(overlaps: Floats, correlations: Floats) -> NDArray[np.bool_]:
    """Find the attributes whose evidence has no reason to be in another's region.

    Args:
        overlaps: ``(A, A)`` of regions, see ``region_overlaps``.
        correlations: ``(A, A)`` of labels, see ``label_correlations``.

    Returns:
        ``(A, A)`` bool: True where the column's attribute competes for the row's region; never where a figure is NaN.

    Example:
        >>> competing(np.array([[1.0, 0.05], [0.05, 1.0]]), np.array([[1.0, -0.1], [-0.1, 1.0]])).tolist()
        [[False, True], [True, False]]
    """
    apart = (overlaps < MOST_OVERLAP) & (np.abs(correlations) < MOST_CORRELATION)
    np.fill_diagonal(apart, val=False)
    return np.asarray(apart)


def region_shares(maps: NDArray[np.floating], regions: NDArray[np.floating], total: NDArray[np.floating]) -> Floats:
    """Compute the share of the evidence for every attribute in every attribute's region.

    Args:
        maps: ``(N, A, h, w)``, S: evidence for the positive class.
        regions: ``(A, h, w)``, or ``(N, A, h, w)`` if each image has its own: Uᵀ1_M, NaN without a region.
        total: ``(h, w)``: Uᵀ1.

    Returns:
        ``(N, A, A)``: of the row's evidence in the column's region; NaN without positive evidence or without a region.

    Example:
        >>> maps = np.array([[[[3.0, 1.0]], [[-1.0, 1.0]]]])
        >>> regions = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> region_shares(maps, regions, np.ones((1, 2))).tolist()
        [[[0.75, 0.25], [0.0, 1.0]]]
    """
    finite = np.isfinite(maps).all((-2, -1))
    positive = np.where(finite[..., None, None], np.clip(np.nan_to_num(maps), 0, None), 0)
    each = np.broadcast_to(regions, (len(maps), *regions.shape[-3:]))
    inside = np.einsum("nahw,nbhw->nab", positive, each, optimize=True)
    whole = np.einsum("nahw,hw->na", positive, total)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where((whole > 0)[..., None], inside / whole[..., None], np.nan))


def region_excess(shares: Floats, labels: NDArray[np.floating], competitors: NDArray[np.bool_]) -> Floats:
    """Compute how much more of an attribute's evidence is in its region than of its competitors' evidence.

    Args:
        shares: ``(N, A, A)``, see ``region_shares``.
        labels: ``(N, A)``: images without the attribute are left out.
        competitors: ``(A, A)``, see ``competing``.

    Returns:
        ``(N, A)``; NaN where the image has not the attribute, its map has no positive evidence, or fewer than
        ``FEWEST`` competitors have a share.

    Example:
        >>> shares = np.full((1, 4, 4), 0.2)
        >>> shares[0, 0, 0] = 0.7
        >>> region_excess(shares, np.ones((1, 4)), ~np.eye(4, dtype=bool)).round(2).tolist()
        [[0.5, 0.0, 0.0, 0.0]]
    """
    result = np.full(labels.shape, np.nan)
    for a, others in enumerate(competitors):
        rest = shares[:, others, a]
        count = np.isfinite(rest).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            excess = shares[:, a, a] - np.nansum(rest, 1) / count
        result[:, a] = np.where((labels[:, a] == 1) & (count >= FEWEST), excess, np.nan)
    return result
