"""The skull, to which hair and hats are fitted: the distance of the head's surface from its middle by direction."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.geometry.head import load
from bincam.faces.geometry.surface_regions import is_ear

Array = NDArray[Any]

MIDDLE = np.array([0.0, 7.35, 0.40])
SIDE = 30  # cells of the grid of directions along each axis


@cache
def _skin() -> Array:
    """Return the vertices of the head's skin without ears, neck and the inside of the mouth."""
    head = load()
    y = head.points[:, 1]
    outer = np.linalg.norm(head.points - MIDDLE, axis=1) > 0.55
    ears = np.array([is_ear(*p) for p in head.points])
    skin = np.zeros(len(y), bool)
    skin[head.triangles[head.surface == 0]] = True
    return np.flatnonzero(skin & outer & ~ears & (y > 6.5))


def skull(points: Array) -> Array:
    """Return (SIDE, SIDE), distances of a mesh (V, 3) from MIDDLE by direction, in octahedral layout."""
    return _skull(points, _skin())


@njit(cache=True)
def _unfold(x: float, y: float, z: float) -> tuple[float, float]:
    """Return the cell coordinates of a direction: straight up is the middle of the grid, straight down its corners."""
    s = 1 / (abs(x) + abs(y) + abs(z))
    u, v = x * s, z * s
    if y < 0:
        u, v = (1 - abs(v)) * (1.0 if u >= 0 else -1.0), (1 - abs(u)) * (1.0 if v >= 0 else -1.0)
    return (u + 1) * 0.5 * SIDE - 0.5, (v + 1) * 0.5 * SIDE - 0.5


@njit(cache=True)
def _skull(points: Array, skin: Array) -> Array:
    grid = np.zeros((SIDE, SIDE))
    for n in skin:
        x, y, z = points[n, 0] - MIDDLE[0], points[n, 1] - MIDDLE[1], points[n, 2] - MIDDLE[2]
        u, v = _unfold(x, y, z)
        i, j = min(int(v + 0.5), SIDE - 1), min(int(u + 0.5), SIDE - 1)
        grid[i, j] = max(grid[i, j], np.sqrt(x * x + y * y + z * z))
    for _ in range(8):  # fill the cells without a vertex
        old = grid.copy()
        for i in range(SIDE):
            for j in range(SIDE):
                if old[i, j] == 0:
                    total, n = 0.0, 0
                    for a in range(max(i - 1, 0), min(i + 2, SIDE)):
                        for b in range(max(j - 1, 0), min(j + 2, SIDE)):
                            if old[a, b] > 0:
                                total += old[a, b]
                                n += 1
                    if n:
                        grid[i, j] = total / n
    out = grid.copy()
    for i in range(SIDE):
        for j in range(SIDE):
            total, n = 2 * grid[i, j], 2
            for a in range(max(i - 1, 0), min(i + 2, SIDE)):
                for b in range(max(j - 1, 0), min(j + 2, SIDE)):
                    total += grid[a, b]
                    n += 1
            out[i, j] = max(total / n, 0.5 * (grid[i, j] + total / n))
    return out


@njit(cache=True)
def radius(grid: Array, x: float, y: float, z: float) -> float:
    """Interpolate the distance of the surface from MIDDLE in a direction."""
    u, v = _unfold(x, y, z)
    u, v = min(max(u, 0.0), SIDE - 1.001), min(max(v, 0.0), SIDE - 1.001)
    i, j = int(v), int(u)
    fv, fu = v - i, u - j
    top = grid[i, j] * (1 - fu) + grid[i, j + 1] * fu
    low = grid[i + 1, j] * (1 - fu) + grid[i + 1, j + 1] * fu
    return float(top * (1 - fv) + low * fv)
