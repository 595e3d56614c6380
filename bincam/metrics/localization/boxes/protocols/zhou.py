"""The protocol ``zhou``: the text of Zhou et al. 2016, arXiv 1512.04150, section 3.2.

A box around the largest connected component of what is above 20 % of the map's maximum: the map as it is, without a
rectifier, is upsampled by U and cut at v > .2 max v. The tool that the authors released does something else: it cuts
8-bit maps at 20, 100 and 110 of 255 and finds regions on a distance transform. Figures of that tool are not figures of
the text. What the text leaves open is ours: 8-connected components, ends exclusive, the first of equals, and no box
where nothing is positive.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bincam.data.regions.boxes import union_box
from bincam.metrics.localization.boxes.overlaps import MEASURED, NO_BOX, NO_TRUTH, Overlaps, Truth, checked_truth, iou
from bincam.metrics.localization.boxes.protocols.components import components_at
from bincam.metrics.localization.boxes.protocols.levels import FIXED
from bincam.metrics.localization.energy import evidence
from bincam.resample import upsample


def zhou_boxes(maps: Tensor, size: tuple[int, int]) -> NDArray[np.float64]:
    """Box the largest component above a fifth of each map's maximum.

    Args:
        maps: ``(B, A, h, w)``: raw class activation maps, or σS.
        size: ``(H, W)`` of the image in pixels.

    Returns:
        ``(B, A, 4)``, ends exclusive; NaN where no cell is positive, and for a map that is constant or not finite.

    Raises:
        InputError: The maps are not four-dimensional and floating.

    Example:
        >>> import torch
        >>> from bincam.metrics import zhou_boxes
        >>> zhou_boxes(torch.tensor([[[[-9.0, -9.0], [-9.0, 9.0]]]]), (8, 8)).tolist()
        [[[4.0, 4.0, 8.0, 8.0]]]
    """
    evidence(maps)  # refuses other shapes
    result = np.full((*maps.shape[:2], 4), np.nan)
    for b in range(maps.shape[0]):
        for a in range(maps.shape[1]):
            cells = maps[b, a].detach().float()
            if cells.isfinite().all() and cells.max() > 0 and cells.min() < cells.max():
                result[b, a] = components_at(upsample(cells, size).cpu().numpy(), [FIXED]).boxes[0]
    return result


def zhou_overlaps(maps: Tensor, truth: Truth, size: tuple[int, int]) -> Overlaps:
    """Measure how well the box overlaps the best of an image's true boxes, at the one level of the text.

    Args:
        maps: As for ``zhou_boxes``.
        truth: The true boxes, see ``Truth``.
        size: ``(H, W)``.

    Returns:
        Curves ``(B, A, 1)``: ``one`` against the box around all true boxes, ``several`` against the best of them. Both
        are of the one box.

    Example:
        >>> import torch
        >>> from bincam.metrics import zhou_overlaps
        >>> maps = torch.tensor([[[[-9.0, -9.0], [-9.0, 9.0]]]])
        >>> zhou_overlaps(maps, [[[[4, 4, 8, 8]]]], (8, 8)).one.round(2).item()
        1.0
    """
    true, boxes = checked_truth(maps, truth, size), zhou_boxes(maps, size)
    one, several = (np.full((*boxes.shape[:2], 1), np.nan) for _ in range(2))
    status = np.full(boxes.shape[:2], NO_TRUTH, np.int8)
    for b, row in enumerate(true):
        for a, known in enumerate(row):
            if not len(known):
                continue
            status[b, a] = NO_BOX if np.isnan(boxes[b, a, 0]) else MEASURED
            one[b, a, 0], several[b, a, 0] = iou(boxes[b, a], union_box(known))[0], iou(boxes[b, a], known).max()
    return Overlaps(np.array([FIXED]), one, several, status)
