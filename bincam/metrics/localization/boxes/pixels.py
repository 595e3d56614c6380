"""Pixel average precision (PxAP): a map's values as scores of pixels, against masks.

Choe et al. 2020, arXiv 2001.07437, section 4.1: precision and recall over the pixels of all images together, at one
threshold for all, and the area under their curve as the sum of precision times the step in recall. Per image only two
histograms are kept, so that sums over images, and over people, give any figure. Images without a mask have none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.metrics.localization.boxes.protocols.clovaai import THRESHOLDS
from bincam.metrics.localization.boxes.protocols.components import checked_levels
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined

Counts = NDArray[np.int64]


def pixel_histograms(
    scores: ArrayLike, mask: ArrayLike, ignore: ArrayLike | None = None, thresholds: ArrayLike = THRESHOLDS
) -> Counts:
    """Count the scores of an image's pixels, inside and outside of its mask.

    Args:
        scores: ``(H, W)`` in [0, 1], from ``clean_scores`` or ``clovaai_scores``.
        mask: ``(H, W)``, boolean; its scores are positives.
        ignore: ``(H, W)``, boolean: pixels that count neither way, unless the mask has them. None ignores none.
        thresholds: ``(T - 1,)``, increasing from 0 to below 1; the public code's thousand by default. A score of 1 is
            a last threshold by itself, as in the public code.

    Returns:
        ``(2, T)``: pixels of the mask, and other pixels, from each threshold to below the next.

    Raises:
        InputError: Shapes differ, or a score is not within [0, 1].

    Example:
        >>> from bincam.metrics import pixel_histograms
        >>> pixel_histograms([[0.1, 0.6, 1.0]], [[0, 1, 1]], thresholds=[0, 0.5]).tolist()
        [[0, 1, 1], [1, 0, 0]]
    """
    values, inside = np.asarray(scores, np.float64), np.asarray(mask, bool)
    left_out = np.zeros(inside.shape, bool) if ignore is None else np.asarray(ignore, bool)
    if not values.shape == inside.shape == left_out.shape:
        raise InputError(
            f"scores, mask and ignored pixels have one shape, got {values.shape}, {inside.shape} and {left_out.shape}"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError("scores of pixels are in [0, 1]; scale the map first (clean_scores, clovaai_scores)")
    edges = np.append(np.asarray(thresholds, np.float64), 1.0)
    bins = np.searchsorted(edges, values, side="right") - 1
    return np.stack([np.bincount(bins[where], minlength=len(edges)) for where in (inside, ~inside & ~left_out)])


def level_histograms(values: ArrayLike, mask: ArrayLike, levels: ArrayLike, ignore: ArrayLike | None = None) -> Counts:
    """Count an image's pixels by the highest level that they are above, inside and outside of its mask.

    These are the pixels {v > τ max v} from which boxes are made, so that boxes and PxAP have the same thresholds. It
    is much faster than ``pixel_histograms``, whose thresholds are those of the public code.

    Args:
        values: ``(H, W)``, evidence; float32.
        mask: ``(H, W)``, boolean.
        levels: ``(L,)``, increasing within [0, 1).
        ignore: As for ``pixel_histograms``.

    Returns:
        ``(2, L + 1)``: pixels of the mask, and others; first those that are above no level, then those above each level
        and not above the next. If no value is positive, all are above none.

    Raises:
        InputError: Shapes differ.

    Example:
        >>> from bincam.metrics import level_histograms, pxap
        >>> counts = level_histograms([[0.0, 6.0, 10.0]], [[0, 1, 1]], levels=[0, 0.5])
        >>> counts.tolist(), pxap(counts)
        ([[0, 0, 2], [1, 0, 0]], 1.0)
    """
    image, inside = np.ascontiguousarray(values, np.float32), np.ascontiguousarray(mask, bool)
    if image.shape != inside.shape or image.ndim != 2:
        raise InputError(f"values and mask have one shape (H, W), got {image.shape} and {inside.shape}")
    cuts = checked_levels(levels) * max(float(image.max()), 0.0)
    if ignore is not None:
        left_out = np.asarray(ignore, bool)
        if left_out.shape != inside.shape:
            raise InputError(f"mask and ignored pixels have one shape, got {inside.shape} and {left_out.shape}")
        counted = inside | ~left_out
        image, inside = image[counted][None], inside[counted][None]
    return _count_above(image, inside, cuts)


def pxap(histograms: ArrayLike) -> float:
    """Compute the average precision of pixels from the sum of images' histograms.

    Args:
        histograms: ``(2, T)``.

    Returns:
        In [0, 1] (the public code reports percent); NaN without a pixel of a mask.

    Example:
        >>> from bincam.metrics import pxap
        >>> pxap([[0, 0, 2], [2, 0, 0]]), pxap([[2], [6]])  # perfect, and constant scores: the share of the mask
        (1.0, 0.25)
    """
    inside, outside = np.asarray(histograms, np.float64)[:, ::-1].cumsum(1)  # from the highest threshold down
    if not inside[-1]:
        return float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(inside / (inside + outside))
    return float((precision * np.diff(inside / inside[-1], prepend=0.0)).sum())


def pxap_estimate(histograms: ArrayLike, clusters: Clusters, level: float = LEVEL) -> Estimate:
    """Estimate PxAP over N images, with the interval of the jackknife over clusters.

    The figure pools the pixels of all images, so large objects weigh more. Without each cluster in turn it changes by
    what that cluster contributes; the interval is Student's t with the jackknife's variance, cut at 0 and 1.

    Args:
        histograms: ``(N, 2, T)``; zeros for an image without a mask.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        The estimate; ``images`` are those with a mask. Undefined without one.

    Example:
        >>> import numpy as np
        >>> from bincam.metrics import pxap_estimate
        >>> from bincam.stats import Clusters
        >>> counts = np.array([[[0, 5], [5, 0]], [[1, 4], [4, 1]], [[5, 0], [5, 0]]])
        >>> found = pxap_estimate(counts, Clusters.of(["", "", ""]))
        >>> round(found.value, 3), found.images, found.status, found.method
        (0.74, 3, 'small', 'jackknife over images, t')
    """
    from scipy import stats

    counts = np.asarray(histograms, np.int64)
    if counts.ndim != 3 or counts.shape[1] != 2 or len(counts) != len(clusters.codes):
        raise InputError(
            f"histograms are (N, 2, T) of as many images as the clusters have ({len(clusters.codes)}), got "
            f"{counts.shape}"
        )
    method = f"jackknife over {'identities' if clusters.known else 'images'}, t"
    masked = counts[:, 0].sum(1) > 0
    images = int(masked.sum())
    total = counts.sum(0)
    value = pxap(total)
    _, codes = np.unique(clusters.codes[masked], return_inverse=True)
    people = int(codes.max()) + 1 if images else 0
    if np.isnan(value):
        return undefined(method, images, people if clusters.known else None)
    low = high = float("nan")
    if people > 1:
        own = np.zeros((people, *total.shape), np.int64)
        np.add.at(own, codes, counts[masked])
        without = np.array([pxap(total - one) for one in own])
        error = float(np.sqrt((people - 1) / people * np.sum((without - without.mean()) ** 2)))
        half = float(stats.t.ppf((1 + level) / 2, people - 1)) * error
        low, high = max(0.0, value - half), min(1.0, value + half)
    return estimate(value, low, high, images, people if clusters.known else None, method)


@njit(cache=True, nogil=True)
def _count_above(values: NDArray[Any], inside: NDArray[Any], cuts: NDArray[Any]) -> NDArray[Any]:
    """Count the pixels of a mask and the others by the number of cuts that they are above.

    Args:
        values: (H, W).
        inside: (H, W), boolean.
        cuts: (L,) increasing.

    Returns:
        (2, L + 1).
    """
    height, width = values.shape
    count = len(cuts)
    counts = np.zeros((2, count + 1), np.int64)
    step = cuts[-1] / (count - 1) if count > 1 and cuts[-1] > 0 else 1.0
    for y in range(height):
        for x in range(width):
            v = np.float64(values[y, x])
            # Levels are usually evenly spaced; the guess is made exact by comparing with the cuts.
            k = int(v / step)
            k = 0 if k < 0 else count if k > count else k  # min and max slow the loop's types down
            while k < count and cuts[k] < v:
                k += 1
            while k > 0 and cuts[k - 1] >= v:
                k -= 1
            counts[0 if inside[y, x] else 1, k] += 1
    return counts
