"""The order in which a map removes or reveals pixels, with exact counts and without favouring any place among ties.

A percentile of a sparse map is 0 and takes every pixel at once; a sort that keeps the order of equals removes a
constant map line by line. Here pixels are ranked, equal ones in an order drawn at random, and a fraction is a count of
ranks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.errors import InputError
from bincam.resample import upsample

RESOLUTION = 1e-6  # of a map's largest magnitude: pixels closer than this are equal


def ranks(maps: Tensor, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Rank the pixels of upsampled maps.

    The signed map is ranked, so pixels that speak against the explained side come last. Interpolation's rounding makes
    no
    order: values are compared at a resolution of 1e-6 of the map's largest magnitude. Among equals the order is drawn
    once from the seed, the same for every map, so that it depends on no batch; a constant map is removed in that order.

    Args:
        maps: ``(..., h, w)``, σS.
        size: ``(H, W)`` of the images.
        seed: Of the order among equals; the global random state is neither read nor changed.

    Returns:
        ``(..., H, W)``, int64: 0 for the strongest pixel, HW - 1 for the weakest. Of a map with NaN, without meaning.

    Raises:
        InputError: The maps have fewer than two axes.
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
        ranked: ``(..., H, W)``, of ``ranks``.
        fraction: From 0 to 1; the count is rounded to the nearest pixel.

    Returns:
        ``(..., H, W)`` bool with the same number of True pixels in every map.

    Raises:
        InputError: A fraction outside [0, 1].
    """
    if not 0 <= fraction <= 1:
        raise InputError(f"fraction={fraction}; expected a share of the pixels from 0 to 1")
    return ranked < _count(ranked, fraction)


def weakest(ranked: Tensor, fraction: float) -> Tensor:
    """Mask exactly a fraction of the pixels, the weakest. As ``strongest``."""
    return strongest(ranked.shape[-2] * ranked.shape[-1] - 1 - ranked, fraction)


def _count(ranked: Tensor, fraction: float) -> int:
    return int(fraction * ranked.shape[-2] * ranked.shape[-1] + 0.5)
