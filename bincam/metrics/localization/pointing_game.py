"""Where a map peaks, and whether that is in a region: the pointing game.

The upsampled map is bilinear between the centres of neighbouring cells, and a bilinear patch is nowhere above its
highest corner. So the highest point of the continuous map is the centre of the strongest cell, whatever the image's
size. (On a pixel lattice that has no pixel there, the highest pixel is one beside it, and may even belong to another
cell of nearly the same strength; that is the lattice's doing, and is not followed.) A region therefore enters as a
small table: which cells' centres hit it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.errors import InputError
from bincam.metrics.localization.energy import evidence

TOLERANCE = 15 / 224  # of the image's shorter side: the 15 pixels of the first pointing games


def peak(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The centre of the strongest cell, as shares of the image's width and height.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        x and y, each ``(B, A)`` in (0, 1), from the top left corner; NaN for a map that is empty, constant (a single
        cell is) or not finite, and where several cells are equally strong.
    """
    index, known = _strongest(maps)
    h, w = maps.shape[2:]
    row, column = index.div(w, rounding_mode="floor"), index.remainder(w)
    dtype = torch.float64 if maps.dtype == torch.float64 else torch.float32
    nan = torch.full(index.shape, torch.nan, dtype=dtype, device=maps.device)
    x, y = (column.to(dtype) + 0.5) / w, (row.to(dtype) + 0.5) / h
    return torch.where(known, x, nan), torch.where(known, y, nan)


def pointing(maps: Tensor, hits: Tensor) -> Tensor:
    """The pointing game: 1 where the map's peak hits the region, 0 where it misses.

    Zhang et al. 2018, Top-down Neural Attention by Excitation Backprop, arXiv 1608.00507. Deviations: the peak
    is that of the continuous map (see above), not of a lattice of pixels, and without a single peak there is no answer,
    so that the first pixel of a constant map scores nothing.

    Args:
        maps: ``(B, A, h, w)``, σS.
        hits: ``(B, A, h, w)``, or ``(A, h, w)`` for regions that all images share: what ``hit_cells`` gives.

    Returns:
        ``(B, A)``: 1 or 0; NaN where the peak is (``peak``), and where the region is empty or missing.

    Raises:
        InputError: The table's shape is not that of the maps.
    """
    if hits.shape not in (maps.shape, maps.shape[1:]):
        raise InputError(f"hits have shape {tuple(hits.shape)}, the maps {tuple(maps.shape)}")
    index, known = _strongest(maps)
    table = hits.to(device=maps.device).expand_as(maps).flatten(2)  # (B, A, hw)
    at_peak = table.gather(-1, index[..., None])[..., 0].to(torch.float32)
    return torch.where(known, at_peak, torch.full_like(at_peak, torch.nan))


def hit_cells(mask: ArrayLike, grid: tuple[int, int], tolerance: float = TOLERANCE) -> NDArray[np.float32]:
    """Which cells' centres hit a region, that is, lie in one of its pixels or no further from one than the tolerance.

    A pixel is the square from i to i + 1; the distance is the Euclidean one to the nearest point of it.

    Args:
        mask: ``(..., H, W)``, boolean.
        grid: ``(h, w)`` of the maps.
        tolerance: As a share of the image's shorter side.

    Returns:
        ``(..., h, w)``: 1 or 0; NaN throughout where the region is empty.

    Raises:
        InputError: The mask has fewer than two axes or none of a pixel, the tolerance is negative, or a grid has no
            cell.
    """
    pixels = np.asarray(mask, dtype=bool)
    if pixels.ndim < 2 or 0 in pixels.shape[-2:]:
        raise InputError(f"a mask has shape (..., H, W), got {pixels.shape}")
    size = (pixels.shape[-2], pixels.shape[-1])
    near, valid = _neighbours(grid, size, tolerance)
    flat = pixels.reshape(*pixels.shape[:-2], -1)
    found = (flat[..., near] & valid).any(-1)  # (..., hw)
    known = np.where(flat.any(-1, keepdims=True), found, np.nan).astype(np.float32)
    return known.reshape(*pixels.shape[:-2], *grid)


def _strongest(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the strongest cell ``(B, A)``, and whether it alone is strongest and positive."""
    r = evidence(maps)
    top = r.max(-1)
    alone = (r == top.values[..., None]).sum(-1) == 1
    return top.indices, alone & (top.values > 0) & (r.shape[-1] > 1) & ~r.isnan().any(-1)


@lru_cache(maxsize=16)
def _neighbours(
    grid: tuple[int, int], size: tuple[int, int], tolerance: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Pixels within reach of each cell's centre: indices and which of them count, each ``(hw, n)``."""
    if min(grid) < 1:
        raise InputError(f"a grid needs at least one cell, got {grid[0]} x {grid[1]}")
    if not 0 <= tolerance < np.inf:
        raise InputError(f"tolerance={tolerance}; expected a share of the image's shorter side, 0 or more")
    reach = tolerance * min(size)
    gaps, indices = [], []
    for cells, pixels in zip(grid, size, strict=True):
        centre = (np.arange(cells) + 0.5) * (pixels / cells)
        window = np.floor(centre).astype(np.intp)[:, None] + np.arange(-int(reach) - 1, int(reach) + 2)  # (cells, n)
        gap = np.maximum(np.maximum(window - centre[:, None], centre[:, None] - window - 1), 0)
        gaps.append(np.where((window >= 0) & (window < pixels), gap, np.inf))
        indices.append(window.clip(0, pixels - 1))
    distance = np.hypot(gaps[0][:, None, :, None], gaps[1][None, :, None, :])  # (h, w, n, m)
    flat = indices[0][:, None, :, None] * size[1] + indices[1][None, :, None, :]
    # The slack keeps a pixel at exactly the tolerance in, whatever the rounding of the centre.
    valid = (distance <= reach + 1e-9).reshape(grid[0] * grid[1], -1)
    near = np.broadcast_to(flat, distance.shape).reshape(valid.shape)
    some = valid.any(0)
    return near[:, some], valid[:, some]
