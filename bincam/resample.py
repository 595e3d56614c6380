"""The one upsampling operator U, and its adjoint: how a native grid meets an image.

U is separable half-pixel bilinear interpolation with clamped edges, that is,
``torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=False)``. It is linear, so the energy
of an upsampled map inside a mask M is ⟨S, Uᵀ1_M⟩: the mask is brought to the grid once, and full-size maps are never
made for measuring. At integer ratios every column of U sums to the ratio, so U keeps the mean exactly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Apply U: bring maps from their grid to an image's size.

    Two small matrix products do it, which on CPUs is several times faster than ``interpolate`` (measured in
    ``experiments/bench``) and uses the very matrices whose transposes ``project`` uses.

    Args:
        maps: ``(..., h, w)``, floating.
        size: ``(H, W)`` in pixels.

    Returns:
        ``(..., H, W)``.
    """
    import torch

    h, w = maps.shape[-2:]
    # A writable copy: torch cannot wrap the read-only matrix.
    rows, columns = (torch.from_numpy(matrix(n, m).copy()).to(maps) for n, m in ((h, size[0]), (w, size[1])))
    with torch.autocast(maps.device.type, enabled=False):  # half-precision products would not keep the sums
        wide = maps.reshape(-1, w) @ columns.T  # (N h, W)
        return (rows @ wide.reshape(-1, h, size[1])).reshape(*maps.shape[:-2], *size)


@lru_cache(maxsize=64)
def matrix(n_in: int, n_out: int) -> NDArray[np.float64]:
    """U along one axis.

    Args:
        n_in: Cells of the grid.
        n_out: Pixels of the image.

    Returns:
        ``(n_out, n_in)``, read-only; each row sums to 1.

    Raises:
        InputError: A count below 1.
    """
    if n_in < 1 or n_out < 1:
        raise InputError(f"a grid needs at least one cell and an image one pixel, got {n_in} cells and {n_out} pixels")
    source = np.clip((np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5, 0.0, n_in - 1.0)
    low = np.floor(source).astype(np.intp)
    high = np.minimum(low + 1, n_in - 1)
    result = np.zeros((n_out, n_in))
    np.add.at(result, (np.arange(n_out), low), 1.0 - (source - low))
    np.add.at(result, (np.arange(n_out), high), source - low)
    result.setflags(write=False)
    return result


def project(mask: ArrayLike, grid: tuple[int, int]) -> NDArray[np.float64]:
    """Apply Uᵀ: the weight with which each grid cell enters a sum over the mask.

    Args:
        mask: ``(..., H, W)``, boolean or weights.
        grid: ``(h, w)`` of the maps to be measured.

    Returns:
        ``(..., h, w)`` such that ``(S * project(M, grid)).sum() == (upsample(S, (H, W)) * M).sum()`` for every S.

    Raises:
        InputError: The mask has fewer than two axes, or a size below 1.
    """
    pixels = np.asarray(mask, dtype=np.float64)
    if pixels.ndim < 2:
        raise InputError(f"a mask has shape (..., H, W), got {pixels.shape}")
    rows = matrix(grid[0], pixels.shape[-2])  # (H, h)
    columns = matrix(grid[1], pixels.shape[-1])  # (W, w)
    weights: NDArray[np.float64] = rows.T @ pixels @ columns
    return weights
