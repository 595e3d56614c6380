"""Materials other than skin: eyes, and the colours and patterns of clothes and accessories."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bincam.faces.geometry.surface_regions import noise, smooth

Array = NDArray[Any]


class Wear(NamedTuple):
    """Colours and patterns of clothes and accessories, by material, and the neckline."""

    colour: Array  # (12, 3)
    second: Array  # (12, 3)
    pattern: Array  # (12,) int: 0 plain, 1 and 2 stripes, 3 checks, 4 knitted, 5 dots
    shine: Array  # (12,)
    cloth: int  # row of colour and pattern for the clothes
    neckline: float  # height of its ring, decimetres
    vee: float  # depth of its V
    lens_dark: float
    lens_colour: Array


class Eyes(NamedTuple):
    """Colours of the eyes and their gaze."""

    iris: Array
    white: Array
    gaze: Array  # (2,) shift of the pupil on the shared head
    centre: Array  # (3,) of the left eye on the shared head, x negative
    makeup: float


@njit(cache=True)
def dressed(x: float, y: float, z: float, neckline: float, vee: float) -> float:
    """Return the depth of a place of the body below the neckline, positive where it is covered, in decimetres."""
    ring = neckline - 0.42 * (z - 0.1)
    if z > 0.35:
        ring -= vee * max(0.0, 1 - abs(x) / (0.10 + 0.75 * vee))
    return ring - y


@njit(cache=True)
def fabric(u: float, v: float, material: int, wear: Wear, out: Array) -> None:
    """Write the colour of a cloth at its own coordinates, in decimetres, to ``out`` (3,)."""
    kind = wear.pattern[material]
    f = 0.0
    if kind == 1:
        f = smooth(-0.15, 0.15, np.sin(u * 42))
    elif kind == 2:
        f = smooth(-0.15, 0.15, np.sin(v * 38))
    elif kind == 3:
        f = 0.5 * smooth(-0.15, 0.15, np.sin(u * 30)) + 0.5 * smooth(-0.15, 0.15, np.sin(v * 30))
    elif kind == 4:
        f = 0.5 + 0.5 * np.sin(u * 60) * np.cos(v * 25)
    elif kind == 5:
        i, j = np.floor(u * 7), np.floor(v * 7)
        f = smooth(0.32, 0.24, np.hypot(u * 7 - i - 0.5, v * 7 - j - 0.5))
    weave = 0.92 + 0.16 * noise(70 * u, 70 * v)
    for c in range(3):
        out[c] = (wear.colour[material, c] * (1 - f) + wear.second[material, c] * f) * weave


@njit(cache=True)
def eyeball(x: float, y: float, eyes: Eyes, out: Array) -> float:
    """Write the colour of an eye at a place of the shared head to ``out`` (3,), and return its shine."""
    side = 1.0 if x > 0 else -1.0
    dx, dy = x - side * abs(eyes.centre[0]) - eyes.gaze[0], y - eyes.centre[1] - eyes.gaze[1]
    d = np.hypot(dx, dy)
    angle = np.arctan2(dy, dx)
    spokes = 0.75 + 0.5 * noise(angle * 7, d * 30)
    ring = smooth(0.066, 0.056, d)
    limbus = smooth(0.048, 0.060, d)
    pupil = smooth(0.030, 0.025, d)
    lid = 1 - 0.55 * smooth(7.255, 7.325, y)  # shade of the upper lid
    vein = 1 - 0.10 * smooth(0.08, 0.13, abs(dx))
    for c in range(3):
        white = eyes.white[c] * (vein if c else 1.0)
        iris = eyes.iris[c] * spokes * (1 - 0.7 * limbus) * (1.25 - 0.5 * smooth(0.0, 0.05, dy)) * (1 - pupil) + 0.004
        out[c] = (white * (1 - ring) + iris * ring) * lid
    # the reflection of a light in the cornea
    spot = smooth(0.017, 0.010, np.hypot(dx - 0.020, dy - 0.024))
    for c in range(3):
        out[c] += 0.95 * spot
    return 0.4
