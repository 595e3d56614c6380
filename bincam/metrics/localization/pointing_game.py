"""The pointing game: hits of a map's peak on a region.

The upsampled map is bilinear between the centres of neighbouring cells, and a bilinear patch does not exceed its
highest corner. The maximum of the continuous map is therefore at the centre of the strongest cell, for any image size.
(If no pixel centre coincides with it, the highest pixel is a neighbour, possibly of another cell of nearly the same
strength; this is an artefact of the pixel grid and is not reproduced.) A region is therefore passed as a small table of
the cells whose centres hit it.

A rate of hits stands beside two figures that need no map: its chance, and the score of the image's centre.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.errors import InputError
from bincam.metrics.localization.energy import evidence

TOLERANCE = 15 / 224  # of the image's shorter side: the 15 pixels of the original pointing game

SLACK = 1e-9
"""Pixels by which a distance may exceed the tolerance, so that rounding does not exclude one that is equal to it."""


def peak(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Find the centre of the strongest cell, as shares of the image's width and height.

    Args:
        maps: ``(B, A, h, w)``, σS.

    Returns:
        x and y, each ``(B, A)`` in (0, 1), from the top left corner; NaN for a map that has no positive evidence, is
        constant (a map of one cell is) or not finite, and where several cells are equally strong.

    Example:
        >>> import torch
        >>> from bincam.metrics import peak
        >>> x, y = peak(torch.tensor([[[[0.0, 2.0], [1.0, -3.0]]]]))
        >>> x.item(), y.item()
        (0.75, 0.25)
    """
    index, unique = _strongest(maps)
    h, w = maps.shape[2:]
    row, column = index.div(w, rounding_mode="floor"), index.remainder(w)
    dtype = torch.float64 if maps.dtype == torch.float64 else torch.float32
    nan = torch.full(index.shape, torch.nan, dtype=dtype, device=maps.device)
    x, y = (column.to(dtype) + 0.5) / w, (row.to(dtype) + 0.5) / h
    return torch.where(unique, x, nan), torch.where(unique, y, nan)


def pointing(maps: Tensor, hits: Tensor) -> Tensor:
    """Play the pointing game: 1 where the map's peak hits the region, 0 where it misses.

    Zhang et al. 2018, Top-down Neural Attention by Excitation Backprop, arXiv 1608.00507. Deviations: the peak is that
    of the continuous map (see above) instead of a pixel grid, and the result is undefined without a unique peak, so
    that the first pixel of a constant map does not count.

    Args:
        maps: ``(B, A, h, w)``, σS.
        hits: ``(B, A, h, w)``, or ``(A, h, w)`` for regions that all images share, from ``hit_cells``.

    Returns:
        ``(B, A)``: 1 or 0; NaN where ``peak`` is NaN, and where the region is empty or missing.

    Raises:
        InputError: The table's shape is not that of the maps.

    Example:
        >>> import numpy as np, torch
        >>> from bincam.metrics import hit_cells, pointing
        >>> mask = np.zeros((1, 8, 8), bool)
        >>> mask[:, :4, 4:] = True  # the top right quarter
        >>> maps = torch.tensor([[[[0.0, 2.0], [1.0, -3.0]]]])
        >>> pointing(maps, torch.from_numpy(hit_cells(mask, (2, 2)))).item()
        1.0
    """
    if hits.shape not in (maps.shape, maps.shape[1:]):
        raise InputError(f"hits have shape {tuple(hits.shape)}, the maps {tuple(maps.shape)}")
    index, unique = _strongest(maps)
    table = hits.to(device=maps.device).expand_as(maps).flatten(2)  # (B, A, hw)
    at_peak = table.gather(-1, index[..., None])[..., 0].to(torch.float32)
    return torch.where(unique, at_peak, torch.full_like(at_peak, torch.nan))


def hit_cells(mask: ArrayLike, grid: tuple[int, int], tolerance: float = TOLERANCE) -> NDArray[np.float32]:
    """Find cells whose centres hit a region: they are inside one of its pixels or within the tolerance of one.

    A pixel is the square from i to i + 1; the distance is the Euclidean distance to its nearest point.

    Args:
        mask: ``(..., H, W)``, boolean.
        grid: ``(h, w)`` of the maps.
        tolerance: As a share of the image's shorter side.

    Returns:
        ``(..., h, w)``: 1 or 0; NaN in all cells where the region is empty.

    Raises:
        InputError: The mask has fewer than two axes or no pixel, the tolerance is negative, or the grid has no cell.

    Example:
        >>> import numpy as np
        >>> from bincam.metrics import hit_cells
        >>> mask = np.zeros((8, 8), bool)
        >>> mask[:4, 4:] = True
        >>> hit_cells(mask, (2, 2)).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    pixels = _masks(mask)
    size = (pixels.shape[-2], pixels.shape[-1])
    near, valid = _neighbours(grid, size, tolerance)
    flat = pixels.reshape(*pixels.shape[:-2], -1)
    hits = (flat[..., near] & valid).any(-1)  # (..., hw)
    table = np.where(flat.any(-1, keepdims=True), hits, np.nan).astype(np.float32)
    return table.reshape(*pixels.shape[:-2], *grid)


def pointing_chance(mask: ArrayLike, tolerance: float = TOLERANCE) -> NDArray[np.float64]:
    """Compute the chance of the pointing game: the share of the image within the tolerance of the region.

    It is what a peak that is anywhere with equal probability scores; pixels stand for the points in them.

    Args:
        mask: ``(..., H, W)``, boolean.
        tolerance: As for ``hit_cells``.

    Returns:
        ``(...)``; NaN where the region is empty.

    Raises:
        InputError: As for ``hit_cells``.

    Example:
        >>> import numpy as np
        >>> from bincam.metrics import pointing_chance
        >>> mask = np.zeros((8, 8), bool)
        >>> mask[:4, 4:] = True
        >>> pointing_chance(mask, tolerance=0).item(), pointing_chance(mask, tolerance=1 / 8).item()
        (0.25, 0.390625)
    """
    import cv2

    pixels = _masks(mask)
    reach = _reach(tolerance, (pixels.shape[-2], pixels.shape[-1]))
    span = int(min(reach + 0.5, max(pixels.shape[-2:])))  # further than the image is long is everywhere
    offset = np.maximum(np.abs(np.arange(-span, span + 1)) - 0.5, 0)
    near = (np.hypot(offset[:, None], offset) <= reach + SLACK).astype(np.uint8)
    shares = []
    for one in pixels.reshape(-1, *pixels.shape[-2:]):
        y, x = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
        if not len(y):
            shares.append(np.nan)
            continue
        rows, columns = (slice(max(0, at[0] - span), at[-1] + 1 + span) for at in (y, x))  # nothing is near beyond
        window = np.ascontiguousarray(one[rows, columns]).view(np.uint8)
        shares.append(int(cv2.dilate(window, near).sum()) / one.size)
    return np.array(shares, np.float64).reshape(pixels.shape[:-2])


def pointing_centre(mask: ArrayLike, tolerance: float = TOLERANCE) -> NDArray[np.float32]:
    """Play the pointing game with the image's centre instead of a map's peak.

    Args:
        mask: ``(..., H, W)``, boolean.
        tolerance: As for ``hit_cells``.

    Returns:
        ``(...)``: 1 or 0; NaN where the region is empty.

    Raises:
        InputError: As for ``hit_cells``.

    Example:
        >>> import numpy as np
        >>> from bincam.metrics import pointing_centre
        >>> mask = np.zeros((8, 8), bool)
        >>> mask[0, 0] = True
        >>> pointing_centre([mask, ~mask]).tolist()
        [0.0, 1.0]
    """
    return hit_cells(mask, (1, 1), tolerance)[..., 0, 0]


def _masks(mask: ArrayLike) -> NDArray[np.bool_]:
    pixels = np.asarray(mask, dtype=bool)
    if pixels.ndim < 2 or 0 in pixels.shape[-2:]:
        raise InputError(f"a mask has shape (..., H, W), got {pixels.shape}")
    return pixels


def _reach(tolerance: float, size: tuple[int, int]) -> float:
    """Return the tolerance in pixels."""
    if not 0 <= tolerance < np.inf:
        raise InputError(f"tolerance={tolerance}; expected a share of the image's shorter side, 0 or more")
    return tolerance * min(size)


def _strongest(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the index of the strongest cell ``(B, A)``, and True where it is positive and the only strongest one."""
    r = evidence(maps)
    top = r.max(-1)
    single = (r == top.values[..., None]).sum(-1) == 1
    return top.indices, single & (top.values > 0) & (r.shape[-1] > 1) & ~r.isnan().any(-1)


@lru_cache(maxsize=16)
def _neighbours(
    grid: tuple[int, int], size: tuple[int, int], tolerance: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Find the pixels within the tolerance of each cell's centre: indices and their validity, each ``(hw, n)``."""
    if min(grid) < 1:
        raise InputError(f"a grid needs at least one cell, got {grid[0]} x {grid[1]}")
    reach = _reach(tolerance, size)
    gaps, indices = [], []
    for cells, pixels in zip(grid, size, strict=True):
        centre = (np.arange(cells) + 0.5) * (pixels / cells)
        window = np.floor(centre).astype(np.intp)[:, None] + np.arange(-int(reach) - 1, int(reach) + 2)  # (cells, n)
        gap = np.maximum(np.maximum(window - centre[:, None], centre[:, None] - window - 1), 0)
        gaps.append(np.where((window >= 0) & (window < pixels), gap, np.inf))
        indices.append(window.clip(0, pixels - 1))
    distance = np.hypot(gaps[0][:, None, :, None], gaps[1][None, :, None, :])  # (h, w, n, m)
    flat = indices[0][:, None, :, None] * size[1] + indices[1][None, :, None, :]
    valid = (distance <= reach + SLACK).reshape(grid[0] * grid[1], -1)
    near = np.broadcast_to(flat, distance.shape).reshape(valid.shape)
    used = valid.any(0)
    return near[:, used], valid[:, used]
