"""Overlap of boxes, and the overlaps of many maps at many levels as one result.

Per image and attribute there are two curves over the levels: of the *one* box that the largest component gives, and of
*several*, the best over the boxes of all components. Undefined is told apart: an image without a true box is in no
rate, and a map without a box is a miss wherever a rate must compare with a published one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Truth = Sequence[Sequence[ArrayLike]]
"""The true boxes of B images and A attributes: ``(K, 4)`` each, ends exclusive, in pixels; K is 0 without one."""

MEASURED, NO_BOX, NO_TRUTH, NO_EVIDENCE = range(4)
STATUSES = ("measured", "no box", "no true box", "boxed without evidence")
"""Meaning of a status: the map is constant or has no positive evidence; the image has no true box; a protocol that
shifts maps boxed one without positive evidence, which is measured and flagged."""

STEPS = 200
"""An overlap is stored as a count of whole steps of 1/200: no hit changes at a δ that is one, such as .3, .5 or .7."""

UNDEFINED = 255
"""The stored number of an undefined overlap."""


@dataclass(frozen=True)
class Overlaps:
    """IoU with the true boxes at every level; ``...`` is B images and A attributes, or the N images of one attribute.

    Attributes:
        levels: ``(L,)``: thresholds as shares of a map's maximum.
        one: ``(..., L)``: of the largest component's box; NaN where there is no box or no true box.
        several: ``(..., L)``: the best over the boxes of all components.
        status: ``(...)`` int8, a number of ``STATUSES``.

    Example:
        >>> import torch
        >>> from bincam.metrics import clean_overlaps
        >>> maps = torch.tensor([[[[0.0, 0.0], [0.0, 9.0]]]])
        >>> overlaps = clean_overlaps(maps, [[[[4, 4, 8, 8]]]], (8, 8), levels=[0.2, 0.5])
        >>> overlaps.one[0, 0].round(2).tolist(), overlaps.hits(0.5)[0, 0].tolist()
        ([0.64, 1.0], [1.0, 1.0])
    """

    levels: Floats
    one: NDArray[np.floating]
    several: NDArray[np.floating]
    status: NDArray[np.int8]

    def hits(self, delta: float, *, several: bool = False) -> Floats:
        """Mark the levels at which a box overlaps a true one by at least δ.

        Args:
            delta: δ, in (0, 1].
            several: Any component's box counts, not only the largest one's.

        Returns:
            ``(..., L)``: 1 or 0, and 0 for a map without a box; NaN for an image without a true box.

        Raises:
            InputError: δ is not in (0, 1].
        """
        if not 0 < delta <= 1:
            raise InputError(f"delta={delta}: expected an IoU above 0, at most 1")
        curves = self.several if several else self.one
        return overlap_hits(curves, self.status[..., None], delta)

    def at(self, level: float) -> int:
        """Return the index of a level.

        Raises:
            InputError: It was not measured.
        """
        found = np.flatnonzero(np.isclose(self.levels, level, rtol=0, atol=1e-9))
        if not len(found):
            raise InputError(
                f"level {level:g} was not measured; the levels run from {self.levels[0]:g} to "
                f"{self.levels[-1]:g}, {len(self.levels)} in all"
            )
        return int(found[0])

    def attribute(self, index: int) -> Overlaps:
        """Return the curves of one attribute, ``(B, L)``."""
        return Overlaps(self.levels, self.one[:, index], self.several[:, index], self.status[:, index])


def overlap_hits(overlap: ArrayLike, status: ArrayLike, delta: float) -> Floats:
    """Mark images whose overlap is at least δ: 1 or 0, 0 without a box, and NaN without a true box.

    Args:
        overlap: ``(...)``, NaN where there is none.
        status: ``(...)``, see ``Overlaps``.
        delta: δ.

    >>> overlap_hits([0.6, float("nan"), float("nan")], [0, 1, 2], delta=0.5).tolist()
    [1.0, 0.0, nan]
    """
    found = np.nan_to_num(np.asarray(overlap, np.float64), nan=-1.0) >= delta
    hits: Floats = np.where(np.asarray(status) == NO_TRUTH, np.nan, found)
    return hits


def iou(boxes: ArrayLike, truth: ArrayLike) -> Floats:
    """Compute the intersection over union of boxes with exclusive ends.

    Args:
        boxes: ``(..., 4)``; NaN, or an end that is negative because there is no box, gives NaN.
        truth: ``(K, 4)``.

    Returns:
        ``(..., K)``.

    Example:
        >>> from bincam.metrics import iou
        >>> iou([[0, 0, 4, 4]], [[2, 0, 6, 4], [0, 0, 4, 4]]).round(3).tolist()
        [[0.333, 1.0]]
    """
    a = np.asarray(boxes, np.float64)[..., None, :]
    b = np.asarray(truth, np.float64).reshape(-1, 4)
    sides = np.minimum(a[..., 2:], b[:, 2:]) - np.maximum(a[..., :2], b[:, :2])
    both = sides.clip(0).prod(-1)
    own, other = ((x[..., 2:] - x[..., :2]).prod(-1) for x in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(own > 0, both / (own + other - both), np.nan)


def encoded(overlaps: ArrayLike) -> NDArray[np.uint8]:
    """Store overlaps in a byte each, rounded down to steps of 1/200; NaN is 255.

    >>> encoded([0.5, 0.4999, 1.0, float("nan")]).tolist()
    [100, 99, 200, 255]
    """
    values = np.asarray(overlaps, np.float64)
    known = np.nan_to_num(values)
    steps = np.floor(known * STEPS)
    steps += (steps + 1) / STEPS <= known  # a product that was rounded below a whole step
    return np.where(np.isnan(values), UNDEFINED, steps).astype(np.uint8)


def decoded(stored: ArrayLike) -> Floats:
    """Return the overlaps that ``encoded`` stored; hits at a δ of whole steps are those of the exact overlaps.

    >>> decoded([100, 99, 200, 255]).tolist()
    [0.5, 0.495, 1.0, nan]
    """
    values = np.asarray(stored)
    return np.where(values == UNDEFINED, np.nan, values / STEPS)


def checked_truth(maps: Tensor, truth: Truth, size: tuple[int, int]) -> list[list[Floats]]:
    """Check the true boxes of a batch ``(B, A, h, w)`` of images of ``size`` ``(H, W)``.

    Raises:
        InputError: There are not B lists of A arrays of boxes, or a box has no area or is not inside its image.
    """
    from bincam.data.regions.boxes import checked_boxes

    wanted, given = tuple(maps.shape[:2]), (len(truth), {len(row) for row in truth})
    if given != (wanted[0], {wanted[1]} if wanted[0] else set()):
        raise InputError(f"true boxes are B lists of A arrays; the maps have (B, A) = {wanted}, the boxes {given}")
    return [
        [checked_boxes(boxes, size, f"image {b} of the batch, attribute {a}") for a, boxes in enumerate(row)]
        for b, row in enumerate(truth)
    ]
