"""The background of a face: soft shapes, out of focus."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bincam.generated.random_streams import stream

Array = NDArray[Any]


def palette(rng: np.random.Generator, count: int, saturation: float) -> Array:
    """Draw (count, 3) linear colours."""
    hue, value, strength = rng.random(count), rng.random(count), rng.random(count)
    angle = 2 * np.pi * (hue[:, None] + np.array([0, 1 / 3, 2 / 3]))
    colour = 1 + saturation * strength[:, None] * np.cos(angle)
    return np.asarray(0.03 + 0.8 * value[:, None] ** 1.8 * colour / colour.max(axis=1, keepdims=True))


def background(seed: int, size: tuple[int, int]) -> Array:
    """Draw a background (H, W, 3) float32, linear, that depends on the seed alone."""
    width, height = size
    rng = stream(seed, "background")
    colours = palette(rng, 12, 0.55)
    kind, angle, mix = rng.random(3)
    places, sizes, strengths = rng.random((10, 2)), rng.random((10, 2)), rng.random(10)
    w, h = 90, 110
    y, x = np.mgrid[0:h, 0:w] / np.array([h, w]).reshape(2, 1, 1)
    slope = np.clip(0.5 + (x - 0.5) * np.cos(6.3 * angle) + (y - 0.5) * np.sin(6.3 * angle), 0, 1)[..., None]
    canvas = np.ascontiguousarray(colours[0] * (1 - slope) + (0.35 + 0.65 * mix) * colours[1] * slope, np.float32)
    if kind > 0.25:
        for k in range(10):
            colour = tuple(float(c) for c in 0.5 * (colours[2 + k] + colours[k % 2]))
            at = (places[k] * [w, h]).astype(int)
            if kind < 0.6:  # a room: upright rectangles
                extent = (4 + sizes[k] * [22, 70]).astype(int)
                cv2.rectangle(canvas, (at - extent // 2).tolist(), (at + extent // 2).tolist(), colour, -1)
            else:  # lights and leaves
                cv2.circle(canvas, at.tolist(), int(3 + 15 * sizes[k, 0] ** 2), colour, -1)
        canvas[...] = cv2.GaussianBlur(canvas, (0, 0), 2.0 + 5.0 * strengths[0])
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_LINEAR))
