"""Rasteriser: z-buffers of triangles, hair strands and shadow maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
FAR = np.float32(-1e9)


@njit(cache=True)
def triangles(xyz: Array, index: Array, bias: Array, depth: Array, owner: Array, closed: int) -> None:
    """Draw triangles into a z-buffer, in which the nearest (largest z) wins.

    Args:
        xyz: (V, 3) x and y in samples, y down, z towards the viewer.
        index: (T, 3) vertices, anticlockwise when seen from outside in a frame with y up.
        bias: (T,) added to z, so that an eye stays behind its lids.
        depth: (H, W) float32, updated.
        owner: (H, W) int32, updated with the index of the triangle.
        closed: Number of leading triangles of closed surfaces, which are skipped if they face away.
    """
    height, width = depth.shape
    for t in range(len(index)):
        i, j, k = index[t]
        ax, ay, az = xyz[i, 0], xyz[i, 1], xyz[i, 2]
        bx, by, bz = xyz[j, 0], xyz[j, 1], xyz[j, 2]
        cx, cy, cz = xyz[k, 0], xyz[k, 1], xyz[k, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)  # negative if it faces the viewer, because y is down
        if area == 0 or (t < closed and area > 0):
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0 = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        if x0 > x1 or y0 > y1:
            continue
        inv = 1 / np.float64(area)
        du, dv = -(cy - by) * inv, -(ay - cy) * inv  # along a row
        px = x0 + 0.5
        for y in range(y0, y1 + 1):
            py = y + 0.5
            u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inv
            v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inv
            for x in range(x0, x1 + 1):
                w = 1 - u - v
                if u >= 0 and v >= 0 and w >= 0:
                    z = u * az + v * bz + w * cz + bias[t]
                    if z > depth[y, x]:
                        depth[y, x] = z
                        owner[y, x] = t
                u += du
                v += dv


@njit(cache=True)
def strands(xyz: Array, width: float, depth: Array, owner: Array, first: int) -> None:
    """Draw hair into a z-buffer as ribbons that taper towards the tip.

    Args:
        xyz: (S, K, 3) points along S strands in samples, as in :func:`triangles`.
        width: At the root, in samples.
        depth: As in :func:`triangles`.
        owner: As in :func:`triangles`, updated with first + s * K + k for the nearest point k of strand s.
        first: The index of the first point of the first strand.
    """
    rows, columns = depth.shape
    count, knots = xyz.shape[0], xyz.shape[1]
    for s in range(count):
        for k in range(knots - 1):
            ax, ay, az = xyz[s, k, 0], xyz[s, k, 1], xyz[s, k, 2]
            dx, dy, dz = xyz[s, k + 1, 0] - ax, xyz[s, k + 1, 1] - ay, xyz[s, k + 1, 2] - az
            length = max(abs(dx), abs(dy))
            if length > 400 or max(ay, ay + dy) < 0 or min(ay, ay + dy) >= rows:
                continue
            if max(ax, ax + dx) < 0 or min(ax, ax + dx) >= columns:
                continue
            steps = int(np.ceil(length)) + (1 if k == knots - 2 else 0)
            steep = abs(dy) >= abs(dx)
            taper = (k + 0.5) / (knots - 1)
            half = 0.5 * width * (1 - 0.75 * taper * taper * taper)
            scale = 1 / length if length > 0 else 0.0
            dx, dy, dz = dx * scale, dy * scale, dz * scale
            here = first + s * knots + k
            for i in range(steps):
                x, y, z = ax + i * dx, ay + i * dy, az + i * dz
                nearest = here + (1 if 2 * i > steps else 0)
                if steep:
                    row = int(np.floor(y))
                    if 0 <= row < rows:
                        lo = int(np.floor(x - half + 0.5))
                        for column in range(max(lo, 0), min(max(lo, int(np.floor(x + half - 0.5))), columns - 1) + 1):
                            if z > depth[row, column]:
                                depth[row, column] = z
                                owner[row, column] = nearest
                else:
                    column = int(np.floor(x))
                    if 0 <= column < columns:
                        lo = int(np.floor(y - half + 0.5))
                        for row in range(max(lo, 0), min(max(lo, int(np.floor(y + half - 0.5))), rows - 1) + 1):
                            if z > depth[row, column]:
                                depth[row, column] = z
                                owner[row, column] = nearest


@njit(cache=True)
def splat(points: Array, matrix: Array, offset: Array, depth: Array, lower: float) -> None:
    """Draw points (N, 3), transformed by matrix and offset, into a shadow map, each ``lower`` behind its position."""
    rows, columns = depth.shape
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        column = int(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + offset[0])
        row = int(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + offset[1])
        if 0 <= row < rows and 0 <= column < columns:
            near = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + offset[2] - lower
            depth[row, column] = max(depth[row, column], near)


@njit(cache=True)
def transform(points: Array, matrix: Array, offset: Array) -> Array:
    """Transform (N, 3) points by a matrix and an offset."""
    out = np.empty_like(points)
    for i in range(len(points)):
        for c in range(3):
            out[i, c] = (
                matrix[c, 0] * points[i, 0] + matrix[c, 1] * points[i, 1] + matrix[c, 2] * points[i, 2] + offset[c]
            )
    return out
