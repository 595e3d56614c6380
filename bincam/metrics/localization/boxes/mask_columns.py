"""What maps say of masks of objects, besides boxes: pixels by level, for PxAP, and the pointing game with its nulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.data.regions.shapes import Mask
from bincam.metrics.localization.boxes.protocols.clean import clean_histograms
from bincam.metrics.localization.boxes.protocols.levels import LEVELS
from bincam.metrics.localization.pointing_game import hit_cells, pointing, pointing_centre, pointing_chance


@dataclass(frozen=True)
class OnMasks:
    """Measures of B images and A attributes on the masks of their objects; NaN and zeros without a mask.

    Attributes:
        pixels: ``(B, A, 2, L + 1)``: see ``clean_histograms``.
        pointing: ``(B, A)``: 1 where the map's peak hits the object, NaN where it has no unique peak.
        pointing_chance: ``(B, A)``: the share of the image that would hit it.
        pointing_centre: ``(B, A)``: 1 where the image's centre hits it.
    """

    pixels: NDArray[np.int64]
    pointing: NDArray[np.float32]
    pointing_chance: NDArray[np.float32]
    pointing_centre: NDArray[np.float32]


def on_masks(
    maps: Tensor, masks: Sequence[Sequence[Mask | None]], size: tuple[int, int], levels: ArrayLike = LEVELS
) -> OnMasks:
    """Measure a batch of maps on the masks of their objects.

    Args:
        maps: ``(B, A, h, w)``, σS, of the side *yes* for GT-known figures.
        masks: ``(H, W)`` or None, B lists of A.
        size: ``(H, W)``.
        levels: As for ``clean_overlaps``.

    Example:
        >>> import torch
        >>> mask = np.zeros((8, 8), bool)
        >>> mask[:2, :2] = True
        >>> found = on_masks(torch.tensor([[[[3.0, 0.0], [0.0, 0.0]]]]), [[mask]], (8, 8))
        >>> found.pointing.item(), found.pointing_centre.item(), int(found.pixels[0, 0, 0].sum())
        (1.0, 0.0, 4)
    """
    shape, grid = (int(maps.shape[0]), int(maps.shape[1])), (int(maps.shape[2]), int(maps.shape[3]))
    hits = np.full((*shape, *grid), np.nan, np.float32)
    chance, centre = (np.full(shape, np.nan, np.float32) for _ in range(2))
    given = [[mask if mask is not None and mask.any() else None for mask in row] for row in masks]
    for b, row in enumerate(given):
        for a, mask in enumerate(row):
            if mask is not None:
                hits[b, a] = hit_cells(mask, grid)
                chance[b, a], centre[b, a] = float(pointing_chance(mask)), float(pointing_centre(mask))
    return OnMasks(
        pixels=clean_histograms(maps, given, size, levels),
        pointing=pointing(maps, torch.from_numpy(hits)).numpy(force=True),
        pointing_chance=chance,
        pointing_centre=centre,
    )
