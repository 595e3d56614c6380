"""Compiled loops over the records of a shard that add whole numbers to sums by cluster: their order cannot matter."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

BITS = 36
"""Values are added as whole multiples of their column's unit, of which the greatest is 2 to this power."""

SQUARED_BITS = 31
"""Before they are squared, values are rounded to this many bits, so that a square fits into 64."""

PROBABILITY = 2.0**-30
"""Unit of probabilities and of what follows from them."""


@njit(cache=True, nogil=True)
def _labelled(cell: int) -> bool:
    """Whether an index into ``CELLS`` is one of true and false positives and negatives; -1 is none."""
    return 0 <= cell <= 3


@njit(cache=True, nogil=True)
def _positive(cell: int) -> bool:
    """Whether an index into ``CELLS`` is that of images with the attribute: TP or FN."""
    return cell in (0, 2)


@njit(cache=True, nogil=True)
def add_measures(
    codes: NDArray[np.int32],
    cells: NDArray[np.int8],
    values: NDArray[np.float32],
    scale: NDArray[np.float64],
    sums: NDArray[np.int64],
    counts: NDArray[np.int32],
    squares: NDArray[np.int64],
) -> None:
    """Add the measures of n images.

    Args:
        codes: ``(n,)``: the images' clusters.
        cells: ``(n, A)``: indices into ``CELLS``; -1 for none.
        values: ``(C, n, A)``; NaN where undefined.
        scale: ``(C,)``: units per 1.
        sums: ``(K, A, 6, C)``, added to.
        counts: ``(K, A, 6, C)``, added to.
        squares: ``(A, 6, C, 2)``: upper and lower 32 bits of squares in ``SQUARED_BITS``, added to.
    """
    n, A = cells.shape
    for i in range(n):
        k = codes[i]
        for a in range(A):
            d = cells[i, a]
            if d < 0:
                continue
            for c in range(values.shape[0]):
                x = values[c, i, a]
                if not np.isfinite(x):
                    continue
                units = np.int64(np.rint(x * scale[c]))
                sums[k, a, d, c] += units
                counts[k, a, d, c] += 1
                half = units >> (BITS - SQUARED_BITS)
                square = half * half
                squares[a, d, c, 0] += square >> 32
                squares[a, d, c, 1] += square & 0xFFFFFFFF


@njit(cache=True, nogil=True)
def add_scores(
    codes: NDArray[np.int32],
    cells: NDArray[np.int8],
    bins: NDArray[np.int32],
    logit: NDArray[np.float32],
    of_cells: NDArray[np.int32],
    histogram: NDArray[np.int64],
    ends: NDArray[np.float64],
) -> None:
    """Count the cells of n images by cluster, and their scores by class.

    Args:
        codes: As for ``add_measures``.
        cells: As for ``add_measures``.
        bins: ``(n, A)``: bins of the logits.
        logit: ``(n, A)``.
        of_cells: ``(K, A, 6)``, added to.
        histogram: ``(A, 2, bins)``: of negatives and of positives, added to.
        ends: ``(A, 3, 2)``: least and greatest finite logit of negatives, positives and all, replaced.
    """
    n, A = cells.shape
    for i in range(n):
        k = codes[i]
        for a in range(A):
            d = cells[i, a]
            if d < 0:
                continue
            of_cells[k, a, d] += 1
            z = np.float64(logit[i, a])
            ends[a, 2, 0] = min(ends[a, 2, 0], z)
            ends[a, 2, 1] = max(ends[a, 2, 1], z)
            if not _labelled(d):
                continue
            y = 1 if _positive(d) else 0
            histogram[a, y, bins[i, a]] += 1
            ends[a, y, 0] = min(ends[a, y, 0], z)
            ends[a, y, 1] = max(ends[a, y, 1], z)


@njit(cache=True, nogil=True)
def add_placements(
    codes: NDArray[np.int32],
    cells: NDArray[np.int8],
    bins: NDArray[np.int32],
    tables: NDArray[np.int64],
    cuts: NDArray[np.int32],
    placed: NDArray[np.int64],
    inside: NDArray[np.int32],
) -> None:
    """Add what n images contribute to AUROC and average precision, and whether they are inside stated thresholds.

    Args:
        codes: As for ``add_measures``.
        cells: As for ``add_measures``.
        bins: As for ``add_scores``.
        tables: ``(A, 2, 2, bins)``: contribution by figure, class and bin, in whole units.
        cuts: ``(A, R)``: bins of thresholds; below them is outside.
        placed: ``(K, A, 2, 2)``: by figure and class, added to.
        inside: ``(K, A, R, 2)``: number of negatives and positives at or above, added to.
    """
    n, A = cells.shape
    for i in range(n):
        k = codes[i]
        for a in range(A):
            d = cells[i, a]
            if not _labelled(d):
                continue
            y = 1 if _positive(d) else 0
            b = bins[i, a]
            placed[k, a, 0, y] += tables[a, 0, y, b]
            placed[k, a, 1, y] += tables[a, 1, y, b]
            for r in range(cuts.shape[1]):
                if b >= cuts[a, r]:
                    inside[k, a, r, y] += 1


@njit(cache=True, nogil=True)
def add_regression(
    codes: NDArray[np.int32],
    cells: NDArray[np.int8],
    odds: NDArray[np.float64],
    fits: NDArray[np.float64],
    scale: float,
    sums: NDArray[np.int64],
) -> None:
    """Add what n images contribute to logistic regressions of the label on the log-odds.

    Args:
        codes: As for ``add_measures``.
        cells: As for ``add_measures``.
        odds: ``(n, A)``.
        fits: ``(A, 4)``: centre and scale of the log-odds, intercept and slope; NaN where nothing is fitted.
        scale: Units per 1.
        sums: ``(K, A, 7)``: r, rx, w, wx, wx², √w, √w·x with the residual r and w = p(1 - p), added to.
    """
    n, A = cells.shape
    for i in range(n):
        k = codes[i]
        for a in range(A):
            d = cells[i, a]
            if not _labelled(d) or np.isnan(fits[a, 2]) or not np.isfinite(odds[i, a]):
                continue
            x = (odds[i, a] - fits[a, 0]) / fits[a, 1]
            p = 1 / (1 + np.exp(-(fits[a, 2] + fits[a, 3] * x)))
            w = p * (1 - p)
            r = (1.0 if _positive(d) else 0.0) - p
            root = np.sqrt(w)
            sums[k, a, 0] += np.int64(np.rint(r * scale))
            sums[k, a, 1] += np.int64(np.rint(r * x * scale))
            sums[k, a, 2] += np.int64(np.rint(w * scale))
            sums[k, a, 3] += np.int64(np.rint(w * x * scale))
            sums[k, a, 4] += np.int64(np.rint(w * x * x * scale))
            sums[k, a, 5] += np.int64(np.rint(root * scale))
            sums[k, a, 6] += np.int64(np.rint(root * x * scale))


@njit(cache=True, nogil=True)
def in_bins(
    cells: NDArray[np.int8],
    probability: NDArray[np.float64],
    bins: int,
    binned: NDArray[np.int8],
    units: NDArray[np.int64],
) -> None:
    """Express the probabilities p of n images as whole numbers.

    Args:
        cells: As for ``add_measures``.
        probability: ``(n, A)``; NaN where undefined.
        bins: Number of bins of equal width.
        binned: ``(n, A)``: bin of each; -1 where there is no probability or no label, replaced.
        units: ``(n, A, 3)``: p, (p - y)² and p(1 - p) in units, replaced.
    """
    n, A = cells.shape
    per_one = 1 / PROBABILITY
    for i in range(n):
        for a in range(A):
            d, p = cells[i, a], probability[i, a]
            if not _labelled(d) or np.isnan(p):
                binned[i, a] = -1
                continue
            binned[i, a] = min(int(p * bins), bins - 1)
            e = p - (1.0 if _positive(d) else 0.0)
            units[i, a, 0] = np.int64(p * per_one + 0.5)
            units[i, a, 1] = np.int64(e * e * per_one + 0.5)
            units[i, a, 2] = np.int64(p * (1 - p) * per_one + 0.5)


@njit(cache=True, nogil=True)
def add_probabilities(
    codes: NDArray[np.int32],
    place: NDArray[np.int32],
    cells: NDArray[np.int8],
    binned: NDArray[np.int8],
    units: NDArray[np.int64],
    counts: NDArray[np.int32],
    sums: NDArray[np.int64],
    moments: NDArray[np.int64],
) -> None:
    """Add the probabilities p of n images to reliability bins, by cluster and by value of a division.

    Args:
        codes: As for ``add_measures``.
        place: ``(n,)``: the images' values; -1 for none.
        cells: As for ``add_measures``.
        binned: Of ``in_bins``.
        units: Of ``in_bins``.
        counts: ``(K, A, V, 2 bins + 2)``: images and positives of each bin, and images with p - y below -½, and above
            ½, added to.
        sums: ``(K, A, V, bins + 1)``: of p in each bin, and of (p - y)², added to.
        moments: ``(A, V, bins, 2)``: of (p - y)² and p(1 - p), added to.
    """
    n, A = cells.shape
    bins = moments.shape[2]
    half = np.int64(0.5 / PROBABILITY)
    for i in range(n):
        k, v = codes[i], place[i]
        if v < 0:
            continue
        for a in range(A):
            b = binned[i, a]
            if b < 0:
                continue
            d, p, square = cells[i, a], units[i, a, 0], units[i, a, 1]
            of_counts, of_sums, of_moments = counts[k, a, v], sums[k, a, v], moments[a, v, b]
            of_counts[2 * b] += 1
            if _positive(d):
                of_counts[2 * b + 1] += 1
                if p < half:
                    of_counts[2 * bins] += 1
            elif p > half:
                of_counts[2 * bins + 1] += 1
            of_sums[b] += p
            of_sums[bins] += square
            of_moments[0] += square
            of_moments[1] += units[i, a, 2]


@njit(cache=True, nogil=True)
def add_divided(
    codes: NDArray[np.int32],
    place: NDArray[np.int32],
    cells: NDArray[np.int8],
    values: NDArray[np.float32],
    scale: NDArray[np.float64],
    of_cells: NDArray[np.int32],
    sums: NDArray[np.int64],
    counts: NDArray[np.int32],
) -> None:
    """Add cells and measures of n images by cluster and by value of a division.

    Args:
        codes: As for ``add_measures``.
        place: As for ``add_probabilities``.
        cells: As for ``add_measures``.
        values: As for ``add_measures``.
        scale: As for ``add_measures``.
        of_cells: ``(K, A, V, 6)``, added to.
        sums: ``(K, A, V, C)``, added to.
        counts: ``(K, A, V, C)``, added to.
    """
    n, A = cells.shape
    for i in range(n):
        k, v = codes[i], place[i]
        if v < 0:
            continue
        for a in range(A):
            d = cells[i, a]
            if d < 0:
                continue
            of_cells[k, a, v, d] += 1
            for c in range(values.shape[0]):
                x = values[c, i, a]
                if np.isfinite(x):
                    sums[k, a, v, c] += np.int64(np.rint(x * scale[c]))
                    counts[k, a, v, c] += 1
