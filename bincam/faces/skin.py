"""What is painted on the head: complexion, lips, make-up, stubble, wrinkles, and which part of the face a place is.

All is painted in the coordinates of the shared head (:attr:`bincam.faces.head.Head.points`), so it follows every shape
and expression. Colours are linear.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.parts import Part

Array = NDArray[Any]

NECK, FACE, FOREHEAD, CHEEK, JAW, CHIN, UNDER_EYE, EYELID, NOSE, UPPER_LIP, LIPS, MOUTH, EAR, SCALP, BROW, HAIR = (
    int(p)
    for p in (
        Part.NECK, Part.FACE, Part.FOREHEAD, Part.CHEEK, Part.JAW, Part.CHIN, Part.UNDER_EYE, Part.EYELID, Part.NOSE,
        Part.UPPER_LIP, Part.LIPS, Part.MOUTH, Part.EAR, Part.SCALP, Part.BROW, Part.HAIR,
    )
)  # fmt: skip


class Paint(NamedTuple):
    """Everything painted on one face: colours (3,) linear, amounts in [0, 1] unless noted."""

    tone: Array
    lip: Array
    lipstick: float
    shadow: Array  # eye shadow's colour
    makeup: float
    rosy: float
    bags: float
    stubble: float
    beard: float  # the shade of a full beard on the skin under it
    stubble_colour: Array
    wrinkles: float
    cheekbones: float
    double_chin: float
    pointy: float
    freckles: float
    hairline: float  # added to the height at which hair begins, decimetres
    temples: float  # added at the temples
    hair: float  # 1 with hair: the scalp is covered by its roots
    hair_colour: Array
    phase: float  # of the noise, any number
    brow_arch: float
    brow_half: float  # decimetres
    brow_colour: Array


@njit(cache=True)
def smooth(low: float, high: float, x: float) -> float:
    """0 below low, 1 above high, in between a cubic."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True)
def bump(x: float, y: float, rx: float, ry: float) -> float:
    """A Gaussian of the given radii."""
    return np.exp(-(x * x) / (rx * rx) - (y * y) / (ry * ry))


@njit(cache=True)
def hash2(i: int, j: int) -> float:
    """A number in [0, 1) for each pair of integers."""
    n = (i * 374761393 + j * 668265263) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFFFF) / 16777216.0


@njit(cache=True)
def noise(x: float, y: float) -> float:
    """Smooth noise in [0, 1], one bump per unit."""
    i, j = int(np.floor(x)), int(np.floor(y))
    u, v = x - i, y - j
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    top = hash2(i, j) * (1 - u) + hash2(i + 1, j) * u
    low = hash2(i, j + 1) * (1 - u) + hash2(i + 1, j + 1) * u
    return top * (1 - v) + low * v


@njit(cache=True)
def hairline(x: float, z: float, rise: float, temples: float) -> float:
    """The height above which hair grows, at a place of the skull."""
    back = 6.70 + 0.65 * smooth(0.1, 0.42, z)
    front = 7.93 - 0.10 * x * x / 0.25 + rise + temples * smooth(0.12, 0.38, abs(x))
    f = smooth(0.68, 1.02, z)
    return back * (1 - f) + front * f


@njit(cache=True)
def is_ear(x: float, y: float, z: float) -> bool:
    """Whether a place of the skin belongs to an ear."""
    return abs(x) > 0.695 and 6.78 < y < 7.40 and -0.02 < z < 0.62


@njit(cache=True)
def lips(x: float, y: float) -> float:
    """How far inside the lips' red a place is, 0 to 1, soft at the border."""
    t = min(abs(x) / 0.235, 1.0)
    arc = 1 - t * t
    top = 6.607 + 0.095 * arc * (1 - 0.25 * t) - 0.014 * np.exp(-(x * x) / 0.0012)
    bottom = 6.600 - 0.120 * arc
    return smooth(-0.008, 0.010, top - y) * smooth(-0.010, 0.014, y - bottom) * smooth(0.235, 0.215, abs(x))


@njit(cache=True)
def beard_area(x: float, y: float, z: float) -> float:
    """Where stubble grows, 0 to 1."""
    a = abs(x)
    jaw = smooth(6.92 - 0.1 * smooth(0.25, 0.5, a), 6.62 - 0.05 * a, y) * smooth(5.86, 6.06, y) * smooth(0.30, 0.55, z)
    upper = smooth(0.30, 0.22, a) * smooth(6.88, 6.82, y) * smooth(1.1, 1.25, z)
    side = smooth(0.52, 0.6, a) * smooth(7.2, 6.9, y) * smooth(0.42, 0.5, z) * smooth(0.85, 0.7, z) * smooth(6.3, 6.5, y)
    return max(jaw, upper, side)


@njit(cache=True)
def region(x: float, y: float, z: float, rise: float, temples: float) -> int:
    """Which part of the head a place of the skin is."""
    a = abs(x)
    if is_ear(x, y, z):
        return EAR
    if z > 1.0 and y > 6.35 and lips(x, y) > 0.5:
        return LIPS if z > 1.36 - 0.6 * max(a - 0.1, 0) else MOUTH
    if y > 6.4 and y < 6.75 and z < 1.30 and a < 0.24 and z > 0.6:
        return MOUTH  # the lips' inside
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
    """A soft line."""
    return np.exp(-(distance * distance) / (width * width))


@njit(cache=True)
def brow_height(a: float, arch: float) -> float:
    """The middle of the brow at |x| = a on the shared head."""
    t = min(max((a - 0.12) / 0.38, 0.0), 1.0)
    flat = 7.452 + 0.020 * np.sin(3.1 * t) - 0.018 * t * t
    peak = 7.452 + 0.095 * smooth(0.0, 0.66, t) - 0.085 * smooth(0.62, 1.05, t)
    return flat * (1 - arch) + peak * arch


@njit(cache=True)
def creases(x: float, y: float, z: float, phase: float) -> float:
    """How deep in the wrinkles of age a place is, 0 to 1."""
    a = abs(x)
    if z < 0.55:
        return 0.0
    wobble = 0.012 * np.sin(9 * x + phase) + 0.006 * np.sin(23 * x + 2 * phase)
    deep = 0.0
    for k in range(3):  # forehead
        at = 7.60 + 0.095 * k + wobble + 0.03 * a
        deep = max(deep, (0.85 - 0.12 * k) * line(y - at, 0.014) * smooth(0.52, 0.30, a))
    fold = 0.185 + 0.42 * (6.93 - y) * smooth(6.93, 6.5, y) + 0.10 * smooth(6.92, 6.72, y)  # nose to mouth
    deep = max(deep, line(a - fold, 0.020) * smooth(6.50, 6.58, y) * smooth(6.98, 6.90, y))
    for k in range(3):  # crow's feet
        at = 7.285 + (k - 1) * (0.03 + 0.35 * (a - 0.44))
        deep = max(deep, 0.75 * line(y - at, 0.011) * smooth(0.445, 0.48, a) * smooth(0.64, 0.56, a))
    deep = max(deep, 0.7 * line(a - 0.055, 0.014) * smooth(7.38, 7.43, y) * smooth(7.60, 7.52, y))  # frown
    deep = max(deep, 0.7 * line(y - 7.12 + 0.6 * (a - 0.3) * (a - 0.3), 0.014) * smooth(0.16, 0.22, a) * smooth(0.46, 0.38, a))
    deep = max(deep, 0.6 * line(a - 0.285 - 0.1 * (6.55 - y), 0.014) * smooth(6.3, 6.38, y) * smooth(6.58, 6.52, y))
    return deep


@njit(cache=True)
def paint(x: float, y: float, z: float, p: Paint, out: Array) -> float:
    """The skin's colour at a place of the head.

    Args:
        x, y, z: The place.
        p: What is painted.
        out: (3,) linear colour, written.

    Returns:
        How much the place shines, 1 as skin usually does.
    """
    a = abs(x)
    shine = 1.0
    mottle = 0.93 + 0.10 * noise(9 * x + p.phase, 9 * y) + 0.05 * noise(31 * x, 31 * y + p.phase)
    # blood shows in nose, cheeks, ears and chin
    red = 0.7 if is_ear(x, y, z) else 0.0
    if y < 7.4 and z > 0.5:
        red += 0.6 * bump(a - 0.40, y - 6.98, 0.20, 0.16) + 0.35 * bump(a, y - 6.30, 0.14, 0.10)
        red += 0.7 * bump(a, y - 6.90, 0.13, 0.10) * (z > 1.2)
    r, g, b = p.tone[0] * mottle, p.tone[1] * mottle * (1 - 0.13 * red), p.tone[2] * mottle * (1 - 0.13 * red)
    front = z > 0.55
    if front:
        socket = bump(a - 0.30, y - 7.30, 0.19, 0.13) if 6.95 < y < 7.65 else 0.0
        r, g, b = r * (1 - 0.10 * socket), g * (1 - 0.16 * socket), b * (1 - 0.13 * socket)
        if p.freckles > 0 and 6.6 < y < 7.4:
            spot = smooth(0.72, 0.80, noise(52 * x + p.phase, 52 * y)) * bump(a - 0.25, y - 7.02, 0.30, 0.17)
            f = p.freckles * spot
            r, g, b = r * (1 - 0.25 * f), g * (1 - 0.38 * f), b * (1 - 0.45 * f)
        if p.bags > 0 and 6.98 < y < 7.32:
            low = 7.125 + 0.9 * (a - 0.30) * (a - 0.30)
            bag = line(y - low, 0.030) * smooth(0.13, 0.20, a) * smooth(0.47, 0.38, a)
            swell = line(y - low - 0.052, 0.026) * smooth(0.15, 0.21, a) * smooth(0.45, 0.37, a)
            f = p.bags * bag
            r, g, b = r * (1 - 0.58 * f), g * (1 - 0.70 * f), b * (1 - 0.58 * f)
            f = p.bags * swell
            r, g, b = r * (1 + 0.06 * f), g * (1 - 0.10 * f), b * (1 + 0.02 * f)
        if p.rosy > 0 and 6.65 < y < 7.35:
            f = p.rosy * min(1.0, 1.15 * bump(a - 0.43, y - 6.98, 0.17, 0.125)) * smooth(0.20, 0.27, a)
            r, g, b = r * (1 + 0.04 * f) + 0.03 * f, g * (1 - 0.50 * f), b * (1 - 0.42 * f)
        if p.cheekbones > 0 and 6.55 < y < 7.2:
            up = p.cheekbones * bump(a - 0.46, y - 7.03 - 0.3 * (a - 0.46), 0.13, 0.05)
            down = p.cheekbones * bump(a - 0.50, y - 6.80 - 0.55 * (a - 0.50), 0.13, 0.075)
            r, g, b = r * (1 + 0.34 * up - 0.42 * down), g * (1 + 0.34 * up - 0.46 * down), b * (1 + 0.34 * up - 0.46 * down)
            shine += 1.2 * up
        if p.pointy > 0 and a < 0.2 and 6.83 < y < 7.35:
            ridge = p.pointy * line(a, 0.022) * smooth(6.84, 6.90, y) * smooth(7.35, 7.2, y) * (z > 1.2)
            flank = p.pointy * line(a - 0.085, 0.032) * smooth(6.85, 6.92, y) * smooth(7.22, 7.1, y) * (z > 1.2)
            r, g, b = r * (1 + 0.28 * ridge - 0.30 * flank), g * (1 + 0.28 * ridge - 0.34 * flank), b * (1 + 0.28 * ridge - 0.34 * flank)
            shine += 1.5 * ridge
        if p.wrinkles > 0:
            f = p.wrinkles * creases(x, y, z, p.phase)
            r, g, b = r * (1 - 0.48 * f), g * (1 - 0.58 * f), b * (1 - 0.60 * f)
            shine *= 1 - 0.3 * p.wrinkles
        t = (a - 0.115) / 0.40
        if 0 < t < 1 and z > 0.85 and 7.3 < y < 7.65:  # the skin under the brows
            half = p.brow_half * smooth(-0.06, 0.14, t) * (1 - 0.62 * smooth(0.5, 1.0, t))
            f = 0.62 * smooth(1.25, 0.5, abs(y - brow_height(a, p.brow_arch)) / half)
            r, g, b = r * (1 - f) + p.brow_colour[0] * f, g * (1 - f) + p.brow_colour[1] * f, b * (1 - f) + p.brow_colour[2] * f
        if p.makeup > 0 and 7.15 < y < 7.45:
            lid = smooth(7.31, 7.335, y) * smooth(7.445, 7.375, y) * smooth(0.13, 0.20, a) * smooth(0.53, 0.43, a)
            f = 0.85 * p.makeup * lid
            r, g, b = r * (1 - f) + p.shadow[0] * f, g * (1 - f) + p.shadow[1] * f, b * (1 - f) + p.shadow[2] * f
            rim = 7.318 - 0.9 * (a - 0.30) * (a - 0.30) + 0.10 * max(a - 0.36, 0)
            liner = line(y - rim, 0.017) * smooth(0.14, 0.18, a) * smooth(0.52, 0.48, a)
            liner = max(liner, 0.8 * line(y - 7.225 - 1.2 * (a - 0.30) * (a - 0.30), 0.012) * smooth(0.2, 0.28, a) * smooth(0.46, 0.42, a))
            f = 0.93 * p.makeup * liner
            r, g, b = r * (1 - f), g * (1 - f), b * (1 - f)
        # the lashes' root, on everyone
        if 7.25 < y < 7.37 and z > 1.1:
            rim = 7.318 - 0.9 * (a - 0.30) * (a - 0.30)
            f = 0.62 * line(y - rim, 0.013) * smooth(0.165, 0.2, a) * smooth(0.45, 0.41, a)
            r, g, b = r * (1 - f), g * (1 - f), b * (1 - f)
    if p.stubble > 0 or p.beard > 0:
        area = beard_area(x, y, z)
        if area > 0:
            grain = 0.55 + 0.75 * noise(75 * x + p.phase, 75 * y)
            f = min(max(p.stubble, p.beard * smooth(6.02, 6.2, y)) * area * grain, 0.9) * (1 - lips(x, y) * (z > 1.1))
            r, g, b = r * (1 - f) + p.stubble_colour[0] * f, g * (1 - f) + p.stubble_colour[1] * f, b * (1 - f) + p.stubble_colour[2] * f
    if p.double_chin > 0 and z > 0.3:
        at = 6.10 - 0.30 * smooth(1.15, 0.55, z) * 0 + 0.5 * a * a
        f = p.double_chin * line(y - at, 0.028) * smooth(0.42, 0.3, a)
        r, g, b = r * (1 - 0.42 * f), g * (1 - 0.5 * f), b * (1 - 0.5 * f)
    if z > 1.0 and 6.35 < y < 6.8:
        f = lips(x, y)
        if f > 0:
            grain = 0.88 + 0.2 * noise(60 * x, 6 * y + p.phase)
            r, g, b = r * (1 - f) + p.lip[0] * grain * f, g * (1 - f) + p.lip[1] * grain * f, b * (1 - f) + p.lip[2] * grain * f
            shine += f * (0.6 + 2.2 * p.lipstick)
    if p.hair > 0:
        f = smooth(-0.02, 0.07, y - hairline(x, z, p.hairline, p.temples))
        if f > 0 and not is_ear(x, y, z):
            f *= p.hair
            r, g, b = r * (1 - f) + p.hair_colour[0] * 0.45 * f, g * (1 - f) + p.hair_colour[1] * 0.45 * f, b * (1 - f) + p.hair_colour[2] * 0.45 * f
            shine *= 1 - 0.8 * f
    out[0], out[1], out[2] = r, g, b
    return shine
