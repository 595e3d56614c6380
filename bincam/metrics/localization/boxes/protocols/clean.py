"""The protocol ``clean``: evidence above a share of its maximum, with boxes and overlaps of the field's usual meaning.

(σS)⁺ is upsampled by U in float32 and cut at v > τ max v. The box is that of the largest 8-connected component, ends
exclusive, in pixels of the image. A map without positive evidence marks nothing, and a constant one marks no place:
neither has a box. *Ours*; the name says what it is free of, see ``clovaai``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.data.regions.boxes import union_box
from bincam.data.regions.shapes import Mask
from bincam.metrics.localization.boxes.overlaps import MEASURED, NO_BOX, NO_TRUTH, Overlaps, Truth, checked_truth, iou
from bincam.metrics.localization.boxes.pixels import level_histograms
from bincam.metrics.localization.boxes.protocols.components import checked_levels, components_at
from bincam.metrics.localization.boxes.protocols.levels import LEVELS
from bincam.metrics.localization.energy import CONSTANT, evidence
from bincam.resample import upsample


def clean_boxes(maps: Tensor, size: tuple[int, int], levels: ArrayLike = LEVELS) -> NDArray[np.float64]:
    """Box what each map marks, at every level.

    Args:
        maps: ``(B, A, h, w)``, σS.
        size: ``(H, W)`` of the image in pixels.
        levels: ``(L,)`` in [0, 1), increasing: thresholds as shares of the upsampled map's maximum.

    Returns:
        ``(B, A, L, 4)``: x0, y0, x1, y1, ends exclusive; NaN for a map without positive evidence, and for one that is
        constant or not finite.

    Raises:
        InputError: The maps are not four-dimensional and floating, or the levels do not increase within [0, 1).

    Example:
        >>> import torch
        >>> from bincam.metrics import clean_boxes
        >>> clean_boxes(torch.tensor([[[[0.0, 0.0], [0.0, 9.0]]]]), (8, 8), levels=[0.2, 0.5])[0, 0].tolist()
        [[3.0, 3.0, 8.0, 8.0], [4.0, 4.0, 8.0, 8.0]]
    """
    cuts = checked_levels(levels)
    result = np.full((*maps.shape[:2], len(cuts), 4), np.nan)
    r, marks = _rectified(maps)
    for b, a in np.argwhere(marks):
        result[b, a] = components_at(_upsampled(r[b, a], size), cuts).boxes
    return result


def clean_overlaps(maps: Tensor, truth: Truth, size: tuple[int, int], levels: ArrayLike = LEVELS) -> Overlaps:
    """Measure at every level how well each map's boxes overlap the true ones.

    The largest component's box is compared with the box around all of an object's parts, because it is one. Of the
    boxes of all components the best with any part counts (an eye found is an eye found).

    Args:
        maps: ``(B, A, h, w)``, σS. For GT-known figures explain the side *yes*, whatever was decided: where the decided
            side is *no*, its evidence is against the object.
        truth: The true boxes, see ``Truth``; maps of images without one cost nothing.
        size: ``(H, W)`` of the image in pixels, in which the boxes are too.
        levels: As for ``clean_boxes``.

    Returns:
        Curves ``(B, A, L)``.

    Raises:
        InputError: As for ``clean_boxes``, or a true box has no area or is not inside its image.

    Example:
        Two eyes: one box around both is missed by a map of one of them, but an eye is found.

        >>> import torch
        >>> from bincam.metrics import clean_overlaps
        >>> maps = torch.zeros(1, 1, 8, 8)
        >>> maps[0, 0, 3, 1] = 1
        >>> found = clean_overlaps(maps, [[[[1, 3, 2, 4], [6, 3, 7, 4]]]], (8, 8), levels=[0.5])
        >>> found.one.round(2).item(), found.several.item()
        (0.17, 1.0)
    """
    return clean_found(maps, truth, size, levels)[0]


def clean_found(
    maps: Tensor, truth: Truth, size: tuple[int, int], levels: ArrayLike = LEVELS
) -> tuple[Overlaps, NDArray[np.float64]]:
    """Measure overlaps as ``clean_overlaps``, and return the boxes too, in one go.

    Returns:
        Curves ``(B, A, L)``; and ``(B, A, L, 4)``, the largest component's boxes as ``clean_boxes`` gives them, NaN
        also without a true box.

    Example:
        >>> import torch
        >>> from bincam.metrics.localization.boxes.protocols.clean import clean_found
        >>> maps = torch.tensor([[[[0.0, 0.0], [0.0, 9.0]]]])
        >>> overlaps, boxes = clean_found(maps, [[[[4, 4, 8, 8]]]], (8, 8), levels=[0.5])
        >>> overlaps.one.item(), boxes[0, 0, 0].tolist()
        (1.0, [4.0, 4.0, 8.0, 8.0])
    """
    cuts = checked_levels(levels)
    true = checked_truth(maps, truth, size)
    shape = (*maps.shape[:2], len(cuts))
    one, several = np.full(shape, np.nan), np.full(shape, np.nan)
    boxes = np.full((*shape, 4), np.nan)
    status = np.full(shape[:2], NO_TRUTH, np.int8)
    r, marks = _rectified(maps)
    for b, row in enumerate(true):
        for a, of_object in enumerate(row):
            if not len(of_object):
                continue
            status[b, a] = MEASURED if marks[b, a] else NO_BOX
            if marks[b, a]:
                found = components_at(_upsampled(r[b, a], size), cuts, of_object)
                boxes[b, a] = found.boxes
                one[b, a], several[b, a] = iou(found.boxes, union_box(of_object))[:, 0], found.best
    return Overlaps(cuts, one, several, status), boxes


def clean_scores(maps: Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
    """Scale the upsampled evidence to [0, 1] by its maximum: the pixels' scores for ``pixel_histograms``.

    Args:
        maps: ``(B, A, h, w)``, σS.
        size: ``(H, W)``.

    Returns:
        ``(B, A, H, W)``; 0 where a map has no box, so that its pixels are ranked last.

    Example:
        >>> import torch
        >>> from bincam.metrics import clean_scores
        >>> clean_scores(torch.tensor([[[[0.0, 4.0]], [[-1.0, -1.0]]]]), (1, 4)).tolist()
        [[[[0.0, 0.25, 0.75, 1.0]], [[0.0, 0.0, 0.0, 0.0]]]]
    """
    result = np.zeros((*maps.shape[:2], *size), np.float32)
    r, marks = _rectified(maps)
    for b, a in np.argwhere(marks):
        pixels = _upsampled(r[b, a], size)
        result[b, a] = pixels / pixels.max()
    return result


def clean_histograms(
    maps: Tensor,
    masks: Sequence[Sequence[Mask | None]],
    size: tuple[int, int],
    levels: ArrayLike = LEVELS,
    ignore: Sequence[Mask | None] | None = None,
) -> NDArray[np.int64]:
    """Count pixels by the highest level that they are above, inside and outside of masks, see ``level_histograms``.

    Args:
        maps: ``(B, A, h, w)``, σS.
        masks: ``(H, W)`` or None, B lists of A.
        size: ``(H, W)``.
        levels: As for ``clean_boxes``.
        ignore: ``(H, W)`` or None for each image: pixels that count neither way, unless the mask has them.

    Returns:
        ``(B, A, 2, L + 1)``; zeros without a mask. The pixels of a map that marks nothing are above no level.

    Example:
        >>> import torch
        >>> from bincam.metrics import clean_histograms
        >>> maps, mask = torch.tensor([[[[0.0, 4.0]]]]), np.array([[False, False, True, True]])
        >>> clean_histograms(maps, [[mask]], (1, 4), levels=[0, 0.5])[0, 0].tolist()
        [[0, 0, 2], [1, 1, 0]]
    """
    cuts = checked_levels(levels)
    result = np.zeros((*maps.shape[:2], 2, len(cuts) + 1), np.int64)
    r, marks = _rectified(maps)
    for b, row in enumerate(masks):
        for a, mask in enumerate(row):
            if mask is not None:
                pixels = _upsampled(r[b, a], size) if marks[b, a] else np.zeros(size, np.float32)
                result[b, a] = level_histograms(pixels, mask, cuts, None if ignore is None else ignore[b])
    return result


def _rectified(maps: Tensor) -> tuple[Tensor, NDArray[np.bool_]]:
    """Compute (σS)⁺ in float32, and find the maps that mark a place: finite, positive somewhere, not constant."""
    # NaN where a cell is not finite, also where float32 has no number for it
    flat = evidence(maps.float() if maps.dtype == torch.float64 else maps)
    high, low = flat.amax(-1), flat.amin(-1)
    marks = (high > 0) & (high - low > CONSTANT * torch.finfo(flat.dtype).eps * high)
    return flat.reshape(maps.shape), (marks & ~flat.isnan().any(-1)).cpu().numpy()


def _upsampled(cells: Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
    """Upsample one map ``(h, w)``: alone, because the rounding of a product of matrices may depend on the batch."""
    pixels: NDArray[np.float32] = upsample(cells, size).cpu().numpy()
    return pixels
