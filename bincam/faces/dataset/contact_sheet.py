"""Contact sheets of generated faces: many faces, and each attribute off, on and with its influence marked."""

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
from bincam.faces.counterfactuals.pairs import counterfactual, difference
from bincam.faces.labels.sampler import spec
from bincam.faces.labels.spec import DRAWN, FaceSpec, index
from bincam.faces.render.image import render
from bincam.files import atomic, check_ending

Array = NDArray[Any]

_ON_MEN = (
    "5_o_Clock_Shadow",
    "Bald",
    "Goatee",
    "Mustache",
    "No_Beard",
    "Receding_Hairline",
    "Sideburns",
    "Wearing_Necktie",
)
_ON_WOMEN = (
    "Bangs",
    "Heavy_Makeup",
    "Rosy_Cheeks",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Lipstick",
    "Wearing_Necklace",
)

_GAP, _TITLE = 6, 20  # pixels
_PAPER = 255
_INFLUENCE = np.array([230, 25, 25], np.float32)  # a red that stands out on skin of any tone


@dataclass(frozen=True)
class Row:
    """One attribute of one face: (H, W, 3) images without and with it, and the (H, W) mask of their difference."""

    attribute: str
    off: Array
    on: Array
    influence: Array


def faces_sheet(images: Sequence[Array], columns: int = 10) -> Array:
    """Join images (h, w, 3) of one size to a sheet (H, W, 3) uint8, in rows without gaps."""
    blank = np.full_like(images[0], _PAPER)
    rows = [list(images[i : i + columns]) for i in range(0, len(images), columns)]
    return np.concatenate([np.concatenate(r + [blank] * (columns - len(r)), axis=1) for r in rows], axis=0)


def marked(image: Array, mask: Array) -> Array:
    """Return (H, W, 3) uint8, an image with a mask (H, W) overlaid in red."""
    mixed = np.where(mask[..., None], 0.40 * image + 0.60 * _INFLUENCE, image)
    return np.asarray(mixed.round().clip(0, 255), np.uint8)


def attributes_sheet(rows: Iterable[Row], columns: int = 4) -> Array:
    """Draw a sheet (H, W, 3) uint8 with each attribute's name over three images: off, on, on with influence in red."""
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
    """Draw sheets of faces at CelebA's prevalences and write them as one PNG.

    Args:
        out: The PNG.
        kind: ``faces``, ``attributes``, or ``both``, one above the other.
        seed: Seed of the first face.
        count: Number of random faces.
        columns: Number of random faces in a row.
        size: ``WxH`` of each face in pixels.

    Raises:
        InputError: An unknown kind, or a malformed size.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "sheet.png", "faces", seed=0, count=2, columns=2, size="64x80")
    ...     Image.open(Path(folder) / "sheet.png").size
    (128, 92)
    """
    check_ending(out, [".png"])
    if kind not in ("faces", "attributes", "both"):
        raise InputError(f"expected a sheet of 'faces', 'attributes' or 'both', got {kind!r}")
    match = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", size)
    if not match:
        raise InputError(f"expected a size as WxH in pixels, for example 178x218, got {size!r}")
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
    """Yield each drawn attribute on a face that can have it and shows it clearly."""
    for attribute in DRAWN:
        best: Row | None = None
        for i in range(seed, seed + 30):
            face = spec(i)
            if face["Blurry"] or not _suits(face, attribute):
                continue
            on = face if face[attribute] else counterfactual(face, attribute)
            off = on.flip(attribute)
            with_it = render(on, size, camera=False)
            if not with_it.visible[index(attribute)]:
                continue
            without = render(off, size, camera=False)
            changed = difference(with_it.image, without.image)
            best = Row(attribute, without.image, with_it.image, changed)
            if changed.any():
                break
        seed += 7
        if best is not None:
            yield best


def _suits(face: FaceSpec, attribute: str) -> bool:
    """Return True for faces of the sex on which CelebA mostly has the attribute, with nothing that hides it."""
    if attribute in _ON_MEN:
        return face["Male"] and (attribute != "Goatee" or face["No_Beard"])
    if attribute in _ON_WOMEN:
        return not face["Male"] and not face["Wearing_Hat"]
    return not (face["Wearing_Hat"] and "Hair" in attribute)
