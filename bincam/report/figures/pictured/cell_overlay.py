"""Raster pictures of the cells of one image, with the cells of its object outlined."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.report.figures.pictured.explanation import backdrop
from bincam.report.figures.pictured.grid import OPACITY, OTHERS, name_colours, score_colours
from bincam.report.figures.pictured.overlays import Pixels, resize

SIDE = 256
"""Longer side of a picture before it is shrunk for the page, so that lines are thin."""
DARK, LIGHT = np.array([20, 20, 20]), np.array([255, 255, 255])


@lru_cache(maxsize=1)
def _scores() -> NDArray[np.float64]:
    """``(513, 3)``: blue (no) over white (the threshold) to red (yes), in [0, 1]."""
    colours: NDArray[np.float64] = score_colours()(np.arange(513))[:, :3]
    return colours


def score_picture(
    image: Pixels, scores: NDArray[np.floating[Any]], threshold: float, limit: float, inside: NDArray[np.bool_]
) -> Pixels:
    """Draw the cell scores of a yes-or-no attribute: red cells say yes, blue cells no, white is the threshold.

    Args:
        image: ``(H, W, 3)``.
        scores: s, ``(h, w)``; NaN is not drawn.
        threshold: t.
        limit: Greatest |s - t| of the scale, positive.
        inside: ``(h, w)``: the object's cells, which are outlined.

    Returns:
        The picture; its longer side has ``SIDE`` pixels.
    """
    steps = np.clip(np.rint(256 + 256 * np.nan_to_num(scores - threshold) / limit), 0, 512).astype(np.intp)
    return _drawn(image, _scores()[steps], np.isfinite(scores), inside)


def name_picture(
    image: Pixels, winners: NDArray[np.integer[Any]], true: int, predicted: int, inside: NDArray[np.bool_]
) -> Pixels:
    """Draw the outputs that cells name: the true one in orange, the predicted one in blue, all others in grey.

    Args:
        image: ``(H, W, 3)``.
        winners: ``(h, w)``: index of the output; -1 for none.
        true: Index of the true output.
        predicted: Index of the predicted one.
        inside: ``(h, w)``: the object's cells, which are outlined.

    Returns:
        The picture; its longer side has ``SIDE`` pixels.
    """
    from matplotlib.colors import to_rgb

    blue, orange = (np.array(to_rgb(colour)) for colour in name_colours(2))
    colours = np.tile(np.array(to_rgb(OTHERS)), (*winners.shape, 1))
    colours[winners == predicted] = blue
    colours[winners == true] = orange
    return _drawn(image, colours, winners >= 0, inside)


def _drawn(
    image: Pixels, colours: NDArray[np.floating[Any]], known: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> Pixels:
    grey = backdrop(resize(image, SIDE)).astype(float)
    (h, w), (height, width) = colours.shape[:2], grey.shape[:2]
    rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
    at = np.ix_(rows, columns)
    alpha = (OPACITY * known[at])[..., None]
    mixed = grey * (1 - alpha) + 255 * colours[at] * alpha
    for edge, ink in ((_edges(inside[at], 2), LIGHT), (_edges(inside[at], 1), DARK)):
        mixed[edge] = ink
    drawn: Pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return drawn


def _edges(inside: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Pixels within some pixels of the border between the object's cells and the others, and of the image's own."""
    padded = np.pad(inside, width)
    shifted = [
        padded[width + down : padded.shape[0] - width + down, width + right : padded.shape[1] - width + right]
        for down in range(-width, width + 1)
        for right in range(-width, width + 1)
    ]
    edges: NDArray[np.bool_] = inside & ~np.all(shifted, axis=0)
    return edges
