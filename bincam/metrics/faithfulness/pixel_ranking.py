"""Ranking of pixels by a map, with exact counts and ties in random order.

A percentile of a sparse map is 0 and selects every pixel at once; a stable sort removes a constant map row by row. Here
pixels are ranked, ties in random order, and a fraction is a number of ranks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.errors import InputError
from bincam.resample import upsample

RESOLUTION = 1e-6  # of a map's largest magnitude; pixels that differ by less are ties


def ranks(maps: Tensor, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Rank the pixels of upsampled maps.

    The signed map is ranked, so pixels that oppose the explained side are last. Values are compared at a resolution of
    1e-6 of the map's largest magnitude, so that the rounding of the interpolation does not determine the order. Ties
    follow one random order from the seed, which is the same for every map and therefore does not depend on the batch.

    Args:
        maps: ``(..., h, w)``, σS.
        size: ``(H, W)`` of the images.
        seed: Seed of the order of ties; the global random state is neither read nor changed.

    Returns:
        ``(..., H, W)``, int64: 0 for the strongest pixel, HW - 1 for the weakest. The ranks of a map with NaN are
        meaningless.

    Raises:
        InputError: The maps have fewer than two axes.

    Example:
        >>> import torch
        >>> from bincam.metrics import ranks
        >>> ranks(torch.tensor([[4.0, 1.0], [3.0, 2.0]]), (2, 2)).tolist()
        [[0, 3], [1, 2]]
    """
    if maps.ndim < 2:
        raise InputError(f"maps have shape (..., h, w), got {tuple(maps.shape)}")
    wide = maps.detach().double().nan_to_num()
    largest = wide.abs().amax((-2, -1), keepdim=True)
    steps = upsample(wide / torch.where(largest > 0, largest, 1.0), size).div(RESOLUTION).round()
    flat = steps.reshape(-1, size[0] * size[1])  # (N, HW)
    shuffled = torch.randperm(flat.shape[1], generator=torch.Generator().manual_seed(seed)).to(flat.device)
    order = shuffled[flat[:, shuffled].argsort(stable=True, dim=-1, descending=True)]
    places = torch.arange(flat.shape[1], device=flat.device).expand_as(order)
    return torch.empty_like(order).scatter_(-1, order, places).reshape(*maps.shape[:-2], *size)


def strongest(ranked: Tensor, fraction: float) -> Tensor:
    """Mask exactly a fraction of the pixels, the strongest.

    Args:
        ranked: ``(..., H, W)``, from ``ranks``.
        fraction: From 0 to 1; the count is rounded to the nearest pixel.

    Returns:
        ``(..., H, W)`` bool with the same number of True pixels in every map.

    Raises:
        InputError: ``fraction`` is outside [0, 1].

    Example:
        >>> import torch
        >>> from bincam.metrics import strongest, weakest
        >>> order = torch.tensor([[0, 3], [1, 2]])
        >>> strongest(order, 0.25).tolist(), weakest(order, 0.25).tolist()
        ([[True, False], [False, False]], [[False, True], [False, False]])
    """
    if not 0 <= fraction <= 1:
        raise InputError(f"fraction={fraction}; expected a share of the pixels from 0 to 1")
    return ranked < _count(ranked, fraction)


def weakest(ranked: Tensor, fraction: float) -> Tensor:
    """Mask exactly a fraction of the pixels, the weakest; arguments and errors are those of ``strongest``.

    Example:
        >>> import torch
        >>> from bincam.metrics import weakest
        >>> weakest(torch.tensor([[0, 3], [1, 2]]), 0.5).tolist()
        [[False, True], [False, True]]
    """
    return strongest(ranked.shape[-2] * ranked.shape[-1] - 1 - ranked, fraction)


def _count(ranked: Tensor, fraction: float) -> int:
    return int(fraction * ranked.shape[-2] * ranked.shape[-1] + 0.5)
