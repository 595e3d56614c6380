"""Z-buffers: which triangle each sample of the image shows, and hair strands drawn over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
FAR = np.float32(-1e9)


@njit(cache=True)
def triangles(xyz: Array, index: Array, bias: Array, depth: Array, owner: Array, cull: bool) -> None:
    """Draw triangles into a z-buffer; the nearer (larger z) wins.

    Args:
        xyz: (V, 3) x and y in samples, y down, z towards the viewer.
        index: (T, 3) vertices, anticlockwise as seen from outside in a frame whose y goes up.
        bias: (T,) added to z, so that an eye stays behind its lids.
        depth: (H, W) float32, updated.
        owner: (H, W) int32, updated with the triangle's index.
        cull: Leave out triangles that face away.
    """
    height, width = depth.shape
    for t in range(len(index)):
        i, j, k = index[t]
        ax, ay, az = xyz[i, 0], xyz[i, 1], xyz[i, 2]
        bx, by, bz = xyz[j, 0], xyz[j, 1], xyz[j, 2]
        cx, cy, cz = xyz[k, 0], xyz[k, 1], xyz[k, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)  # negative when it faces the viewer: y goes down
        if area == 0 or (cull and area > 0):
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0 = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        if x0 > x1 or y0 > y1:
            continue
        inv = 1 / area
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inv
                v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inv
                w = 1 - u - v
                if u >= 0 and v >= 0 and w >= 0:
                    z = u * az + v * bz + w * cz + bias[t]
                    if z > depth[y, x]:
                        depth[y, x] = z
                        owner[y, x] = t


@njit(cache=True)
def strands(
    xyz: Array, rgb: Array, width: Array, label: Array, depth: Array, owner: Array, colour: Array, first: int
) -> None:
    """Draw hair into a z-buffer as ribbons of one colour across, which run from width to nothing at the tip.

    Args:
        xyz: (S, K, 3) points along S strands in samples, as in :func:`triangles`.
        rgb: (S, K, 3) linear colour at each point.
        width: (S,) in samples.
        label: (S,) int32 parts.
        depth, owner: As in :func:`triangles`; owner gets first + label.
        colour: (H, W, 3) float32, updated.
        first: Owners below this are triangles.
    """
    rows, columns = depth.shape
    count, knots = xyz.shape[0], xyz.shape[1]
    for s in range(count):
        for k in range(knots - 1):
            ax, ay, az = xyz[s, k, 0], xyz[s, k, 1], xyz[s, k, 2]
            bx, by, bz = xyz[s, k + 1, 0], xyz[s, k + 1, 1], xyz[s, k + 1, 2]
            dx, dy = bx - ax, by - ay
            length = max(abs(dx), abs(dy))
            if length > 60 or max(ay, by) < 0 or min(ay, by) >= rows or max(ax, bx) < 0 or min(ax, bx) >= columns:
                continue
            steps = int(np.ceil(length)) + (1 if k == knots - 2 else 0)
            steep = abs(dy) >= abs(dx)
            for i in range(steps):
                f = min(i / length, 1.0) if length > 0 else 0.0
                x, y, z = ax + f * dx, ay + f * dy, az + f * (bz - az)
                taper = (k + f) / (knots - 1)
                half = 0.5 * width[s] * (1 - 0.75 * taper * taper * taper)
                middle = x if steep else y
                lo = int(np.floor(middle - half + 0.5))
                hi = max(lo, int(np.floor(middle + half - 0.5)))
                other = int(np.floor(y if steep else x))
                for m in range(lo, hi + 1):
                    row, column = (other, m) if steep else (m, other)
                    if 0 <= row < rows and 0 <= column < columns and z > depth[row, column]:
                        depth[row, column] = z
                        owner[row, column] = first + label[s]
                        for c in range(3):
                            colour[row, column, c] = rgb[s, k, c] + f * (rgb[s, k + 1, c] - rgb[s, k, c])


@njit(cache=True)
def splat(xyz: Array, depth: Array, lower: float) -> None:
    """Enter points (N, 3) into a shadow map, each a little behind where it is."""
    rows, columns = depth.shape
    for i in range(len(xyz)):
        column, row = int(xyz[i, 0]), int(xyz[i, 1])
        if 0 <= row < rows and 0 <= column < columns and xyz[i, 2] - lower > depth[row, column]:
            depth[row, column] = xyz[i, 2] - lower
