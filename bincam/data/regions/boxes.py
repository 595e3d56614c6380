"""Boxes of objects as arrays: from masks, through a crop, and back to a mask.

A box is ``(x0, y0, x1, y1)`` in pixels of an image, ends exclusive: pixel i spans i to i + 1, so the box of the whole
image is ``(0, 0, W, H)``. An image has ``(K, 4)`` of them; K is 0 where it shows no such object.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.data import crop
from bincam.data.regions.shapes import Mask
from bincam.errors import InputError

Boxes = NDArray[np.float64]
SLIVER = 1e-6
"""Pixels below which a side that remains inside a crop is rounding and not a part of the object."""


def checked_boxes(boxes: ArrayLike, size: tuple[int, int] | None = None, where: str = "boxes") -> Boxes:
    """Return boxes as an array, or refuse those that mark nothing.

    Args:
        boxes: ``(K, 4)``, or ``(4,)`` for one.
        size: ``(H, W)`` of the image that they are in; None where it is not known.
        where: Begins the error message.

    Returns:
        ``(K, 4)``.

    Raises:
        InputError: A box has another shape, an end that is not finite, ends in reverse order or no area, or is not
            inside the image.

    Example:
        >>> from bincam.data.regions.boxes import checked_boxes
        >>> checked_boxes([2, 3, 5, 9], (10, 10)).tolist()
        [[2.0, 3.0, 5.0, 9.0]]
    """
    result = np.asarray(boxes, np.float64)
    result = result[None] if result.shape == (4,) else result
    if not result.size:
        return np.zeros((0, 4))
    if result.ndim != 2 or result.shape[1] != 4:
        raise InputError(f"{where}: a box has four numbers x0, y0, x1, y1, got an array of shape {result.shape}")
    for box in result:
        text = "(" + ", ".join(f"{end:g}" for end in box) + ")"
        if not np.isfinite(box).all():
            raise InputError(f"{where}: box {text} has an end that is not a number; leave the box out")
        if box[2] <= box[0] or box[3] <= box[1]:
            raise InputError(
                f"{where}: box {text} has no area; x0 < x1 and y0 < y1 are expected, with exclusive ends, so a box of "
                "one pixel is (x, y, x + 1, y + 1)"
            )
        if size is not None and (box[:2].min() < 0 or box[2] > size[1] or box[3] > size[0]):
            raise InputError(
                f"{where}: box {text} is not inside its image of {size[1]} x {size[0]} pixels (width x height), in "
                "whose pixels it is to be"
            )
    return result


def mask_box(mask: ArrayLike) -> Boxes:
    """Compute the box around a mask.

    Args:
        mask: ``(H, W)``, boolean.

    Returns:
        ``(1, 4)``, or ``(0, 4)`` where the mask is empty.

    Example:
        >>> import numpy as np
        >>> from bincam.data import mask_box
        >>> mask = np.zeros((8, 8), bool)
        >>> mask[2, 3:5] = mask[5, 6] = True
        >>> mask_box(mask).tolist()
        [[3.0, 2.0, 7.0, 6.0]]
    """
    pixels = _mask(mask)
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not len(rows):
        return np.zeros((0, 4))
    return np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], np.float64)


def part_boxes(mask: ArrayLike) -> Boxes:
    """Compute the box around each part of a mask; parts are 8-connected, such as the two eyes.

    Args:
        mask: ``(H, W)``, boolean.

    Returns:
        ``(K, 4)``, in the raster order of the parts' first pixels.

    Example:
        >>> import numpy as np
        >>> from bincam.data import part_boxes
        >>> mask = np.zeros((8, 8), bool)
        >>> mask[2, 3:5] = mask[5, 6] = True
        >>> part_boxes(mask).tolist()
        [[3.0, 2.0, 5.0, 3.0], [6.0, 5.0, 7.0, 6.0]]
    """
    from scipy import ndimage

    labelled, _ = ndimage.label(_mask(mask), np.ones((3, 3), int))
    found = ndimage.find_objects(labelled)
    ends = [[across.start, down.start, across.stop, down.stop] for down, across in found]
    return np.array(ends, np.float64).reshape(-1, 4)


def union_box(boxes: ArrayLike) -> Boxes:
    """Compute the box around several boxes: ``(K, 4)`` to ``(1, 4)``, or ``(0, 4)`` if there is none.

    Example:
        >>> from bincam.data.regions.boxes import union_box
        >>> union_box([[1, 1, 3, 3], [5, 0, 6, 2]]).tolist()
        [[1.0, 0.0, 6.0, 3.0]]
    """
    several = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not len(several):
        return several
    return np.concatenate([several[:, :2].min(0), several[:, 2:].max(0)])[None]


def box_mask(boxes: ArrayLike, size: tuple[int, int]) -> Mask:
    """Fill boxes: a pixel belongs to a box if its centre does.

    Args:
        boxes: ``(K, 4)`` or ``(4,)``.
        size: ``(H, W)`` of the mask.

    Returns:
        ``(H, W)``.

    Example:
        >>> from bincam.data.regions.boxes import box_mask
        >>> box_mask([1, 0, 3, 1], (2, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    y, x = (np.arange(n) + 0.5 for n in size)
    result = np.zeros(size, bool)
    for x0, y0, x1, y1 in np.asarray(boxes, np.float64).reshape(-1, 4):
        result |= ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))
    return result


def cropped_boxes(boxes: ArrayLike, matrix: ArrayLike, size: tuple[int, int]) -> Boxes:
    """Move boxes of a stored image into its crop, as stored masks are moved.

    A crop that turns the image turns the box, and the upright box around it is larger than the object; a mask that is
    cropped first and boxed afterwards has no such loss. What is outside the crop is cut off, and a box that is wholly
    outside is left out.

    Args:
        boxes: ``(K, 4)``, in pixels of the stored image.
        matrix: ``(2, 3)``, from the pixels of the stored image to those of the crop (see ``bincam.data.crop``).
        size: ``(H, W)`` of the crop.

    Returns:
        ``(K', 4)``, K' at most K, in pixels of the crop.

    Example:
        >>> from bincam.data.crop import fit_matrix
        >>> from bincam.data import cropped_boxes
        >>> cropped_boxes([[0, 0, 4, 4]], fit_matrix("stretch", (8, 8), (16, 4)), (16, 4)).tolist()
        [[0.0, 0.0, 2.0, 8.0]]
    """
    ends = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not len(ends):
        return ends
    corners = np.stack([ends[:, columns] for columns in ((0, 1), (2, 1), (0, 3), (2, 3))], axis=1)  # (K, 4, 2)
    # Crops have the centre of the first pixel at 0, boxes its left edge.
    moved = crop.move(matrix, corners - 0.5) + 0.5
    limit = np.array([size[1], size[0]], np.float64)
    low, high = moved.min(1).clip(0, limit), moved.max(1).clip(0, limit)
    kept: Boxes = np.concatenate([low, high], axis=1)[(high - low > SLIVER).all(1)]
    return kept


def _mask(mask: ArrayLike) -> Mask:
    pixels = np.asarray(mask, dtype=bool)
    if pixels.ndim != 2:
        raise InputError(f"a mask has shape (H, W), got {pixels.shape}")
    return pixels
