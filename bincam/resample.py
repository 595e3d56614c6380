"""The upsampling operator U from a model's native grid to an image, and its adjoint.

U is separable half-pixel bilinear interpolation with clamped edges, that is,
``torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=False)``. It is linear, so the energy
of an upsampled map inside a mask M is ⟨S, Uᵀ1_M⟩: the mask is projected onto the grid once, and measuring needs no
full-size maps. At integer ratios every column of U sums to the ratio, so U preserves the mean exactly.
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
    """Apply U: upsample maps from their grid to the size of an image.

    Two small matrix products are several times faster on CPUs than ``interpolate`` (measured in
    ``experiments/bench``), and use the same matrices whose transposes ``project`` uses.

    Args:
        maps: ``(..., h, w)``, floating point.
        size: ``(H, W)`` in pixels.

    Returns:
        ``(..., H, W)``.

    Example:
        >>> import torch
        >>> from bincam.resample import upsample
        >>> upsample(torch.tensor([[0.0, 4.0]]), (1, 4))
        tensor([[0., 1., 3., 4.]])
    """
    import torch

    h, w = maps.shape[-2:]
    # A writable copy: torch cannot wrap the read-only matrix.
    rows, columns = (torch.from_numpy(matrix(n, m).copy()).to(maps) for n, m in ((h, size[0]), (w, size[1])))
    with torch.autocast(maps.device.type, enabled=False):  # half-precision products would not preserve the sums
        wide = maps.reshape(-1, w) @ columns.T  # (N h, W)
        return (rows @ wide.reshape(-1, h, size[1])).reshape(*maps.shape[:-2], *size)


@lru_cache(maxsize=64)
def matrix(n_in: int, n_out: int) -> NDArray[np.float64]:
    """Compute U along one axis.

    Args:
        n_in: Number of grid cells.
        n_out: Number of pixels.

    Returns:
        ``(n_out, n_in)``, read-only; each row sums to 1.

    Raises:
        InputError: A count is below 1.

    Example:
        >>> from bincam.resample import matrix
        >>> matrix(2, 4)
        array([[1.  , 0.  ],
               [0.75, 0.25],
               [0.25, 0.75],
               [0.  , 1.  ]])
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
    """Apply Uᵀ: compute the weight of each grid cell in a sum over the mask.

    Args:
        mask: ``(..., H, W)``, boolean or weights.
        grid: ``(h, w)`` of the maps to measure.

    Returns:
        ``(..., h, w)`` such that ``(S * project(M, grid)).sum() == (upsample(S, (H, W)) * M).sum()`` for every S.

    Raises:
        InputError: The mask has fewer than two axes, or a size is below 1.

    Example:
        >>> import numpy as np
        >>> from bincam.resample import project
        >>> mask = np.zeros((4, 4), bool)
        >>> mask[:, :2] = True  # the left half of the image
        >>> project(mask, (2, 2))
        array([[3.5, 0.5],
               [3.5, 0.5]])
    """
    pixels = np.asarray(mask, dtype=np.float64)
    if pixels.ndim < 2:
        raise InputError(f"a mask has shape (..., H, W), got {pixels.shape}")
    rows = matrix(grid[0], pixels.shape[-2])  # (H, h)
    columns = matrix(grid[1], pixels.shape[-1])  # (W, w)
    weights: NDArray[np.float64] = rows.T @ pixels @ columns
    return weights
