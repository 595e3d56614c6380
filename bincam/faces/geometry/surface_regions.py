"""Regions of the shared head: hairline, lips, brows, beard and the parts of the skin; and noise for painting.

Arguments x, y and z are coordinates of :attr:`bincam.faces.geometry.head.Head.points`, in decimetres.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bincam.faces.labels.parts import Part

NECK, FACE, FOREHEAD, CHEEK, JAW, CHIN, UNDER_EYE, EYELID, NOSE, UPPER_LIP, LIPS, MOUTH, EAR, SCALP, BROW, HAIR = (
    int(p)
    for p in (
        Part.NECK, Part.FACE, Part.FOREHEAD, Part.CHEEK, Part.JAW, Part.CHIN, Part.UNDER_EYE, Part.EYELID, Part.NOSE,
        Part.UPPER_LIP, Part.LIPS, Part.MOUTH, Part.EAR, Part.SCALP, Part.BROW, Part.HAIR,
    )
)  # fmt: skip


@njit(cache=True)
def smooth(low: float, high: float, x: float) -> float:
    """Interpolate smoothly (smoothstep) from 0 at ``low`` to 1 at ``high``, also if ``low`` is above ``high``."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True)
def bump(x: float, y: float, rx: float, ry: float) -> float:
    """Evaluate a Gaussian of radii ``rx`` and ``ry``."""
    return float(np.exp(-(x * x) / (rx * rx) - (y * y) / (ry * ry)))


@njit(cache=True)
def hash2(i: int, j: int) -> float:
    """Hash a pair of integers to a number in [0, 1)."""
    n = (i * 374761393 + j * 668265263) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFFFF) / 16777216.0


@njit(cache=True)
def noise(x: float, y: float) -> float:
    """Evaluate smooth value noise in [0, 1], with one random value per unit."""
    i, j = int(np.floor(x)), int(np.floor(y))
    u, v = x - i, y - j
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    top = hash2(i, j) * (1 - u) + hash2(i + 1, j) * u
    low = hash2(i, j + 1) * (1 - u) + hash2(i + 1, j + 1) * u
    return top * (1 - v) + low * v


@njit(cache=True)
def hairline(x: float, z: float, rise: float, temples: float) -> float:
    """Return the height above which hair grows at a place of the skull."""
    back = 6.70 + 0.65 * smooth(0.1, 0.42, z)
    front = 7.93 - 0.10 * x * x / 0.25 + rise + temples * smooth(0.12, 0.38, abs(x))
    f = smooth(0.68, 1.02, z)
    return back * (1 - f) + front * f


@njit(cache=True)
def is_ear(x: float, y: float, z: float) -> bool:
    """Return True if a place of the skin belongs to an ear."""
    return abs(x) > 0.695 and 6.78 < y < 7.40 and -0.02 < z < 0.62


@njit(cache=True)
def lips(x: float, y: float) -> float:
    """Return 1 inside the red of the lips and 0 outside, with a soft border."""
    t = min(abs(x) / 0.235, 1.0)
    arc = 1 - t * t
    top = 6.607 + 0.095 * arc * (1 - 0.25 * t) - 0.014 * np.exp(-(x * x) / 0.0012)
    bottom = 6.600 - 0.120 * arc
    return smooth(-0.008, 0.010, top - y) * smooth(-0.010, 0.014, y - bottom) * smooth(0.235, 0.215, abs(x))


@njit(cache=True)
def beard_area(x: float, y: float, z: float) -> float:
    """Return 1 where a beard grows and 0 elsewhere, with a soft border."""
    a = abs(x)
    jaw = smooth(6.92 - 0.1 * smooth(0.25, 0.5, a), 6.62 - 0.05 * a, y) * smooth(5.86, 6.06, y) * smooth(0.30, 0.55, z)
    upper = smooth(0.30, 0.22, a) * smooth(6.88, 6.82, y) * smooth(1.1, 1.25, z)
    side = (
        smooth(0.52, 0.6, a) * smooth(7.2, 6.9, y) * smooth(0.42, 0.5, z) * smooth(0.85, 0.7, z) * smooth(6.3, 6.5, y)
    )
    return max(jaw, upper, side)


@njit(cache=True)
def region(x: float, y: float, z: float) -> int:
    """Return the part to which a place of the skin belongs."""
    a = abs(x)
    if is_ear(x, y, z):
        return EAR
    if z > 1.0 and y > 6.35 and lips(x, y) > 0.5:
        return LIPS if z > 1.36 - 0.6 * max(a - 0.1, 0) else MOUTH
    if y > 6.4 and y < 6.75 and z < 1.30 and a < 0.24 and z > 0.6:
        return MOUTH  # the inside of the lips
    if y > hairline(x, z, 0.0, 0.0):
        return SCALP
    if y < 6.30 - 0.35 * smooth(0.75, 1.15, z) - 0.02 or (z < 0.3 and y < 6.7):
        return NECK
    if a < 0.07 + 0.14 * smooth(7.25, 6.95, y) and 6.79 < y < 7.34 and z > 1.2:
        return NOSE
    if z > 0.85 and 7.38 + 0.03 < y < 7.60 and a < 0.60 and a > 0.06:
        return BROW
    if 0.12 < a < 0.5 and 7.225 < y <= 7.41 and z > 0.9:
        return EYELID
    if 0.12 < a < 0.48 and 7.06 < y <= 7.225 and z > 0.9:
        return UNDER_EYE
    if y > 7.41:
        return FOREHEAD if z > 0.7 else FACE
    if a < 0.25 and 6.60 < y <= 6.85:
        return UPPER_LIP
    if y < 6.55 and a < 0.26 and z > 0.9:
        return CHIN
    if y < 6.62:
        return JAW
    if a < 0.66 and z > 0.62:
        return CHEEK
    return FACE


@njit(cache=True)
def line(distance: float, width: float) -> float:
    """Evaluate a soft line: a Gaussian of the distance from it."""
    return float(np.exp(-(distance * distance) / (width * width)))


@njit(cache=True)
def brow_height(a: float, arch: float) -> float:
    """Return the height of the middle of the brow at |x| = a."""
    t = min(max((a - 0.12) / 0.38, 0.0), 1.0)
    flat = 7.452 + 0.020 * np.sin(3.1 * t) - 0.018 * t * t
    peak = 7.452 + 0.095 * smooth(0.0, 0.66, t) - 0.085 * smooth(0.62, 1.05, t)
    return float(flat * (1 - arch) + peak * arch)
