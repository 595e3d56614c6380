"""The columns of a batch: what an audit's pass records of its maps' boxes, and of what these must beat.

Everything is per image and attribute, on the batch's maps in memory, without another forward pass. Pairs without a true
box cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.data.regions.shapes import Mask
from bincam.display import counted
from bincam.errors import InputError
from bincam.metrics.localization.boxes.constant import ConstantBoxes
from bincam.metrics.localization.boxes.mask_columns import OnMasks, on_masks
from bincam.metrics.localization.boxes.nulls import box_nulls
from bincam.metrics.localization.boxes.overlaps import Overlaps, Truth, checked_truth, decoded, encoded
from bincam.metrics.localization.boxes.protocols.clean import clean_overlaps
from bincam.metrics.localization.boxes.protocols.levels import FIXED, LEVELS

Masks = Sequence[Sequence[Mask | None]]


@dataclass(frozen=True)
class BoxColumns:
    """Measures of B images and A attributes, NaN where undefined; IoU is with the box around the object.

    Attributes:
        cam: ``(B, A)``: IoU of the map's box at τ = .2.
        centred: ``(B, A)``: of the centred box of mean size.
        constant: ``(B, A)``: of the attribute's constant box.
        projected: ``(B, A)``: of the projected mask at τ = .2.
        reach: ``(B, A)``: the best that the grid can give.
        status: ``(B, A)`` int8, see ``STATUSES``.
        levels: ``(L,)``.
        one: ``(B, A, L)`` uint8: the curve of the largest component's box, see ``encoded``.
        several: ``(B, A, L)`` uint8: the curve of the best component's box.
        projected_one: ``(B, A, L)`` uint8: the curve of the projected mask, for its own best threshold.
        on_masks: Pixels by level and the pointing game; None where only boxes are known.

    Example:
        >>> import torch
        >>> from bincam.metrics import box_columns
        >>> columns = box_columns(torch.zeros(1, 1, 2, 2), [[[[4, 4, 8, 8]]]], (8, 8))
        >>> columns.cam.item(), columns.status.item(), columns.reach.item()  # a map without evidence: no box
        (nan, 1, 1.0)
    """

    cam: NDArray[np.float32]
    centred: NDArray[np.float32]
    constant: NDArray[np.float32]
    projected: NDArray[np.float32]
    reach: NDArray[np.float32]
    status: NDArray[np.int8]
    levels: NDArray[np.float64]
    one: NDArray[np.uint8]
    several: NDArray[np.uint8]
    projected_one: NDArray[np.uint8]
    on_masks: OnMasks | None = None

    @property
    def overlaps(self) -> Overlaps:
        """The stored curves as overlaps, for ``box_scores``."""
        return Overlaps(self.levels, decoded(self.one), decoded(self.several), self.status)


def box_columns(
    maps: Tensor,
    truth: Truth,
    size: tuple[int, int],
    *,
    masks: Masks | None = None,
    fitted: ConstantBoxes | None = None,
    levels: ArrayLike = LEVELS,
) -> BoxColumns:
    """Measure the boxes of a batch by the protocol ``clean``, and what they are held against.

    Args:
        maps: ``(B, A, h, w)``, σS, of the side *yes* for GT-known figures.
        truth: The true boxes, see ``Truth``.
        size: ``(H, W)`` of the images in pixels, in which boxes and masks are.
        masks: Of the objects, ``(H, W)`` or None, B lists of A; without one an object's filled box is its mask.
        fitted: The constant boxes of the reference split, in shares; None leaves their columns NaN.
        levels: As for ``clean_overlaps``; they include .2.

    Returns:
        The columns.

    Raises:
        InputError: Shapes do not match, a true box has no area, or .2 is not among the levels.

    Example:
        >>> import torch
        >>> from bincam.metrics import box_columns
        >>> maps = torch.tensor([[[[0.0, 0.0], [0.0, 9.0]]]])
        >>> columns = box_columns(maps, [[[[4, 4, 8, 8]]]], (8, 8))
        >>> columns.cam.round(2).item(), columns.reach.item(), columns.centred.item()
        (0.64, 1.0, nan)
    """
    overlaps = clean_overlaps(maps, truth, size, levels)
    fixed = overlaps.at(FIXED)
    shape = (int(maps.shape[0]), int(maps.shape[1]))
    centred, constant, reach = (np.full(shape, np.nan, np.float32) for _ in range(3))
    projected = np.full(overlaps.one.shape, np.nan)
    pixels = None if fitted is None else fitted.in_image(size)
    if pixels is not None and len(pixels.centred) != shape[1]:
        raise InputError(f"constant boxes are of {counted(len(pixels.centred), 'attribute')}, the maps of {shape[1]}")
    if masks is not None and (len(masks), {len(row) for row in masks}) != (shape[0], {shape[1]} if shape[0] else set()):
        raise InputError(f"masks are {shape[0]} lists of {shape[1]}, like the maps")
    grid = (int(maps.shape[2]), int(maps.shape[3]))
    for b, row in enumerate(checked_truth(maps, truth, size)):
        for a, boxes in enumerate(row):
            if not len(boxes):
                continue
            found = box_nulls(
                boxes,
                None if masks is None else masks[b][a],
                size,
                grid,
                centred=None if pixels is None else pixels.centred[a],
                constant=None if pixels is None else pixels.constant[a],
                levels=overlaps.levels,
            )
            centred[b, a], constant[b, a] = found.centred, found.constant
            projected[b, a], reach[b, a] = found.projected, found.reach
    return BoxColumns(
        cam=overlaps.one[..., fixed].astype(np.float32),
        centred=centred,
        constant=constant,
        projected=projected[..., fixed].astype(np.float32),
        reach=reach,
        status=overlaps.status,
        levels=overlaps.levels,
        one=encoded(overlaps.one),
        several=encoded(overlaps.several),
        projected_one=encoded(projected),
        on_masks=None if masks is None else on_masks(maps, masks, size),
    )
