"""Boxes of explained images: what each map marks, in pixels of the photograph, beside a true box if one is given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.regions.boxes import Boxes, checked_boxes, cropped_boxes, union_box
from bincam.errors import InputError
from bincam.metrics.localization.boxes.protocols.levels import FIXED
from bincam.stats.formatting import number

if TYPE_CHECKING:
    from bincam.cam import Explanation


@dataclass(frozen=True)
class AskedBoxes:
    """The boxes that a user asks for.

    Attributes:
        level: τ.
        true: Attribute to its true boxes ``(K, 4)``, in pixels of the photograph.
    """

    level: float = FIXED
    true: Mapping[str, Boxes] = field(default_factory=dict)


def describe_boxes(
    asked: AskedBoxes, explanation: Explanation, row: int, matrix: NDArray[np.float64], photo: tuple[int, int]
) -> list[dict[str, Any]]:
    """Describe the boxes of one image in JSON values, one entry per explained output.

    The map is the one that is drawn, of the explained side.

    Args:
        asked: The threshold, and true boxes.
        explanation: Of the batch.
        row: The image's place in it.
        matrix: ``(2, 3)``, from pixels of the photograph to those that the model sees.
        photo: ``(H, W)`` of the photograph.

    Returns:
        ``level``; ``box``, in pixels of the photograph, and ``box_as_seen``, in those that the model sees (None where
        the map marks nothing); with a true box also ``true``, ``true_as_seen`` and ``iou``, of what the crop shows.

    Raises:
        InputError: A true box has no area, is outside the photograph or outside the crop.
    """
    from bincam.metrics.localization.boxes.overlaps import iou
    from bincam.metrics.localization.boxes.protocols.clean import clean_boxes

    size = explanation.image_size
    back = np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))[:2]
    found = clean_boxes(explanation.maps[row : row + 1].float().cpu(), size, [asked.level])[0, :, 0]  # (A, 4)
    entries = []
    for name, box in zip(explanation.output_names(row), found, strict=True):
        marked = bool(np.isfinite(box).all())
        entry: dict[str, Any] = {
            "level": asked.level,
            "box": _plain(cropped_boxes(box, back, photo)[0]) if marked else None,
            "box_as_seen": _plain(box) if marked else None,
        }
        if name in asked.true:
            true = checked_boxes(asked.true[name], photo, f"true box of {name}")
            seen = cropped_boxes(true, matrix, size)
            if not len(seen):
                raise InputError(f"true box of {name}: it is outside of the crop that the model sees")
            around = union_box(seen)
            overlap = float(iou(box, around)[0])
            entry |= {
                "true": [_plain(one) for one in true],
                "true_as_seen": [_plain(one) for one in seen],
                "iou": None if math.isnan(overlap) else round(overlap, 6),
            }
        entries.append(entry)
    return entries


def box_note(entry: Mapping[str, Any]) -> str:
    """Write a few words about a box, for the line under a panel's name."""
    if entry["box"] is None:
        return "no box"
    return f"IoU {number(entry['iou'])}" if entry.get("iou") is not None else f"box at τ = {entry['level']:g}"


def outlines_of(entry: Mapping[str, Any]) -> tuple[tuple[Sequence[float], bool], ...]:
    """Return the boxes to draw into the image as seen: ends, and if it is a true one."""
    own = [] if entry["box_as_seen"] is None else [(entry["box_as_seen"], False)]
    return (*((box, True) for box in entry.get("true_as_seen", ())), *own)


def _plain(box: NDArray[np.float64]) -> list[float]:
    return [round(float(end), 3) for end in box]
