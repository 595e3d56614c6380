"""How far the head's surface is from its middle in every direction: what hair lies on and hats are made to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.head import Head
from bincam.faces.skin import is_ear

Array = NDArray[Any]

MIDDLE = np.array([0.0, 7.35, 0.40])
ROWS, COLUMNS = 20, 40


def skull(head: Head, points: Array) -> Array:
    """(ROWS, COLUMNS) distances of a mesh from MIDDLE, by elevation from below and azimuth from behind."""
    return _skull(points, head.points, np.unique(head.triangles[head.surface == 0]))


@njit(cache=True)
def _skull(points: Array, place: Array, skin: Array) -> Array:
    grid = np.zeros((ROWS, COLUMNS))
    for v in skin:
        if place[v, 1] < 6.5 or is_ear(place[v, 0], place[v, 1], place[v, 2]):
            continue
        x, y, z = points[v, 0] - MIDDLE[0], points[v, 1] - MIDDLE[1], points[v, 2] - MIDDLE[2]
        r = np.sqrt(x * x + y * y + z * z)
        if r < 0.55:
            continue  # the mouth's inside
        i = min(int((np.arcsin(y / r) / np.pi + 0.5) * ROWS), ROWS - 1)
        j = int((np.arctan2(x, -z) / (2 * np.pi) + 0.5) * COLUMNS) % COLUMNS
        grid[i, j] = max(grid[i, j], r)
    for _ in range(6):  # fill what no vertex met
        old = grid.copy()
        for i in range(ROWS):
            for j in range(COLUMNS):
                if old[i, j] == 0:
                    total, n = 0.0, 0
                    for a in range(-1, 2):
                        for b in range(-1, 2):
                            k = i + a
                            if 0 <= k < ROWS and old[k, (j + b) % COLUMNS] > 0:
                                total += old[k, (j + b) % COLUMNS]
                                n += 1
                    if n:
                        grid[i, j] = total / n
    out = grid.copy()
    for i in range(ROWS):
        for j in range(COLUMNS):
            total, n = 0.0, 0.0
            for a in range(-1, 2):
                for b in range(-1, 2):
                    if 0 <= i + a < ROWS:
                        w = 2.0 if a == 0 and b == 0 else 1.0
                        total += w * grid[i + a, (j + b) % COLUMNS]
                        n += w
            out[i, j] = max(total / n, 0.5 * (grid[i, j] + total / n))
    return out


@njit(cache=True)
def radius(grid: Array, x: float, y: float, z: float) -> float:
    """The surface's distance from MIDDLE in a direction of unit length."""
    u = (np.arcsin(min(max(y, -1.0), 1.0)) / np.pi + 0.5) * ROWS - 0.5
    v = (np.arctan2(x, -z) / (2 * np.pi) + 0.5) * COLUMNS - 0.5
    i, j = int(np.floor(u)), int(np.floor(v))
    fu, fv = u - i, v - j
    i0, i1 = min(max(i, 0), ROWS - 1), min(max(i + 1, 0), ROWS - 1)
    j0, j1 = j % COLUMNS, (j + 1) % COLUMNS
    return (grid[i0, j0] * (1 - fv) + grid[i0, j1] * fv) * (1 - fu) + (grid[i1, j0] * (1 - fv) + grid[i1, j1] * fv) * fu
