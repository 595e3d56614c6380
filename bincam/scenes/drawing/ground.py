"""Textured grounds: blobs, bands and weave in two colours, with shading across the image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_BANDS = 3.0, 9.0  # across the image


def ground(rng: np.random.Generator, size: int, colours: Array) -> Array:
    """Paint a ground that depends on the stream and two colours alone.

    Args:
        rng: The stream of the ground; the number of draws is always the same.
        size: Of the image, in pixels.
        colours: (2, 3) from 0 to 255.

    Returns:
        (H, W, 3) float32 from 0 to 255, before rounding.

    >>> flat = np.full((2, 3), 100.0)
    >>> ground(np.random.default_rng(0), 96, flat).shape
    (96, 96, 3)
    """
    kind, angle, bands, blend, slope = rng.random(5)
    coarse, fine = rng.random((6, 6)), rng.random((17, 17))
    shade = rng.random(2) - 0.5
    noise = 0.6 * _grown(coarse, size) + 0.4 * _grown(fine, size)
    y = (np.arange(size, dtype=np.float32)[:, None] + 0.5) / size
    x = y.T
    frequency = 2 * np.pi * (_BANDS[0] + bands * (_BANDS[1] - _BANDS[0]))
    cos, sin = np.float32(np.cos(np.pi * angle)), np.float32(np.sin(np.pi * angle))
    if kind < 0.4:  # blobs
        mix = 0.5 + 2.4 * (noise - 0.5)
    elif kind < 0.7:  # bands that wander
        mix = 0.5 + 0.5 * np.sin(frequency * (x * cos + y * sin) + 9 * noise)
    else:  # a weave
        first, second = np.sin(frequency * (x * cos + y * sin)), np.sin(frequency * (y * cos - x * sin))
        mix = 0.5 + 0.3 * first * second + 1.4 * blend * (noise - 0.5)
    mixed = np.clip(mix, 0, 1)[..., None].astype(np.float32)
    painted = colours[0].astype(np.float32) + (colours[1] - colours[0]).astype(np.float32) * mixed
    light = 1 + 0.35 * slope * (shade[0] * (x - 0.5) + shade[1] * (y - 0.5))
    return np.asarray(painted * light[..., None], np.float32)


def _grown(values: Array, size: int) -> Array:
    """Enlarge random values to the image, smoothly."""
    return np.asarray(cv2.resize(values.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC))
