"""What of an image's boxes needs no map, measured in the process that reads the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.pipeline.boxes.true_objects import TRUE_PARTS, TrueObjects
from bincam.data.dataset import Crop
from bincam.metrics.localization.boxes.constant import ConstantBoxes
from bincam.metrics.localization.boxes.nulls import box_nulls
from bincam.metrics.localization.boxes.overlaps import encoded
from bincam.metrics.localization.boxes.protocols.levels import LEVELS
from bincam.metrics.localization.pointing_game import hit_cells, pointing_centre, pointing_chance

PARTS, MASKS, HITS = "boxes.parts", "boxes.masks", "boxes.hits"
IGNORED = "boxes.ignored"
NULLS, PROJECTED = "boxes.nulls", "boxes.projected"
OF_OBJECT = ("centred", "constant", "reach", "pointing_chance", "pointing_centre")
"""Columns of ``NULLS``."""


@dataclass(frozen=True)
class ReadBoxes:
    """Reads the true boxes of an image and measures what maps are held against, for ``bincam.data.loader(also=...)``.

    Attributes:
        objects: The source of boxes and masks.
        ids: ``(N,)``: the images.
        wanted: ``(N, A)``: the pairs of image and attribute to measure.
        size: ``(H, W)`` of the crops.
        grid: ``(h, w)`` of the maps.
        fitted: The constant boxes of the reference split; None without one.
        measured: False reads boxes alone, as for fitting constant boxes.
    """

    objects: TrueObjects
    ids: tuple[str, ...]
    wanted: NDArray[np.bool_]
    size: tuple[int, int]
    grid: tuple[int, int]
    fitted: ConstantBoxes | None = None
    measured: bool = True

    def __call__(self, crop: Crop) -> dict[str, NDArray[Any]]:
        """Measure one image.

        Returns:
            ``PARTS``: ``(A, TRUE_PARTS, 4)``, true boxes, NaN beyond the last; and unless boxes alone are read,
            ``NULLS``: ``(A, 5)``; ``PROJECTED``: ``(A, L)``, the projected mask's curve as bytes; and, where there are
            masks, ``MASKS``: ``(A, bytes)``, a bit per pixel, and ``HITS``: ``(A, h, w)``, see ``hit_cells``; and
            where masks state pixels that count neither way, ``IGNORED``: ``(bytes,)``.
        """
        width = len(self.objects.names)
        parts = np.full((width, TRUE_PARTS, 4), np.nan)
        nulls = np.full((width, len(OF_OBJECT)), np.nan, np.float32)
        projected = np.full((width, len(LEVELS)), np.nan)
        bits = np.zeros((width, -(-self.size[0] * self.size[1] // 8)), np.uint8)
        hits = np.full((width, *self.grid), np.nan, np.float32)
        ignored = None
        asked = self.wanted[crop.row]
        if asked.any():
            boxes, masks = self.objects.of(self.ids[crop.row], crop, self.size, asked.tolist())
            ignored = self.objects.ignored(self.ids[crop.row], crop, self.size) if self.measured else None
            pixels = None if self.fitted is None else self.fitted.in_image(self.size)
            for a, (of_object, mask) in enumerate(zip(boxes, masks, strict=True)):
                if not len(of_object):
                    continue
                parts[a, : len(of_object)] = of_object
                if not self.measured:
                    continue
                found = box_nulls(
                    of_object,
                    mask,
                    self.size,
                    self.grid,
                    centred=None if pixels is None else pixels.centred[a],
                    constant=None if pixels is None else pixels.constant[a],
                )
                projected[a] = found.projected
                nulls[a, :3] = found.centred, found.constant, found.reach
                if mask is not None and mask.any():
                    bits[a], hits[a] = np.packbits(mask), hit_cells(mask, self.grid)
                    nulls[a, 3:] = float(pointing_chance(mask)), float(pointing_centre(mask))
        result: dict[str, NDArray[Any]] = {PARTS: parts}
        if self.measured:
            result |= {NULLS: nulls, PROJECTED: encoded(projected)}
            result |= {MASKS: bits, HITS: hits} if self.objects.masks is not None else {}
            if self.objects.may_ignore:
                result[IGNORED] = np.zeros_like(bits[0]) if ignored is None else np.packbits(ignored)
        return result


def boxes_of(parts: NDArray[np.float64]) -> list[list[NDArray[np.float64]]]:
    """Return the true boxes of a batch from ``PARTS`` ``(B, A, TRUE_PARTS, 4)``: B lists of A arrays ``(K, 4)``."""
    return [[boxes[np.isfinite(boxes[:, 0])] for boxes in row] for row in parts]
