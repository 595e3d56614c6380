"""Rasteriser: which object is seen in each of 4 x 4 samples of a pixel, and from that its part and its colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.scenes.drawing.shapes import SHAPES, inside, reach

Array = NDArray[Any]
SAMPLES = 4
"""Samples of a pixel along each axis."""
MARK = len(SHAPES) + 1
"""The part of the corner mark; 0 is the ground, and n from 1 on is shape n - 1."""
_CELLS = 3  # of the mark along each axis, black and white in turn
_GAP = 2  # pixels between the mark and the image's border


def mark_box(size: int) -> tuple[int, int, int, int]:
    """Return the box x0, y0, x1, y1 of the corner mark of an image of ``size`` pixels: at the bottom right.

    >>> mark_box(96)
    (85, 85, 94, 94)
    """
    side = _CELLS * max(2, round(size / 32))
    return size - _GAP - side, size - _GAP - side, size - _GAP, size - _GAP


def paint_mark(image: Array, parts: Array) -> None:
    """Paint the corner mark, a board of black and white cells, over an image (H, W, 3) and its parts (H, W)."""
    x0, y0, x1, y1 = mark_box(len(image))
    row = (np.arange(x1 - x0) * _CELLS) // (x1 - x0)
    board = (row[:, None] + row) % 2
    image[y0:y1, x0:x1] = np.where(board[..., None] == 1, 245, 10)
    parts[y0:y1, x0:x1] = MARK


@njit(cache=True)
def owners(objects: Array, owner: Array) -> Array:
    """Find the topmost object at every sample; later objects cover earlier ones.

    Args:
        objects: (K, 5) shape, x, y, side and turn of each object, in pixels and radians, in the order of drawing.
        owner: (SAMPLES H, SAMPLES W) int8, filled with k + 1 for object k and 0 for the ground.

    Returns:
        (K, 2) samples of each object that are seen, and those that it has.
    """
    owner[:] = 0
    counts = np.zeros((len(objects), 2), np.int64)
    height, width = owner.shape
    for k in range(len(objects)):
        shape, side, turn = int(objects[k, 0]), objects[k, 3], objects[k, 4]
        left, up, right, down = reach(shape, side, turn)
        cos, sin = np.cos(turn) / side, np.sin(turn) / side
        top, bottom = int(max(0.0, (objects[k, 2] - up) * SAMPLES)), int((objects[k, 2] + down) * SAMPLES) + 1
        first, last = int(max(0.0, (objects[k, 1] - left) * SAMPLES)), int((objects[k, 1] + right) * SAMPLES) + 1
        for row in range(top, min(bottom, height)):
            dy = (row + 0.5) / SAMPLES - objects[k, 2]
            for column in range(first, min(last, width)):
                dx = (column + 0.5) / SAMPLES - objects[k, 1]
                if inside(shape, dx * cos + dy * sin, dy * cos - dx * sin):
                    before = owner[row, column]
                    if before:
                        counts[before - 1, 0] -= 1
                    owner[row, column] = k + 1
                    counts[k] += 1
    return counts


@njit(cache=True)
def paint(
    owner: Array, objects: Array, colours: Array, slopes: Array, ground: Array, image: Array, parts: Array
) -> None:
    """Paint an image and its parts from the topmost objects of all samples.

    A pixel's colour is the mean over its samples; its part is what most of them show, the topmost of equals.

    Args:
        owner: As :func:`owners` fills it.
        objects: (K, 5), as there.
        colours: (K, 3) from 0 to 255.
        slopes: (K, 2) relative change of brightness along x and y, per side of the object.
        ground: (H, W, 3) float32 from 0 to 255.
        image: (H, W, 3) float32, filled.
        parts: (H, W) uint8, filled.
    """
    height, width = parts.shape
    seen = np.zeros(len(objects) + 1, np.int64)
    for y in range(height):
        for x in range(width):
            seen[:] = 0
            for row in range(SAMPLES * y, SAMPLES * (y + 1)):
                for column in range(SAMPLES * x, SAMPLES * (x + 1)):
                    seen[owner[row, column]] += 1
            share = seen[0] / SAMPLES**2
            red, green, blue = share * ground[y, x, 0], share * ground[y, x, 1], share * ground[y, x, 2]
            most = 0
            for k in range(len(objects)):
                if seen[k + 1]:
                    light = (
                        1
                        + (slopes[k, 0] * (x + 0.5 - objects[k, 1]) + slopes[k, 1] * (y + 0.5 - objects[k, 2]))
                        / objects[k, 3]
                    )
                    share = light * seen[k + 1] / SAMPLES**2
                    red += share * colours[k, 0]
                    green += share * colours[k, 1]
                    blue += share * colours[k, 2]
                    if seen[k + 1] >= seen[most]:
                        most = k + 1
            image[y, x, 0], image[y, x, 1], image[y, x, 2] = red, green, blue
            parts[y, x] = int(objects[most - 1, 0]) + 1 if most else 0


@njit(cache=True)
def boxes(parts: Array) -> Array:
    """Return the box (MARK, 4) of the visible pixels of every part: x0, y0, x1, y1, ends exclusive; zeros without any.

    Args:
        parts: (H, W) uint8.
    """
    result = np.zeros((MARK, 4), np.int32)
    height, width = parts.shape
    for y in range(height):
        for x in range(width):
            part = parts[y, x]
            if part:
                box = result[part - 1]
                if box[2] == 0:
                    box[0], box[1] = x, y
                box[0], box[2] = min(box[0], x), max(box[2], x + 1)
                box[3] = max(box[3], y + 1)
    return result
