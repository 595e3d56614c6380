"""Connected components of a map at all thresholds in one pass.

Pixels are added from the highest level down. A union-find joins each one to its neighbours and carries the size and
the bounds of every component, so that a level costs nothing beyond the pixels that it adds: the cost does not depend
on the number of levels. Components are 8-connected. The result is exact at every level.

Whatever concerns all components at once, such as the best overlap with a true box among those alive, is kept per
component with the range of levels in which its box is unchanged. Such a range is entered into a sparse table in
constant time, and the maxima are read off at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError

Array = NDArray[Any]
Integers = NDArray[np.int32]
Floats = NDArray[np.float64]

BINS = 16384
"""Entries of the table that finds a value's level; a value is then at most a few levels from its entry."""

NONE = np.int32(2**31 - 1)

SIZE, LEFT, TOP, RIGHT, BOTTOM, FIRST, SINCE, STAMP = range(8)
"""What is kept per component: pixels, bounds, first pixel in raster order, level since which its box is as it is, and
the level at which it was last listed as changed, -1 where a new or joined one is to be listed."""


@dataclass(frozen=True)
class Components:
    """Components of a map at L levels.

    Attributes:
        boxes: ``(L, 4)``: x0, y0, x1, y1 of the largest component, ends exclusive; -1 where no pixel is above.
        sizes: ``(L,)``: its pixels; 0 where there is none.
        best: ``(L,)``: the best IoU of any component's box with any true box; NaN without either.

    Example:
        >>> from bincam.metrics import components_at
        >>> found = components_at([[1.0, 0.0, 3.0, 3.0]], levels=[0.1, 0.5])
        >>> found.boxes.tolist(), found.sizes.tolist()
        ([[2, 0, 4, 1], [2, 0, 4, 1]], [2, 2])
    """

    boxes: Integers
    sizes: Integers
    best: Floats


def components_at(values: ArrayLike, levels: ArrayLike, truth: ArrayLike | None = None) -> Components:
    """Find the components of {v > τ max v} at every level τ.

    The largest component is the one with most pixels. Among several, it is the one that holds the first maximum in
    raster order, otherwise the one whose first pixel comes first. Thresholds are compared in float64.

    Args:
        values: ``(H, W)``, finite; it is converted to float32.
        levels: ``(L,)`` in [0, 1), increasing.
        truth: ``(K, 4)``, true boxes with exclusive ends; None if no overlap is asked for.

    Returns:
        The components; no box at any level if no value is positive.

    Raises:
        InputError: The values are not a finite image, or the levels do not increase within [0, 1).

    Example:
        >>> from bincam.metrics import components_at
        >>> values = [[0.0, 9.0, 0.0, 4.0], [0.0, 0.0, 0.0, 4.0]]
        >>> found = components_at(values, levels=[0.2, 0.5], truth=[[3, 0, 4, 2]])
        >>> found.boxes.tolist(), found.best.tolist()
        ([[3, 0, 4, 2], [1, 0, 2, 1]], [1.0, 0.0])
    """
    image = np.ascontiguousarray(values, dtype=np.float32)
    if image.ndim != 2 or 0 in image.shape or not np.isfinite(image).all():
        raise InputError(f"values are finite and (H, W), got shape {image.shape}")
    high = float(image.max())
    cuts = checked_levels(levels) * high
    true = np.zeros((0, 4)) if truth is None else np.ascontiguousarray(truth, dtype=np.float64).reshape(-1, 4)
    boxes, sizes = np.full((len(cuts), 4), -1, np.int32), np.zeros(len(cuts), np.int32)
    best = np.full(len(cuts), np.nan)
    if high > 0:
        # What is not above the lowest cut is in no component, so only the window around the rest is looked at.
        above = image > cuts[0]
        y, x = np.flatnonzero(above.any(1)), np.flatnonzero(above.any(0))
        corner = np.array([x[0], y[0]] * 2)
        inside = np.ascontiguousarray(image[y[0] : y[-1] + 1, x[0] : x[-1] + 1])
        _grow(inside, cuts, true - corner, boxes, sizes, best)
        boxes[sizes > 0] += corner.astype(np.int32)
    return Components(boxes, sizes, best)


def checked_levels(levels: ArrayLike) -> Floats:
    """Return levels as an array, or refuse those that do not increase within [0, 1).

    >>> checked_levels([0, 0.5]).tolist()
    [0.0, 0.5]
    """
    result = np.asarray(levels, np.float64)
    if result.ndim != 1 or not len(result) or not (np.diff(result) > 0).all() or not 0 <= result[0] <= result[-1] < 1:
        raise InputError(f"levels increase within [0, 1), as shares of a map's maximum; got {levels!r}")
    return result


def component_mask(values: ArrayLike, level: float) -> NDArray[np.bool_]:
    """Draw the component that ``components_at`` boxes at one level.

    Args:
        values: ``(H, W)``, finite.
        level: τ.

    Returns:
        ``(H, W)``, empty if no value is positive.

    Example:
        >>> from bincam.metrics import component_mask
        >>> component_mask([[0.0, 9.0, 0.0, 4.0], [0.0, 0.0, 0.0, 4.0]], 0.2).astype(int).tolist()
        [[0, 0, 0, 1], [0, 0, 0, 1]]
    """
    from scipy import ndimage

    image = np.asarray(values, np.float32)
    above = image > checked_levels([level])[0] * float(image.max()) if image.max() > 0 else np.zeros(image.shape, bool)
    labelled, count = ndimage.label(above, np.ones((3, 3), int))
    if not count:
        return above
    sizes = np.bincount(labelled.ravel())[1:]
    peak = int(labelled.ravel()[int(image.argmax())])
    largest = np.flatnonzero(sizes == sizes.max()) + 1  # labels are in the raster order of first pixels
    kept = peak if peak in largest else int(largest[0])
    mask: NDArray[np.bool_] = labelled == kept
    return mask


@njit(cache=True, nogil=True)
def _order(values: Array, cuts: Array, ends: Array) -> tuple[Array, int]:
    """Sort the pixels above the lowest cut by their highest cut, descending, and within it in raster order.

    Args:
        values: (H, W).
        cuts: (L,) increasing.
        ends: (L + 1,), zeros; updated so that the pixels of cut k are order[ends[k + 1]:ends[k]].

    Returns:
        The pixels as y * W + x, and the first pixel of the maximum.
    """
    height, width = values.shape
    count = len(cuts)
    high, peak = values[0, 0], 0
    for y in range(height):
        for x in range(width):
            if values[y, x] > high:
                high, peak = values[y, x], y * width + x
    scale = BINS / np.float64(high)
    table = np.empty(BINS, np.int32)
    k = 0
    for b in range(BINS):
        while k < count and cuts[k] < b / scale:
            k += 1
        table[b] = k
    level = np.empty(height * width, np.int32)
    for y in range(height):
        for x in range(width):
            v = np.float64(values[y, x])
            if v <= cuts[0]:
                level[y * width + x] = -1
                continue
            k = table[min(int(v * scale), BINS - 1)]
            # The table is a guess; comparing with the cuts makes it exact, also where v * scale was rounded.
            while k < count and cuts[k] < v:
                k += 1
            while k > 0 and cuts[k - 1] >= v:
                k -= 1
            level[y * width + x] = k - 1
            ends[k - 1] += 1
    for k in range(count - 1, -1, -1):
        ends[k] += ends[k + 1]
    order = np.empty(ends[0], np.int32)
    place = ends[1:].copy()
    for pixel in range(height * width):
        k = level[pixel]
        if k >= 0:
            order[place[k]] = pixel
            place[k] += 1
    return order, peak


@njit(cache=True, nogil=True)
def _root(parent: Array, component: int) -> int:
    """Find the component that one has become part of, halving the path to it."""
    while parent[component] != component:
        parent[component] = parent[parent[component]]
        component = parent[component]
    return component


@njit(cache=True, nogil=True)
def _overlap(about: Array, truth: Array) -> float:
    """The best IoU of a component's box with a true box."""
    best = 0.0
    area = (about[RIGHT] - about[LEFT]) * (about[BOTTOM] - about[TOP])
    for k in range(len(truth)):
        across = min(about[RIGHT], truth[k, 2]) - max(about[LEFT], truth[k, 0])
        down = min(about[BOTTOM], truth[k, 3]) - max(about[TOP], truth[k, 1])
        if across > 0 and down > 0:
            both = across * down
            own = (truth[k, 2] - truth[k, 0]) * (truth[k, 3] - truth[k, 1])
            best = max(best, both / (area + own - both))
    return best


@njit(cache=True, nogil=True)
def _enter(table: Array, logs: Array, first: int, last: int, score: float) -> None:
    """Raise the levels first to last to a score: two overlapping ranges of a power of two in the sparse table."""
    j = logs[last - first + 1]
    table[j, first] = max(table[j, first], score)
    other = last - (1 << j) + 1
    table[j, other] = max(table[j, other], score)


@njit(cache=True, nogil=True)
def _join(
    parent: Array, about: Array, score: Array, one: int, other: int, level: int, table: Array, logs: Array
) -> int:
    """Join the component of a neighbour to that of a pixel, -1 if it has none yet, and return that of both."""
    other = _root(parent, other)
    if other == one or one < 0:
        return other
    if about[other, SIZE] > about[one, SIZE]:
        one, other = other, one
    parent[other] = one
    about[one, STAMP] = -1
    if about[other, SINCE] > level:  # its box was alive down to the level above
        _enter(table, logs, level + 1, about[other, SINCE], score[other])
    about[one, SIZE] += about[other, SIZE]
    about[one, LEFT] = min(about[one, LEFT], about[other, LEFT])
    about[one, TOP] = min(about[one, TOP], about[other, TOP])
    about[one, RIGHT] = max(about[one, RIGHT], about[other, RIGHT])
    about[one, BOTTOM] = max(about[one, BOTTOM], about[other, BOTTOM])
    about[one, FIRST] = min(about[one, FIRST], about[other, FIRST])
    return one


@njit(cache=True, nogil=True)
def _grow(values: Array, cuts: Array, truth: Array, boxes: Array, sizes: Array, best: Array) -> None:
    """Fill the largest component's box and size, and the best overlap, at every cut; see ``components_at``.

    The union-find is over components, not pixels: one begins where a pixel has no added neighbour, so there are few.
    """
    height, width = values.shape
    count, stride = len(cuts), width + 2
    ends = np.zeros(count + 1, np.int64)
    order, peak = _order(values, cuts, ends)
    peak = (peak // width + 1) * stride + peak % width + 1
    logs = np.zeros(count + 1, np.int32)
    for n in range(2, count + 1):
        logs[n] = logs[n // 2] + 1
    table = np.full((logs[count] + 1, count if len(truth) else 0), -1.0)
    label = np.full((height + 2) * stride, -1, np.int32)  # a frame of one pixel is never added
    most_components = ((height + 1) // 2) * ((width + 1) // 2)  # no two of them began as neighbours
    parent = np.empty(most_components, np.int32)
    about = np.empty((most_components, 8), np.int32)
    score = np.empty(most_components)
    touched = np.empty(2 * most_components, np.int32)  # a component that another joined may be listed again
    components, largest, most = 0, -1, 0
    for level in range(count - 1, -1, -1):
        changed = 0
        for i in range(ends[level + 1], ends[level]):
            pixel = order[i]
            y = pixel // width
            x = pixel - y * width
            p = (y + 1) * stride + x + 1
            above, below = p - stride, p + stride
            around = (
                label[above - 1],
                label[above],
                label[above + 1],
                label[p - 1],
                label[p + 1],
                label[below - 1],
                label[below],
                label[below + 1],
            )
            # Nearly always the neighbours are of one component, which is seen without a branch for each.
            high, low = label[p], NONE
            for neighbour in around:
                high = max(high, neighbour)
                low = min(low, neighbour & NONE)  # -1 becomes the largest number
            c = -1
            if high == low:
                c = _root(parent, high)
            elif high >= 0:
                for neighbour in around:
                    if neighbour >= 0:
                        c = _join(parent, about, score, c, neighbour, level, table, logs)
            if c < 0:
                c = components
                components += 1
                parent[c] = c
                about[c, SIZE], about[c, FIRST], about[c, SINCE], about[c, STAMP] = 0, pixel, -1, -1
                about[c, LEFT], about[c, TOP], about[c, RIGHT], about[c, BOTTOM] = x, y, x + 1, y + 1
            label[p] = c
            about[c, SIZE] += 1
            about[c, FIRST] = min(about[c, FIRST], pixel)
            grows = x < about[c, LEFT] or x >= about[c, RIGHT] or y < about[c, TOP] or y >= about[c, BOTTOM]
            if grows:
                about[c, LEFT], about[c, RIGHT] = min(about[c, LEFT], x), max(about[c, RIGHT], x + 1)
                about[c, TOP], about[c, BOTTOM] = min(about[c, TOP], y), max(about[c, BOTTOM], y + 1)
            size = about[c, SIZE]
            if size > most:
                largest, most = c, size
            elif size == most and c != largest:
                top = _root(parent, label[peak]) if label[peak] >= 0 else -1
                if c == top or (largest != top and about[c, FIRST] < about[largest, FIRST]):
                    largest = c
            if len(truth) and (about[c, STAMP] < 0 or (grows and about[c, STAMP] != level)):
                about[c, STAMP] = level
                touched[changed] = c
                changed += 1
        for i in range(changed):
            c = touched[i]
            if parent[c] != c:
                continue
            now = _overlap(about[c], truth)
            if about[c, SINCE] >= 0 and now != score[c]:
                _enter(table, logs, level + 1, about[c, SINCE], score[c])
            if about[c, SINCE] < 0 or now != score[c]:
                about[c, SINCE], score[c] = level, now
        if most:
            sizes[level] = most
            boxes[level, 0], boxes[level, 1] = about[largest, LEFT], about[largest, TOP]
            boxes[level, 2], boxes[level, 3] = about[largest, RIGHT], about[largest, BOTTOM]
    if len(truth):
        for c in range(components):
            if parent[c] == c:
                _enter(table, logs, 0, about[c, SINCE], score[c])
        for j in range(len(table) - 1, 0, -1):
            half = 1 << (j - 1)
            for k in range(count - 2 * half + 1):
                table[j - 1, k] = max(table[j - 1, k], table[j, k])
                table[j - 1, k + half] = max(table[j - 1, k + half], table[j, k])
        for k in range(count):
            if table[0, k] >= 0:
                best[k] = table[0, k]
