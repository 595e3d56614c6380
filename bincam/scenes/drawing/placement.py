"""Places of the objects of a scene: random, wholly in the image, and none of them hidden."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.scenes.drawing.raster import owners
from bincam.scenes.drawing.shapes import inside, reach

Array = NDArray[Any]

PLACES: tuple[str, ...] = ("any", "centre", "edges", "corner")
"""Where the centres of objects are: anywhere, in the middle half of both axes, outside of it, or top left."""
VISIBLE = 0.85
"""The least share of an object that is seen; later objects cover earlier ones."""
_TRIES = 40  # places per object before the whole layout is begun anew
_EDGES, _CORNER, _CENTRE = PLACES.index("edges"), PLACES.index("corner"), PLACES.index("centre")


@njit(cache=True)
def arrange(
    rng: Any, shapes: Array, sides: Array, size: int, places: int, mark: Array, attempts: int, objects: Array,
    owner: Array, samples: Array,
) -> int:  # fmt: skip
    """Place objects at random until at least ``VISIBLE`` of each is seen.

    Args:
        rng: A numpy generator.
        shapes: (K,) shape of each object, in the order of drawing.
        sides: (K,) pixels.
        size: Of the image, in pixels.
        places: Index into ``PLACES``.
        mark: (4,) box that objects keep clear of; empty (zeros) for none.
        attempts: Layouts to try.
        objects: (K, 5), filled: shape, x, y, side, turn.
        owner: As in :func:`bincam.scenes.drawing.raster.owners`, filled.
        samples: (K, 2), filled with what that returns.

    Returns:
        The number of layouts tried; 0 where none was found.
    """
    for attempt in range(attempts):
        if not _layout(rng, shapes, sides, size, places, mark, objects):
            continue
        samples[:] = owners(objects, owner)
        clear = True
        for k in range(len(objects)):
            clear = clear and samples[k, 0] >= VISIBLE * samples[k, 1]
        if clear:
            return attempt + 1
    return 0


@njit(cache=True)
def _layout(rng: Any, shapes: Array, sides: Array, size: int, places: int, mark: Array, objects: Array) -> bool:
    """Place the objects one after the other, judging overlap by the centres of pixels."""
    seen = np.zeros((size, size), np.int8)
    whole, left_over = np.zeros(len(shapes), np.int64), np.zeros(len(shapes), np.int64)
    lost = np.zeros(len(shapes), np.int64)
    for k in range(len(shapes)):
        placed = False
        for _ in range(_TRIES):
            turn = 2 * np.pi * rng.random()
            across, down = rng.random(), rng.random()
            west, north, east, south = reach(shapes[k], sides[k], turn)
            x0, y0, x1, y1 = west, north, size - east, size - south
            if places == _CORNER:
                x1, y1 = min(x1, size / 2), min(y1, size / 2)
            elif places == _CENTRE:
                x0, y0, x1, y1 = max(x0, size / 4), max(y0, size / 4), min(x1, 3 * size / 4), min(y1, 3 * size / 4)
            if x1 < x0 or y1 < y0:
                continue
            x, y = x0 + across * (x1 - x0), y0 + down * (y1 - y0)
            if places == _EDGES and max(abs(x - size / 2), abs(y - size / 2)) < size / 4:
                continue
            if mark[2] and x + east > mark[0] - 1 and y + south > mark[1] - 1:
                continue
            objects[k, 0], objects[k, 1], objects[k, 2], objects[k, 3], objects[k, 4] = shapes[k], x, y, sides[k], turn
            own = _cover(objects[k], seen, lost, -1)
            clear = own > 0
            for before in range(k):
                clear = clear and left_over[before] - lost[before] >= VISIBLE * whole[before]
            if clear:
                _cover(objects[k], seen, lost, k + 1)
                left_over -= lost
                whole[k] = left_over[k] = own
                placed = True
                break
        if not placed:
            return False
    return True


@njit(cache=True)
def _cover(one: Array, seen: Array, lost: Array, write: int) -> int:
    """Count an object's pixels and those it takes from each earlier object; with ``write`` > 0, take them."""
    shape, side, turn = int(one[0]), one[3], one[4]
    west, north, east, south = reach(shape, side, turn)
    cos, sin = np.cos(turn) / side, np.sin(turn) / side
    lost[:] = 0
    count = 0
    for row in range(max(0, int(one[2] - north)), min(len(seen), int(one[2] + south) + 1)):
        dy = row + 0.5 - one[2]
        for column in range(max(0, int(one[1] - west)), min(len(seen), int(one[1] + east) + 1)):
            dx = column + 0.5 - one[1]
            if inside(shape, dx * cos + dy * sin, dy * cos - dx * sin):
                count += 1
                before = seen[row, column]
                if before > 0:
                    lost[before - 1] += 1
                if write > 0:
                    seen[row, column] = write
    return count
