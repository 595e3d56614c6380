"""Contact sheets of generated faces: many at once, and each attribute off, on, and where it changes the image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bincam.errors import InputError
from bincam.faces.counterfactuals.pairs import counterfactual
from bincam.faces.labels.sampler import spec
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec, index
from bincam.faces.render.image import render
from bincam.faces.render.settings import TAU
from bincam.files import atomic

Array = NDArray[Any]

_MENS = (
    "5_o_Clock_Shadow",
    "Bald",
    "Goatee",
    "Mustache",
    "No_Beard",
    "Receding_Hairline",
    "Sideburns",
    "Wearing_Necktie",
)
_WOMENS = (
    "Bangs",
    "Heavy_Makeup",
    "Rosy_Cheeks",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Lipstick",
    "Wearing_Necklace",
)

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


def write(out: Path, kind: str, seed: int, count: int, columns: int, size: str) -> None:
    """Draws the sheets of faces as CelebA's prevalences give them, and writes them as one PNG.

    Args:
        out: Where to.
        kind: ``faces``, ``attributes``, or ``both``: the one over the other.
        seed: The first face's.
        count: Random faces.
        columns: Random faces in a row.
        size: ``WxH`` in pixels of each face.

    Raises:
        InputError: An unknown kind, or a size that is none.
    """
    if kind not in ("faces", "attributes", "both"):
        raise InputError(f"a sheet shows 'faces', 'attributes' or 'both', got {kind!r}")
    match = re.fullmatch(r"(\d+)x(\d+)", size)
    if not match:
        raise InputError(f"a size is WxH in pixels, as 178x218, got {size!r}")
    shape = (int(match[1]), int(match[2]))
    sheets = []
    if kind != "attributes":
        sheets.append(faces_sheet([render(spec(seed + i), shape).image for i in range(count)], columns))
    if kind != "faces":
        sheets.append(attributes_sheet(rows(seed, shape)))
    width = max(s.shape[1] for s in sheets)
    padded = [np.pad(s, ((0, 2 * _GAP), (0, width - s.shape[1]), (0, 0)), constant_values=_PAPER) for s in sheets]
    with atomic(out) as path:
        Image.fromarray(np.concatenate(padded, axis=0)).save(path, "PNG")


def rows(seed: int, size: tuple[int, int]) -> Iterator[Row]:
    """Each drawn attribute on a face of its own, one that can have it and shows it well."""
    for attribute in (a for a in ATTRIBUTES if a != "Attractive"):
        best: Row | None = None
        for i in range(seed, seed + 30):
            face = spec(i)
            if face["Blurry"] or not _suits(face, attribute):
                continue
            on = face if face[attribute] else counterfactual(face, attribute)
            off = on.flip(attribute)
            one = render(on, size, camera=False)
            if not one.visible[index(attribute)]:
                continue
            zero = render(off, size, camera=False)
            changed = np.abs(one.image.astype(np.int16) - zero.image).max(axis=-1) > TAU
            best = Row(attribute, zero.image, one.image, changed)
            if changed.any():
                break
        seed += 7
        if best is not None:
            yield best


def _suits(face: FaceSpec, attribute: str) -> bool:
    """Whether this is a face of the sex that CelebA mostly shows the attribute on, with nothing that hides it."""
    if attribute in _MENS:
        return face["Male"] and (attribute != "Goatee" or face["No_Beard"])
    if attribute in _WOMENS:
        return not face["Male"] and not face["Wearing_Hat"]
    return not (face["Wearing_Hat"] and "Hair" in attribute)
