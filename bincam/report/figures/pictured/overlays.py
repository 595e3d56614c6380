"""Raster images by NumPy and Pillow: evidence over a face, region outlines, data URIs."""

from __future__ import annotations

import base64
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.report.figures.pictured.explanation import enlarge, evidence_colours

Pixels = NDArray[np.uint8]
QUALITY = 82  # of JPEG, which a PDF embeds as it is, whereas it would store WebP uncompressed


@lru_cache(maxsize=1)
def _colours() -> NDArray[np.float64]:
    """``(257, 4)``: blue (against) over clear (zero) to red (for), in [0, 1]."""
    colours: NDArray[np.float64] = evidence_colours()(np.arange(257))
    return colours


def overlay(grey: Pixels, values: NDArray[np.floating[Any]], limit: float) -> Pixels:
    """Draw signed evidence over a backdrop, on a scale from -limit to +limit with zero clear.

    Args:
        grey: Backdrop ``(H, W, 3)``.
        values: Map ``(h, w)``; NaN is drawn as zero.
        limit: End of the scale, positive.

    Returns:
        The image ``(H, W, 3)``.
    """
    large = np.nan_to_num(enlarge(values, (grey.shape[0], grey.shape[1])))
    steps = np.clip(np.rint(128 + 128 * large / limit), 0, 256).astype(np.intp)
    rgba = _colours()[steps]
    alpha = rgba[..., 3:]
    mixed = grey * (1 - alpha) + 255 * rgba[..., :3] * alpha
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def resize(image: Pixels, side: int) -> Pixels:
    """Shrink or enlarge so that the longer side has ``side`` pixels."""
    from PIL import Image

    height, width = image.shape[:2]
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if size == (width, height):
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def hidden(image: Pixels, cells: int = 9) -> Pixels:
    """Make an image unrecognisable: reduced to ``cells`` across and smoothed, which cannot be undone."""
    from PIL import Image

    height, width = image.shape[:2]
    few = (cells, max(1, round(cells * height / width)))
    coarse = Image.fromarray(image).resize(few, Image.Resampling.BOX)
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def uri(image: Pixels) -> str:
    """Encode an image as ``data:image/jpeg;base64,...``, with full colour resolution because colours carry the map."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "jpeg", quality=QUALITY, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def outline(mask: NDArray[np.floating[Any]]) -> str:
    """Trace the outline of a mean region as an SVG path in a square of 100 x 100.

    Args:
        mask: ``(h, w)`` in [0, 1]: share of the images in which the pixel belongs to the region.

    Returns:
        The path at half of the mask's largest value; empty without a region (NaN or zero everywhere).
    """
    from contourpy import contour_generator

    values = np.nan_to_num(np.asarray(mask, dtype=np.float64))
    peak = float(values.max(initial=0.0))
    if peak <= 0:
        return ""
    # A frame of zeros closes the lines of regions that touch the border.
    lines = contour_generator(z=np.pad(values, 1)).lines(peak / 2)
    scale = 100 / np.array(values.shape[::-1])
    parts = []
    for line in lines:
        points = np.clip((np.asarray(line) - 0.5) * scale, 0, 100)  # centres of pixels, shifted by the frame
        if len(points) > 2:
            parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return "".join(parts)


def gradient(stops: int = 17) -> str:
    """Write the evidence colours over white as a CSS gradient, from against to for."""
    colours = _colours()[np.linspace(0, 256, stops).round().astype(int)]
    rgb = np.rint(255 * (colours[:, :3] * colours[:, 3:] + 1 - colours[:, 3:])).astype(int)
    return "linear-gradient(90deg," + ",".join(f"rgb({r} {g} {b})" for r, g, b in rgb) + ")"
