"""Colours of objects and ground: random, told apart, and independent of what is shown."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

APART_FROM_GROUND, APART = 36.0, 25.0
"""Least distance in CIELAB (1976) of an object's colour from the ground's two colours, and from other objects'."""
CUE_HUE = 0.0
"""The hue of a planted colour, from 0 to 1: red."""
KEPT_FREE = 0.13
"""Half the width of the hues around ``CUE_HUE`` in which nothing else is painted where a colour is planted."""
_CANDIDATES = 48
_GROUND_APART = 14.0, 30.0  # of the ground's two colours: seen as a texture, but not as objects
_CUE_HALF = 0.025  # half the width of the hues of the planted colour itself


def objects_and_ground(
    rng: np.random.Generator, count: int, cued: int | None = None, *, free: bool = False
) -> tuple[Array, Array]:
    """Draw the colours of a scene.

    Every draw is made before any selection, so that a cue changes no other random number.

    Args:
        rng: The stream of colours.
        count: Number of objects K.
        cued: The object in the planted colour; None for none.
        free: Whether the planted hues are kept free of everything else.

    Returns:
        (K, 3) colours of the objects and (2, 3) of the ground, float32 from 0 to 255.
    """
    fractions = rng.random((2 + count, _CANDIDATES, 3))
    hue, saturation, value = np.moveaxis(fractions, -1, 0)
    tint = CUE_HUE + KEPT_FREE + hue * (1 - 2 * KEPT_FREE) if free else hue
    value = 0.30 + 0.70 * value
    saturation[:2] *= 0.55  # grounds are paler than most objects
    saturation[2:] = 0.25 + 0.75 * np.sqrt(saturation[2:])
    if cued is not None:
        tint[2 + cued] = CUE_HUE + _CUE_HALF * (2 * hue[2 + cued] - 1)
        saturation[2 + cued] = 0.85 + 0.15 * fractions[2 + cued, :, 1]
        value[2 + cued] = 0.72 + 0.28 * fractions[2 + cued, :, 2]
    rgb = from_hsv(tint % 1, saturation, value)
    lab = cv2.cvtColor(rgb.reshape(1, -1, 3), cv2.COLOR_RGB2Lab).reshape(rgb.shape)
    apart = np.linalg.norm(lab[1] - lab[0, 0], axis=1)
    second = int(np.argmin(np.maximum(_GROUND_APART[0] - apart, 0) + np.maximum(apart - _GROUND_APART[1], 0)))
    ground = np.stack([rgb[0, 0], rgb[1, second]])
    taken = [lab[0, 0], lab[1, second], (lab[0, 0] + lab[1, second]) / 2]
    limits = [APART_FROM_GROUND] * 3
    colours = np.empty((count, 3), np.float32)
    order = sorted(range(count), key=lambda k: k != cued)  # the cue first: the others can keep apart from it
    for k in order:
        slack = np.linalg.norm(lab[2 + k][:, None] - np.array(taken), axis=2) / limits
        clear = slack.min(axis=1)
        best = int(np.argmax(clear >= 1)) if (clear >= 1).any() else int(np.argmax(clear))
        colours[k] = rgb[2 + k, best]
        taken.append(lab[2 + k, best])
        limits.append(APART)
    return 255 * colours, 255 * ground


def from_hsv(hue: Array, saturation: Array, value: Array) -> Array:
    """Convert hue, saturation and value from 0 to 1 to sRGB from 0 to 1, with a further axis of 3, as float32.

    >>> from_hsv(np.array(1 / 3), np.array(1.0), np.array(0.5)).tolist()
    [0.0, 0.5, 0.0]
    """
    hsv = np.stack([360 * hue, saturation, value], axis=-1).astype(np.float32)
    rgb: Array = cv2.cvtColor(hsv.reshape(1, -1, 3), cv2.COLOR_HSV2RGB).reshape(hsv.shape)
    return rgb
