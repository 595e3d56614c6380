"""Paint on the head: complexion, lips, make-up, stubble, wrinkles.

Everything is painted in the coordinates of the shared head (:attr:`bincam.faces.geometry.head.Head.points`), so it
follows every shape and expression. Colours are linear.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.geometry.surface_regions import (
    beard_area,
    brow_height,
    bump,
    hairline,
    is_ear,
    line,
    lips,
    noise,
    smooth,
)

Array = NDArray[Any]


class Paint(NamedTuple):
    """Everything painted on one face. Colours (3,) are linear, amounts are in [0, 1] unless noted."""

    tone: Array
    lip: Array
    lipstick: float
    shadow: Array  # colour of the eye shadow
    makeup: float
    rosy: float
    bags: float
    stubble: float
    beard: float  # shading of the skin under a full beard
    stubble_colour: Array
    wrinkles: float
    cheekbones: float
    double_chin: float
    pointy: float
    freckles: float
    hairline: float  # added to the height of the hairline, decimetres
    temples: float  # likewise, at the temples
    hair: float  # fraction of the scalp covered by roots of hair
    hair_colour: Array
    phase: float  # offset of the noise, any number
    brow_arch: float
    brow_half: float  # decimetres
    brow_colour: Array


@njit(cache=True)
def creases(x: float, y: float, z: float, phase: float) -> float:
    """Return the depth of the wrinkles of age at a place, 0 to 1."""
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
    deep = max(
        deep, 0.7 * line(y - 7.12 + 0.6 * (a - 0.3) * (a - 0.3), 0.014) * smooth(0.16, 0.22, a) * smooth(0.46, 0.38, a)
    )
    return max(deep, 0.6 * line(a - 0.285 - 0.1 * (6.55 - y), 0.014) * smooth(6.3, 6.38, y) * smooth(6.58, 6.52, y))


@njit(cache=True)
def paint(x: float, y: float, z: float, p: Paint, out: Array) -> float:
    """Compute the colour of the skin at a place of the head.

    Args:
        x: Coordinate of the shared head, in decimetres.
        y: Likewise.
        z: Likewise.
        p: The paint.
        out: (3,) linear colour, written.

    Returns:
        The shine of the place, 1 for ordinary skin.
    """
    a = abs(x)
    shine = 1.0
    mottle = 0.93 + 0.10 * noise(9 * x + p.phase, 9 * y) + 0.05 * noise(31 * x, 31 * y + p.phase)
    # nose, cheeks, ears and chin are redder
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
            r, g, b = (
                r * (1 + 0.34 * up - 0.42 * down),
                g * (1 + 0.34 * up - 0.46 * down),
                b * (1 + 0.34 * up - 0.46 * down),
            )
            shine += 1.2 * up
        if p.pointy > 0 and a < 0.2 and 6.83 < y < 7.35:
            ridge = p.pointy * line(a, 0.022) * smooth(6.84, 6.90, y) * smooth(7.35, 7.2, y) * (z > 1.2)
            flank = p.pointy * line(a - 0.085, 0.032) * smooth(6.85, 6.92, y) * smooth(7.22, 7.1, y) * (z > 1.2)
            r, g, b = (
                r * (1 + 0.28 * ridge - 0.30 * flank),
                g * (1 + 0.28 * ridge - 0.34 * flank),
                b * (1 + 0.28 * ridge - 0.34 * flank),
            )
            shine += 1.5 * ridge
        if p.wrinkles > 0:
            f = p.wrinkles * creases(x, y, z, p.phase)
            r, g, b = r * (1 - 0.48 * f), g * (1 - 0.58 * f), b * (1 - 0.60 * f)
            shine *= 1 - 0.3 * p.wrinkles
        t = (a - 0.115) / 0.40
        if 0 < t < 1 and z > 0.85 and 7.3 < y < 7.65:  # the skin under the brows
            half = p.brow_half * smooth(-0.06, 0.14, t) * (1 - 0.62 * smooth(0.5, 1.0, t))
            f = 0.62 * smooth(1.25, 0.5, abs(y - brow_height(a, p.brow_arch)) / half)
            r, g, b = (
                r * (1 - f) + p.brow_colour[0] * f,
                g * (1 - f) + p.brow_colour[1] * f,
                b * (1 - f) + p.brow_colour[2] * f,
            )
        if p.makeup > 0 and 7.15 < y < 7.45:
            lid = smooth(7.31, 7.335, y) * smooth(7.445, 7.375, y) * smooth(0.13, 0.20, a) * smooth(0.53, 0.43, a)
            f = 0.85 * p.makeup * lid
            r, g, b = r * (1 - f) + p.shadow[0] * f, g * (1 - f) + p.shadow[1] * f, b * (1 - f) + p.shadow[2] * f
            rim = 7.318 - 0.9 * (a - 0.30) * (a - 0.30) + 0.10 * max(a - 0.36, 0)
            liner = line(y - rim, 0.017) * smooth(0.14, 0.18, a) * smooth(0.52, 0.48, a)
            liner = max(
                liner,
                0.8
                * line(y - 7.225 - 1.2 * (a - 0.30) * (a - 0.30), 0.012)
                * smooth(0.2, 0.28, a)
                * smooth(0.46, 0.42, a),
            )
            f = 0.93 * p.makeup * liner
            r, g, b = r * (1 - f), g * (1 - f), b * (1 - f)
        # the roots of the lashes, on every face
        if 7.25 < y < 7.37 and z > 1.1:
            rim = 7.318 - 0.9 * (a - 0.30) * (a - 0.30)
            f = 0.62 * line(y - rim, 0.013) * smooth(0.165, 0.2, a) * smooth(0.45, 0.41, a)
            r, g, b = r * (1 - f), g * (1 - f), b * (1 - f)
    if p.stubble > 0 or p.beard > 0:
        area = beard_area(x, y, z)
        if area > 0:
            grain = 0.55 + 0.75 * noise(75 * x + p.phase, 75 * y)
            f = min(max(p.stubble, p.beard * smooth(6.02, 6.2, y)) * area * grain, 0.9) * (1 - lips(x, y) * (z > 1.1))
            r, g, b = (
                r * (1 - f) + p.stubble_colour[0] * f,
                g * (1 - f) + p.stubble_colour[1] * f,
                b * (1 - f) + p.stubble_colour[2] * f,
            )
    if p.double_chin > 0 and z > 0.3:
        at = 6.24 + 0.35 * a * a  # the crease below the chin; under it a lit fold, and the crease that ends it
        f = p.double_chin * (line(y - at, 0.045) + 0.7 * line(y - at + 0.25, 0.04)) * smooth(0.62, 0.42, a)
        r, g, b = r * (1 - 0.72 * f), g * (1 - 0.82 * f), b * (1 - 0.82 * f)
        f = p.double_chin * line(y - at + 0.14, 0.08) * smooth(0.56, 0.36, a)
        r, g, b = r * (1 + 0.6 * f), g * (1 + 0.5 * f), b * (1 + 0.45 * f)
    if z > 1.0 and 6.35 < y < 6.8:
        f = lips(x, y)
        if f > 0:
            grain = 0.88 + 0.2 * noise(60 * x, 6 * y + p.phase)
            r, g, b = (
                r * (1 - f) + p.lip[0] * grain * f,
                g * (1 - f) + p.lip[1] * grain * f,
                b * (1 - f) + p.lip[2] * grain * f,
            )
            shine += f * (0.6 + 2.2 * p.lipstick)
    if p.hair > 0:
        f = smooth(-0.02, 0.07, y - hairline(x, z, p.hairline, p.temples))
        if f > 0 and not is_ear(x, y, z):
            f *= p.hair
            r, g, b = (
                r * (1 - f) + p.hair_colour[0] * 0.45 * f,
                g * (1 - f) + p.hair_colour[1] * 0.45 * f,
                b * (1 - f) + p.hair_colour[2] * 0.45 * f,
            )
            shine *= 1 - 0.8 * f
    out[0], out[1], out[2] = r, g, b
    return shine
