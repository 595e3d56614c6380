"""What a map's box must beat, of one object: boxes that need no map, and the reach of the grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.data.regions.boxes import union_box
from bincam.data.regions.shapes import Mask
from bincam.errors import InputError
from bincam.metrics.localization.boxes.overlaps import iou
from bincam.metrics.localization.boxes.protocols.levels import LEVELS
from bincam.metrics.localization.boxes.reach import box_reach, grid_reach


@dataclass(frozen=True)
class BoxNulls:
    """Overlaps with the box around one object, as IoU.

    Attributes:
        centred: Of the centred box of mean size; NaN without one.
        constant: Of the attribute's constant box; NaN without one.
        projected: ``(L,)``: of the projected mask at every level.
        reach: The best that the grid can give.

    Example:
        >>> from bincam.metrics import box_nulls
        >>> found = box_nulls([[0, 0, 4, 8]], None, (8, 8), (2, 2), constant=[0, 0, 4, 4])
        >>> found.constant, found.reach, found.projected.shape
        (0.5, 1.0, (100,))
    """

    centred: float
    constant: float
    projected: NDArray[np.float64]
    reach: float


def box_nulls(
    boxes: ArrayLike,
    mask: Mask | None,
    size: tuple[int, int],
    grid: tuple[int, int],
    *,
    centred: ArrayLike | None = None,
    constant: ArrayLike | None = None,
    levels: ArrayLike = LEVELS,
) -> BoxNulls:
    """Measure what the box of a map is held against. No map is needed, so a process that reads images can do it.

    Args:
        boxes: ``(K, 4)``, the true boxes of one object, at least one.
        mask: ``(H, W)``, of the object; None or an empty one takes the filled box in its place.
        size: ``(H, W)`` of the image.
        grid: ``(h, w)`` of the maps.
        centred: ``(4,)``, in pixels, see ``ConstantBoxes.in_image``.
        constant: ``(4,)``, likewise.
        levels: As for ``clean_overlaps``.

    Returns:
        The overlaps.

    Raises:
        InputError: The mask has another size than the image.

    Example:
        >>> from bincam.metrics import box_nulls
        >>> found = box_nulls([[4, 4, 8, 8]], None, (8, 8), (2, 2), centred=[2, 2, 6, 6])
        >>> round(found.centred, 3), found.constant, found.reach
        (0.143, nan, 1.0)
    """
    around = union_box(boxes)
    if mask is not None and mask.shape != size:
        raise InputError(f"a mask has the images' size {size}, got {mask.shape}")
    if mask is None or not mask.any():
        found = box_reach(around[0], size, grid, levels)
    else:
        found = grid_reach(mask, grid, levels, around[0])
    fixed = [float("nan") if box is None else float(iou(box, around)[0]) for box in (centred, constant)]
    return BoxNulls(fixed[0], fixed[1], found.projected, found.best)
