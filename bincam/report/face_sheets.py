"""Contact sheets of generated faces: many at once, and each attribute off, on, and where it changes the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_GAP, _TITLE = 6, 20
_PAPER = 255
_INFLUENCE = np.array([230, 25, 25], np.float32)  # over skin of any tone


@dataclass(frozen=True)
class Row:
    """One attribute of one face: (H, W, 3) images without and with it, and (H, W) where they differ."""

    attribute: str
    off: Array
    on: Array
    influence: Array


def faces_sheet(images: Sequence[Array], columns: int = 10) -> Array:
    """(H, W, 3) uint8: images (h, w, 3) of one size in rows, without gaps."""
    blank = np.full_like(images[0], _PAPER)
    rows = [list(images[i : i + columns]) for i in range(0, len(images), columns)]
    return np.concatenate([np.concatenate(r + [blank] * (columns - len(r)), axis=1) for r in rows], axis=0)


def marked(image: Array, mask: Array) -> Array:
    """(H, W, 3) uint8: an image with a mask (H, W) laid over it in red."""
    mixed = np.where(mask[..., None], 0.40 * image + 0.60 * _INFLUENCE, image)
    return np.asarray(mixed.round().clip(0, 255), np.uint8)


def attributes_sheet(rows: Iterable[Row], columns: int = 4) -> Array:
    """(H, W, 3) uint8: for each attribute its name over three images: off, on, and on with its influence in red."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=13)
    tiles = []
    for row in rows:
        strip = np.concatenate([row.off, row.on, marked(row.on, row.influence)], axis=1)
        tile = np.full((strip.shape[0] + _TITLE + _GAP, strip.shape[1] + _GAP, 3), _PAPER, np.uint8)
        tile[_TITLE : _TITLE + strip.shape[0], : strip.shape[1]] = strip
        picture = Image.fromarray(tile)
        ImageDraw.Draw(picture).text((2, 2), row.attribute.replace("_", " "), fill=(0, 0, 0), font=font)
        tiles.append(np.asarray(picture))
    return faces_sheet(tiles, columns)
