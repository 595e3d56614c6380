"""The protocol ``clovaai``: boxes as the public evaluation of weakly supervised localisation finds them, bit for bit.

Choe et al. 2020, arXiv 2001.07437, code at github.com/clovaai/wsolevaluation (commit 96f4b88, ``evaluation.py`` and
``inference.py``), MIT licence; reimplemented from its behaviour. Its conventions differ from ``clean`` throughout:

- The signed map is upsampled by OpenCV's cubic interpolation in float64, which overshoots, and scaled to [0, 1] by its
  minimum and maximum. A constant map, or one with a NaN, becomes zeros. A map that is negative everywhere is boxed like
  any other; here it is flagged.
- Pixels are cut in 8 bits, ``uint8(255 s) > int(τ max)``. The maximum is 255 or 0, so the 1,000 thresholds of the code
  give 255 different cuts, and only these are computed.
- Boxes are those of OpenCV's contours in the mode ``RETR_TREE``, so borders of holes are boxed as well. The largest is
  that of the largest ``contourArea``, an area between pixel centres: 0 for a line. Its box is
  ``(x, y, min(x + w, W - 1), min(y + h, H - 1))``, which reaches one pixel beyond the contour except at the image's
  border. Without a contour it is ``(0, 0, 0, 0)``.
- IoU counts both ends as inside. True boxes are scaled to the resolution of the maps and truncated. The best true box
  of an image counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bincam.errors import InputError
from bincam.metrics.localization.boxes.overlaps import (
    MEASURED,
    NO_EVIDENCE,
    NO_TRUTH,
    Overlaps,
    Truth,
    checked_truth,
    iou,
)
from bincam.metrics.localization.energy import evidence

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

THRESHOLDS: Floats = np.arange(0, 1, 0.001)
"""The thresholds of the public code."""

CUTS = 255
"""Different values of int(255 τ) among them: 0 to 254."""


def _first_thresholds() -> Floats:
    return THRESHOLDS[np.unique((THRESHOLDS * 255).astype(np.int64), return_index=True)[1]]


LEVELS = _first_thresholds()
"""``(255,)``: the lowest threshold of each cut."""


@dataclass(frozen=True)
class ContourBoxes:
    """Boxes of a map's contours at one cut, both ends inclusive.

    Attributes:
        boxes: ``(K, 4)`` int64, at least one.
        largest: Index of the one with the largest contour area.
    """

    boxes: Integers
    largest: int


def clovaai_scores(cells: ArrayLike, size: tuple[int, int]) -> Floats:
    """Upsample a map by cubic interpolation and scale it to [0, 1] by minimum and maximum.

    Args:
        cells: ``(h, w)``, the signed map.
        size: ``(H, W)``.

    Returns:
        ``(H, W)`` float64; zeros for a map that is constant or not finite.

    Example:
        >>> from bincam.metrics import clovaai_scores
        >>> clovaai_scores([[0.0, 4.0]], (1, 4)).round(3).tolist()
        [[0.0, 0.274, 0.726, 1.0]]
    """
    import cv2

    enlarged = cv2.resize(np.array(cells, np.float64), (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    wide = np.asarray(enlarged, np.float64).reshape(size)
    if not np.isfinite(wide).all() or wide.min() == wide.max():
        return np.zeros(size)
    wide = wide - wide.min()
    return np.asarray(wide / wide.max(), np.float64)


def clovaai_boxes(scores: ArrayLike) -> list[ContourBoxes]:
    """Box the contours of a scaled map at each of the 255 cuts.

    Args:
        scores: ``(H, W)`` in [0, 1], from ``clovaai_scores``.

    Returns:
        The boxes at each of ``LEVELS``; several cuts share one object where no pixel is between them.

    Raises:
        InputError: The scores are not an image within [0, 1].

    Example:
        >>> import numpy as np
        >>> from bincam.metrics import clovaai_boxes
        >>> scores = np.zeros((5, 6))
        >>> scores[1:3, 1:4] = 1
        >>> clovaai_boxes(scores)[100].boxes.tolist()
        [[1, 1, 4, 3]]
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"scores are (H, W) in [0, 1], from clovaai_scores; got an array of shape {values.shape}")
    image = (values * 255).astype(np.uint8)
    high = int(image.max())
    used = (np.bincount(image.ravel(), minlength=256) > 0).tolist()
    top, bottom = _extent(image.max(1))
    left, right = _extent(image.max(0))
    result: list[ContourBoxes] = []
    for cut in range(CUTS):
        # int(τ max) is the cut where the maximum is 255; a map of zeros is cut at 0 throughout.
        if result and (not high or not used[cut]):
            result.append(result[-1])
        elif cut >= high:
            result.append(ContourBoxes(np.zeros((1, 4), np.int64), 0))
        else:
            # Contours end where the pixels do, so those of the part that has any are those of the image.
            part = image[top[cut] : bottom[cut], left[cut] : right[cut]]
            result.append(_contour_boxes(part, cut, (left[cut], top[cut]), image.shape))
    return result


def clovaai_overlaps(
    maps: Tensor, truth: Truth, size: tuple[int, int], boxed: tuple[int, int] | None = None
) -> Overlaps:
    """Measure at each of the 255 cuts how well each map's boxes overlap the true ones.

    Args:
        maps: ``(B, A, h, w)``: signed evidence for *yes*, not rectified.
        truth: The true boxes, see ``Truth``: ends exclusive as everywhere in bincam, and made inclusive here.
        size: ``(H, W)`` to which maps are upsampled and boxes are scaled; 224 x 224 in the public code.
        boxed: ``(H, W)`` of the image in whose pixels the true boxes are; ``size`` by default.

    Returns:
        Curves ``(B, A, 255)``: ``one`` of the largest contour's box, ``several`` of all contours' (the second version
        of the measure), both with the best true box. A map without positive evidence is measured and has the status
        *boxed without evidence*.

    Raises:
        InputError: The maps are not four-dimensional and floating, or a true box has no area or is not inside
            its image.

    Example:
        >>> import torch
        >>> from bincam.metrics import clovaai_overlaps
        >>> maps = torch.tensor([[[[-4.0, -4.0], [-4.0, -1.0]]]])  # no evidence, and yet a perfect box
        >>> found = clovaai_overlaps(maps, [[[[4, 4, 8, 8]]]], (8, 8))
        >>> found.one.max().item(), found.status.item()
        (1.0, 3)
    """
    true = checked_truth(maps, truth, boxed or size)
    positive = (evidence(maps).amax(-1) > 0).cpu().numpy()
    shape = (*maps.shape[:2], CUTS)
    one, several = np.full(shape, np.nan), np.full(shape, np.nan)
    status = np.full(shape[:2], NO_TRUTH, np.int8)
    cells = maps.detach().to("cpu", torch.float64).numpy()
    for b, row in enumerate(true):
        for a, boxes in enumerate(row):
            if not len(boxes):
                continue
            status[b, a] = MEASURED if positive[b, a] else NO_EVIDENCE
            known = scaled_boxes(inclusive(boxes), boxed or size, size)
            found = clovaai_boxes(clovaai_scores(cells[b, a], size))
            starts = np.cumsum([0, *(len(at.boxes) for at in found[:-1])])
            best = inclusive_iou(np.concatenate([at.boxes for at in found]), known).max(1)
            one[b, a] = best[starts + [at.largest for at in found]]
            several[b, a] = np.maximum.reduceat(best, starts)
    return Overlaps(LEVELS, one, several, status)


def inclusive(boxes: ArrayLike) -> Floats:
    """Make the ends of boxes inclusive: the last pixel instead of the one after it.

    >>> inclusive([[2, 3, 5, 9]]).tolist()
    [[2.0, 3.0, 4.0, 8.0]]
    """
    ends = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([ends[:, :2], np.maximum(ends[:, 2:] - 1, ends[:, :2])], axis=1)


def scaled_boxes(boxes: ArrayLike, boxed: tuple[int, int], size: tuple[int, int]) -> Integers:
    """Scale boxes with an image, and truncate their ends.

    Args:
        boxes: ``(K, 4)``.
        boxed: ``(H, W)`` of the image that they are in.
        size: ``(H, W)`` of the image that they are scaled to.

    Example:
        >>> from bincam.metrics import scaled_boxes
        >>> scaled_boxes([[1, 2, 4, 3]], boxed=(20, 10), size=(10, 35)).tolist()
        [[3, 1, 14, 1]]
    """
    ends = np.asarray(boxes, np.float64).reshape(-1, 4)
    across, down = (float(n) for n in (size[1], size[0]))
    # Multiplied before divided, as in the public code: the order decides what is truncated.
    moved = ends * [across, down, across, down] / [float(n) for n in (boxed[1], boxed[0], boxed[1], boxed[0])]
    return moved.astype(np.int64)


def inclusive_iou(boxes: ArrayLike, truth: ArrayLike) -> Floats:
    """Compute the intersection over union of boxes whose ends are both inside.

    Args:
        boxes: ``(N, 4)``.
        truth: ``(K, 4)``.

    Returns:
        ``(N, K)``.

    Example:
        >>> from fractions import Fraction
        >>> from bincam.metrics import inclusive_iou
        >>> Fraction(inclusive_iou([[1, 2, 5, 6]], [[3, 1, 4, 5]]).item()).limit_denominator(100)
        Fraction(8, 27)
    """
    after = [0, 0, 1, 1]  # the pixel after the last one
    return iou(np.asarray(boxes).reshape(-1, 4) + after, np.asarray(truth).reshape(-1, 4) + after)


def _extent(highest: NDArray[np.uint8]) -> tuple[list[int], list[int]]:
    """Find where the pixels above each cut begin and end along an axis, from the maxima across it."""
    above = highest > np.arange(CUTS)[:, None]
    return above.argmax(1).tolist(), (len(highest) - above[:, ::-1].argmax(1)).tolist()


def _contour_boxes(part: NDArray[np.uint8], cut: int, offset: tuple[int, int], size: tuple[int, ...]) -> ContourBoxes:
    """Box the contours of the pixels above one cut in a part of an image ``(H, W)`` that begins at ``(x, y)``."""
    import cv2

    above = cv2.threshold(part, cut, 255, cv2.THRESH_BINARY)[1]
    contours = cv2.findContours(above, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE, offset=offset)[0]
    ends = []
    for contour in contours:
        x, y, w, h = cv2.boundingRect(contour)
        ends.append((x, y, min(x + w, size[1] - 1), min(y + h, size[0] - 1)))
    largest = 0
    if len(contours) > 1:
        areas = [cv2.contourArea(contour) for contour in contours]
        largest = areas.index(max(areas))  # the first of equals
    return ContourBoxes(np.array(ends, np.int64), largest)
