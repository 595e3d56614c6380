"""The ten shapes: which points are inside, their exact areas and how far they reach.

Every shape has area 1 in its own frame, so an object of side s pixels covers s² pixels whatever its shape, and neither
size nor the rule ``largest`` gives a shape away. The frame's y points down, as in an image.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

SHAPES: tuple[str, ...] = (
    "circle",
    "square",
    "triangle",
    "star",
    "cross",
    "ring",
    "hexagon",
    "crescent",
    "arrow",
    "heart",
)
"""Names of the shapes, in the order of their columns; part n of a mask is shape n - 1."""
CIRCLE, RING, CRESCENT, HEART = (SHAPES.index(name) for name in ("circle", "ring", "crescent", "heart"))

RING_HOLE = 0.55  # radius of the hole of a ring of radius 1
BITE, BITE_AT = 0.84, 0.46  # radius and distance of the circle that is cut from one of radius 1 to make a crescent
CRESCENT_MIDDLE = -0.18  # x of the middle of a crescent's box, which becomes the origin of its frame
STAR_INNER = 0.42  # radius of the inner corners of a star of radius 1
ARM = 0.34  # half the width of the arms of a cross of half length 1

_HALF = math.sqrt(0.5)


def _regular(corners: int) -> list[tuple[float, float]]:
    angles = [2 * math.pi * k / corners - math.pi / 2 for k in range(corners)]
    return [(math.cos(angle), math.sin(angle)) for angle in angles]


def _star() -> list[tuple[float, float]]:
    angles = [math.pi * k / 5 - math.pi / 2 for k in range(10)]
    return [
        ((STAR_INNER if k % 2 else 1) * math.cos(angle), (STAR_INNER if k % 2 else 1) * math.sin(angle))
        for k, angle in enumerate(angles)
    ]


def _cross() -> list[tuple[float, float]]:
    arm = [(ARM, -1.0), (ARM, -ARM), (1.0, -ARM), (1.0, ARM), (ARM, ARM), (ARM, 1.0)]
    return [*arm, *((-x, -y) for x, y in arm)]


_CORNERS: dict[str, list[tuple[float, float]]] = {
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "triangle": _regular(3),
    "star": _star(),
    "cross": _cross(),
    "hexagon": _regular(6),
    "arrow": [(-1, -0.24), (0.05, -0.24), (0.05, -0.8), (1, 0), (0.05, 0.8), (0.05, 0.24), (-1, 0.24)],
}
"""Corners of the polygons, before they are scaled to area 1."""


def polygon_area(corners: list[tuple[float, float]]) -> float:
    """Compute the area of a polygon without crossings by the shoelace formula.

    >>> polygon_area([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    4.0
    """
    x, y = np.array(corners).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def lens_area(first: float, second: float, distance: float) -> float:
    """Compute the area that two circles share whose outlines cross.

    >>> round(lens_area(1, 1, 1), 6) == round(2 * math.pi / 3 - math.sqrt(3) / 2, 6)
    True
    """
    near = (distance**2 + first**2 - second**2) / (2 * distance)
    far = distance - near
    chord = math.sqrt(first**2 - near**2)
    return first**2 * math.acos(near / first) + second**2 * math.acos(far / second) - (near * chord + far * chord)


def _native_areas() -> list[float]:
    curved = {
        "circle": math.pi,
        "ring": math.pi * (1 - RING_HOLE**2),
        "crescent": math.pi - lens_area(1, BITE, BITE_AT),
        "heart": 4 + math.pi,  # a square of side 2 on its corner, and two half discs of radius 1
    }
    return [curved[name] if name in curved else polygon_area(_CORNERS[name]) for name in SHAPES]


UNIT: Array = np.sqrt(np.array(_native_areas()))
"""(10,) factor from the frame of area 1 to the one in which a shape is defined."""
_COUNT: Array = np.array([len(_CORNERS.get(name, ())) for name in SHAPES])
_POLYGON: Array = np.zeros((len(SHAPES), _COUNT.max(), 2))
for _row, _name in enumerate(SHAPES):
    if _name in _CORNERS:
        _POLYGON[_row, : _COUNT[_row]] = np.array(_CORNERS[_name]) / UNIT[_row]


def _edges() -> Array:
    """Return (10, corners, 4) of every edge: least and greatest v, u at v = 0, and du/dv; level edges are empty."""
    edges = np.zeros((*_POLYGON.shape[:2], 4))
    for row, count in enumerate(_COUNT.tolist()):
        for end in range(count):
            (ax, ay), (bx, by) = _POLYGON[row, end - 1 if end else count - 1], _POLYGON[row, end]
            if ay != by:
                slope = (bx - ax) / (by - ay)
                edges[row, end] = min(ay, by), max(ay, by), ax - slope * ay, slope
    return edges


_EDGES: Array = _edges()


@njit(cache=True)
def inside(shape: int, u: float, v: float) -> bool:
    """Return whether a point of a shape's frame is inside of it."""
    count = _COUNT[shape]
    if count:
        odd = False
        for i in range(count):
            if _EDGES[shape, i, 0] <= v < _EDGES[shape, i, 1]:
                odd ^= u < _EDGES[shape, i, 2] + _EDGES[shape, i, 3] * v
        return odd
    x, y = u * UNIT[shape], v * UNIT[shape]
    if shape == CRESCENT:
        x += CRESCENT_MIDDLE
        return bool(x * x + y * y <= 1 and (x - BITE_AT) ** 2 + y * y > BITE * BITE)
    if shape == HEART:
        side = abs(x)
        return bool(side + abs(y) <= 2 * _HALF or (side - _HALF) ** 2 + (y + _HALF) ** 2 <= 1)
    square = x * x + y * y
    return bool(square <= 1 and (shape != RING or square > RING_HOLE * RING_HOLE))


def _outline(name: str) -> Array:
    """Return points (64, 2) whose convex hull contains the shape."""
    row = SHAPES.index(name)
    if name in _CORNERS:
        return np.resize(_POLYGON[row, : _COUNT[row]], (64, 2))
    angle = 2 * np.pi * np.arange(64) / 64
    disc = np.stack([np.cos(angle), np.sin(angle)], axis=1) / math.cos(math.pi / 64)
    if name == "crescent":
        disc[:, 0] = np.minimum(disc[:, 0], (1 - BITE**2 + BITE_AT**2) / (2 * BITE_AT)) - CRESCENT_MIDDLE
    elif name == "heart":
        half = disc[::2] / math.cos(math.pi / 32)
        disc = np.concatenate([half - _HALF, half + np.array([_HALF, -_HALF])])
        disc[np.argmax(disc[:, 1])] = 0, 2 * _HALF
    return np.asarray(disc / UNIT[row])


OUTLINES: Array = np.stack([_outline(name) for name in SHAPES])
"""(10, 64, 2) points in the frame of each shape whose convex hull contains it."""


@njit(cache=True)
def reach(shape: int, side: float, turn: float) -> tuple[float, float, float, float]:
    """Return how far a turned object of ``side`` pixels reaches left, up, right and down of its centre, in pixels."""
    cos, sin = np.cos(turn), np.sin(turn)
    left, up, right, down = 0.0, 0.0, 0.0, 0.0
    for k in range(OUTLINES.shape[1]):
        u, v = OUTLINES[shape, k, 0], OUTLINES[shape, k, 1]
        x, y = side * (u * cos - v * sin), side * (u * sin + v * cos)
        left, right = max(left, -x), max(right, x)
        up, down = max(up, -y), max(down, y)
    return left, up, right, down
