"""The columns of a batch's boxes: curves of its maps beside what was measured where the images were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.parts.boxes import BOXES, CURVES, NOT_SAMPLED, NUMBERS, PIXELS, Rows
from bincam.audit.pipeline.boxes.reading import HITS, IGNORED, MASKS, NULLS, OF_OBJECT, PARTS, PROJECTED, boxes_of
from bincam.data.regions.boxes import union_box
from bincam.data.regions.shapes import Mask
from bincam.metrics.localization.boxes.overlaps import UNDEFINED, decoded, encoded
from bincam.metrics.localization.boxes.protocols.clean import clean_found, clean_histograms
from bincam.metrics.localization.boxes.protocols.levels import FIXED, LEVELS
from bincam.metrics.localization.pointing_game import pointing


def measure_boxes(
    maps: Tensor,
    also: Mapping[str, Tensor],
    rows: NDArray[np.int64],
    positive: NDArray[np.bool_],
    drawn: NDArray[np.bool_],
    columns: Sequence[int],
    size: tuple[int, int],
) -> Rows:
    """Measure the boxes of a batch.

    Args:
        maps: ``(B, A, h, w)``, S: evidence for *yes*.
        also: What ``ReadBoxes`` made of the images.
        rows: ``(B,)``: rows of the table.
        positive: ``(B, A)``: the images that have the attribute.
        drawn: ``(B, A)``: the pairs that are measured.
        columns: ``(A,)``: the attributes' columns in the records.
        size: ``(H, W)`` of the images.

    Returns:
        A row for each positive pair, image by image.
    """
    truth = boxes_of(also[PARTS].numpy())
    found, boxes = clean_found(maps, truth, size)
    fixed = found.at(FIXED)
    nulls = also[NULLS].numpy()
    result = dict(not_measured(rows, positive, columns))
    at = np.nonzero(positive)
    values: dict[str, NDArray[Any]] = {
        "cam": found.one[..., fixed],
        **{name: nulls[..., n] for n, name in enumerate(OF_OBJECT)},
        "projected": _at(also[PROJECTED].numpy(), fixed),
        "one": encoded(found.one),
        "several": encoded(found.several),
        "projected_one": also[PROJECTED].numpy(),
        "box": boxes[..., fixed, :],
        "true_box": _unions(truth),
        "status": np.where(drawn, found.status, NOT_SAMPLED),
    }
    if MASKS in also:
        masks = _masks(also[MASKS].numpy(), size)
        values["pointing"] = pointing(maps, also[HITS]).numpy()
        ignore = [row[0] for row in _masks(also[IGNORED].numpy()[:, None], size)] if IGNORED in also else None
        values["pixels"] = clean_histograms(maps, masks, size, ignore=ignore).reshape(*positive.shape, PIXELS)
    for name, array in values.items():
        result[name] = array[at].astype(result[name].dtype)
    return result


def not_measured(rows: NDArray[np.int64], positive: NDArray[np.bool_], columns: Sequence[int]) -> Rows:
    """Return rows of pairs that are not measured; arguments are those of ``measure_boxes``."""
    b, a = np.nonzero(positive)
    count = len(b)
    return {
        "row": rows[b].astype(np.int32),
        "column": np.asarray(columns, np.int16)[a],
        "status": np.full(count, NOT_SAMPLED, np.int8),
        **{name: np.full(count, np.nan, np.float32) for name in NUMBERS},
        **{name: np.full((count, 4), np.nan, np.float32) for name in BOXES},
        **{name: np.full((count, len(LEVELS)), UNDEFINED, np.uint8) for name in CURVES},
        "pixels": np.zeros((count, PIXELS), np.uint32),
    }


def joined(parts: Sequence[Rows]) -> Rows:
    """Join the rows of several batches, at least one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _at(curves: NDArray[np.uint8], level: int) -> NDArray[np.float64]:
    return decoded(curves[..., level])


def _unions(truth: Sequence[Sequence[NDArray[np.float64]]]) -> NDArray[np.float64]:
    """The box around each object, ``(B, A, 4)``; NaN without one."""
    result = np.full((len(truth), len(truth[0]) if truth else 0, 4), np.nan)
    for b, row in enumerate(truth):
        for a, boxes in enumerate(row):
            if len(boxes):
                result[b, a] = union_box(boxes)[0]
    return result


def _masks(bits: NDArray[np.uint8], size: tuple[int, int]) -> list[list[Mask | None]]:
    """Unpack masks ``(B, A, bytes)``; an empty one is none."""
    pixels = size[0] * size[1]
    return [
        [np.unpackbits(one, count=pixels).astype(bool).reshape(size) if one.any() else None for one in row]
        for row in bits
    ]
