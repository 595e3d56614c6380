"""Boxes that no map is needed for: what a localiser must beat.

Objects of photographs stand in the middle, and parts of aligned faces at their place. A box that is the same in every
image, fitted on the reference split, scores what that place alone explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.data.regions.boxes import checked_boxes, union_box
from bincam.metrics.localization.boxes.overlaps import iou
from bincam.metrics.localization.boxes.scores import DELTA

Floats = NDArray[np.float64]

CANDIDATES = 500
"""Boxes of the reference split that are tried as the constant one, evenly over the split where it has more."""


@dataclass(frozen=True)
class ConstantBoxes:
    """Boxes per attribute that are the same in every image, in shares of its width and height.

    Attributes:
        centred: ``(A, 4)``: the centred box of mean size; NaN for an attribute without a true box in the split.
        constant: ``(A, 4)``: the box that hits most images of the split.
        images: ``(A,)``: images that they were fitted on.

    Example:
        >>> from bincam.metrics import fit_constant_boxes
        >>> boxes = [[[2, 2, 4, 4]], [[2, 2, 4, 4]], [[0, 0, 8, 8]]]  # three images, one attribute
        >>> fitted = fit_constant_boxes([boxes], (8, 8))
        >>> fitted.in_image((8, 8)).constant.tolist(), fitted.in_image((8, 8)).centred.tolist()
        ([[2.0, 2.0, 4.0, 4.0]], [[2.0, 2.0, 6.0, 6.0]])
    """

    centred: Floats
    constant: Floats
    images: NDArray[np.int64]

    def in_image(self, size: tuple[int, int]) -> ConstantBoxes:
        """Return the boxes in pixels of an image ``(H, W)``."""
        scale = np.array([size[1], size[0]] * 2, np.float64)
        return ConstantBoxes(self.centred * scale, self.constant * scale, self.images)


def fit_constant_boxes(
    truth: Sequence[Sequence[ArrayLike]], size: tuple[int, int], delta: float = DELTA
) -> ConstantBoxes:
    """Fit the centred and the constant box of each attribute on the reference split.

    The constant box is the one with most overlaps of at least δ, and among equals with the highest mean overlap. Tried
    are the mean and the median box and up to 500 of the split's own. *Ours.*

    Args:
        truth: For each attribute the true boxes of the split's images, ``(K, 4)`` each, ends exclusive; several boxes
            of an image are taken as the box around them, and images without one are left out.
        size: ``(H, W)`` of the images.
        delta: δ.

    Returns:
        The boxes in shares of width and height; ``ConstantBoxes`` has an example.

    Raises:
        InputError: A box has no area or is not inside its image.

    Example:
        >>> from bincam.metrics import fit_constant_boxes
        >>> fit_constant_boxes([[[[2, 2, 4, 6]]], []], (8, 8)).centred.tolist()
        [[0.375, 0.25, 0.625, 0.75], [nan, nan, nan, nan]]
    """
    scale = np.array([size[1], size[0]] * 2, np.float64)
    shape = (len(truth), 4)
    centred, constant, images = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(len(truth), np.int64)
    for a, of_images in enumerate(truth):
        unions = [union_box(checked_boxes(boxes, size, f"attribute {a}")) for boxes in of_images]
        known = np.concatenate([np.zeros((0, 4)), *unions]) / scale
        images[a] = len(known)
        if not len(known):
            continue
        half = (known[:, 2:] - known[:, :2]).mean(0) / 2
        centred[a] = np.concatenate([0.5 - half, 0.5 + half])
        chosen = np.unique(np.linspace(0, len(known) - 1, min(len(known), CANDIDATES)).round().astype(int))
        candidates = np.concatenate([known.mean(0)[None], np.median(known, 0)[None], known[chosen]])
        overlaps = iou(candidates, known)  # (candidates, images)
        hits, mean = (overlaps >= delta).mean(1), overlaps.mean(1)
        constant[a] = candidates[np.lexsort((-mean, -hits))[0]]
    return ConstantBoxes(centred, constant, images)
