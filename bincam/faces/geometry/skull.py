"""How far the head's surface is from its middle in every direction: what hair lies on and hats are made to."""

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
SIDE = 30


@cache
def _skin() -> Array:
    """Vertices of the skin of the head, without ears, neck and the mouth's inside."""
    head = load()
    y = head.points[:, 1]
    outer = np.linalg.norm(head.points - MIDDLE, axis=1) > 0.55
    ears = np.array([is_ear(*p) for p in head.points])
    skin = np.zeros(len(y), bool)
    skin[head.triangles[head.surface == 0]] = True
    return np.flatnonzero(skin & outer & ~ears & (y > 6.5))


def skull(points: Array) -> Array:
    """(SIDE, SIDE) distances of a face's mesh from MIDDLE; directions are laid out as on an unfolded octahedron."""
    return _skull(points, _skin())


@njit(cache=True)
def _unfold(x: float, y: float, z: float) -> tuple[float, float]:
    """The place of a direction in the grid, in cells: straight up is its middle, straight down its corners."""
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
    for _ in range(8):  # fill what no vertex met
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
    """The surface's distance from MIDDLE in a direction."""
    u, v = _unfold(x, y, z)
    u, v = min(max(u, 0.0), SIDE - 1.001), min(max(v, 0.0), SIDE - 1.001)
    i, j = int(v), int(u)
    fv, fu = v - i, u - j
    top = grid[i, j] * (1 - fu) + grid[i, j + 1] * fu
    low = grid[i + 1, j] * (1 - fu) + grid[i + 1, j + 1] * fu
    return float(top * (1 - fv) + low * fv)
