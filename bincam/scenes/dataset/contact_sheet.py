"""Contact sheets of scenes: each shape by itself, and scenes beside their masks and boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bincam.errors import InputError, nearest
from bincam.files import atomic, check_ending
from bincam.scenes.drawing.raster import SAMPLES, owners, paint
from bincam.scenes.drawing.shapes import SHAPES
from bincam.scenes.sampler import Scenes

Array = NDArray[Any]

KINDS: tuple[str, ...] = ("scenes", "masks", "shapes", "both")
_GAP, _TITLE = 4, 18  # pixels
_PAPER = 255
_MOST = 2**30  # pixels of a sheet
_INK = 30
# Ten colours of which neighbours differ in lightness too, for parts; grey is the ground and black the mark.
_TINTS = np.array(
    [
        [0, 114, 178], [230, 159, 0], [0, 158, 115], [213, 94, 0], [86, 180, 233], [204, 121, 167], [240, 228, 66],
        [100, 60, 140], [150, 200, 120], [140, 80, 50],
    ],
    np.uint8,
)  # fmt: skip


def scenes_sheet(drawn: Scenes, columns: int, *, masks: bool = False) -> Array:
    """Join scenes (h, w, 3) to a sheet (H, W, 3) uint8, with ``masks`` each beside its parts and their boxes."""
    tiles = []
    for row in range(len(drawn)):
        tile = drawn.images[row]
        if masks:
            tile = np.concatenate([tile, parts_picture(drawn.parts[row], drawn.boxes[row])], axis=1)
        tiles.append(np.pad(tile, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=_PAPER))
    tiles += [np.full_like(tiles[0], _PAPER)] * (-len(tiles) % columns)
    return np.concatenate(
        [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    )


def parts_picture(parts: Array, boxes: Array) -> Array:
    """Colour the parts (h, w) of a scene, and outline their boxes (11, 4): (h, w, 3) uint8."""
    colours = np.concatenate([np.full((1, 3), 205, np.uint8), _TINTS, np.zeros((1, 3), np.uint8)])
    picture = colours[parts]
    for part, (x0, y0, x1, y1) in enumerate(boxes.tolist(), 1):
        if x1:
            edge = colours[part] // 2
            picture[y0, x0:x1] = picture[y1 - 1, x0:x1] = edge
            picture[y0:y1, x0] = picture[y0:y1, x1 - 1] = edge
    return np.asarray(picture)


def shapes_sheet(size: int, zoom: int = 1) -> Array:
    """Draw each shape with its name, a quarter as large as a scene of ``size`` pixels: (H, W, 3) uint8."""
    font = ImageFont.load_default(size=12)
    side, tiles = 0.25 * size, []
    extent = round(2.2 * side)
    for row, name in enumerate(SHAPES):
        objects = np.array([[row, extent / 2, extent / 2, side, 0.0]])
        owner = np.zeros((SAMPLES * extent, SAMPLES * extent), np.int8)
        owners(objects, owner)
        image, parts = np.empty((extent, extent, 3), np.float32), np.empty((extent, extent), np.uint8)
        paper = np.full((extent, extent, 3), _PAPER, np.float32)
        paint(owner, objects, _TINTS[row : row + 1].astype(np.float32), np.zeros((1, 2)), paper, image, parts)
        picture = image.round().astype(np.uint8).repeat(zoom, axis=0).repeat(zoom, axis=1)
        tile = Image.fromarray(np.pad(picture, ((_TITLE, 0), (0, _GAP), (0, 0)), constant_values=_PAPER))
        ImageDraw.Draw(tile).text((picture.shape[1] // 2, 2), name, fill=(_INK, _INK, _INK), font=font, anchor="ma")
        tiles.append(np.asarray(tile))
    return np.concatenate(tiles, axis=1)


def check_sheet(kind: str, count: int, size: int, columns: int, zoom: int) -> None:
    """Refuse a sheet that cannot be drawn, before its scenes are; arguments as for :func:`write`.

    Raises:
        InputError: An unknown kind, a number below 1, or more pixels than memory and viewers of images bear.
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind of sheet {kind!r}{nearest(kind, KINDS)}")
    if columns < 1 or zoom < 1:
        raise InputError(f"expected at least one column and a zoom of at least 1, got {columns} and {zoom}")
    pixels = max(count, columns, len(SHAPES)) * (2 * zoom * size) ** 2  # at most: with masks, and a little for gaps
    if pixels > _MOST:
        raise InputError(
            f"a sheet of {count} scenes of {size} pixels, in rows of {columns} and enlarged by {zoom}, may have "
            f"{pixels:,} pixels; at most {_MOST:,} are drawn: lower one of these"
        )


def write(out: Path, kind: str, drawn: Scenes, columns: int, zoom: int) -> None:
    """Draw a sheet of scenes and write it as one PNG.

    Args:
        out: The PNG.
        kind: ``scenes``; ``masks`` for scenes beside their masks and boxes; ``shapes`` by themselves; or ``both``,
            shapes above masks.
        drawn: The scenes.
        columns: Number of scenes in a row.
        zoom: How many pixels of the sheet show one of a scene, along each axis.

    Raises:
        InputError: As :func:`check_sheet`.

    >>> import tempfile
    >>> from bincam.scenes import draw
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "sheet.png", "scenes", draw(3, seed=1), columns=2, zoom=1)
    ...     Image.open(Path(folder) / "sheet.png").size
    (200, 200)
    """
    check_ending(out, [".png"])
    check_sheet(kind, len(drawn), drawn.images.shape[1], columns, zoom)
    sheets = []
    if kind in {"shapes", "both"}:
        sheets.append(shapes_sheet(drawn.images.shape[1], zoom))
    if kind != "shapes":
        sheet = scenes_sheet(drawn, columns, masks=kind != "scenes")
        sheets.append(sheet.repeat(zoom, axis=0).repeat(zoom, axis=1))
    width = max(sheet.shape[1] for sheet in sheets)
    padded = [np.pad(s, ((0, 0), (0, width - s.shape[1]), (0, 0)), constant_values=_PAPER) for s in sheets]
    with atomic(out) as path:
        Image.fromarray(np.concatenate(padded)).save(path, "PNG")
