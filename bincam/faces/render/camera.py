"""The camera, from linear light to the photograph: exposure, tone curve, blur, noise."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.labels.spec import FaceSpec
from bincam.generated.random_streams import stream

Array = NDArray[Any]

_STEPS = 4096
_LINEAR = np.linspace(0, 2, _STEPS)
_BENT = np.where(_LINEAR > 0.7, 0.7 + 0.3 * (1 - np.exp(-(_LINEAR - 0.7) / 0.3)), _LINEAR)  # highlights as on film
_SRGB = np.where(_BENT <= 0.0031308, 12.92 * _BENT, 1.055 * np.maximum(_BENT, 1e-9) ** (1 / 2.4) - 0.055)
_TABLE = (255 * _SRGB).astype(np.float32)


def develop(linear: Array, spec: FaceSpec, scale: float, *, noise: bool) -> tuple[Array, int]:
    """Develop linear light to a photograph.

    Args:
        linear: (H, W, 3) light.
        spec: The face, whose seed and label ``Blurry`` determine the camera.
        scale: Pixels of this image per pixel of CelebA's.
        noise: Add the sensor's noise.

    Returns:
        (H, W, 3) uint8, and the JPEG quality with which to store it.
    """
    rng = stream(spec.seed, "camera")
    exposure, warmth, tint, grain, quality, soft, strength = rng.random(7)
    gain = 0.86 + 0.30 * exposure
    balance = np.array([1 + 0.10 * (warmth - 0.5), 1 + 0.04 * (tint - 0.5), 1 - 0.10 * (warmth - 0.5)])
    light = linear * (gain * balance).astype(np.float32)
    blur = (1.9 + 1.3 * strength) if spec["Blurry"] else 0.25 * soft
    if blur * scale > 0.2:
        light = cv2.GaussianBlur(light, (0, 0), blur * scale)
    sensor = rng.standard_normal(light.shape if noise else (1, 1, 3), np.float32)
    return _expose(light, sensor, (0.8 + 3.2 * grain**2) if noise else 0.0, _TABLE), int(78 + 18 * quality)


@njit(cache=True)
def _expose(light: Array, sensor: Array, amount: float, table: Array) -> Array:
    rows, columns, _ = light.shape
    noisy = len(sensor) == rows
    out = np.empty(light.shape, np.uint8)
    scale = (len(table) - 1) / 2
    for i in range(rows):
        for j in range(columns):
            for c in range(3):
                value = table[int(min(max(light[i, j, c] * scale, 0.0), len(table) - 1.0))]
                if noisy:
                    value += amount * sensor[i, j, c]
                out[i, j, c] = int(min(max(value + 0.5, 0.0), 255.0))
    return out
