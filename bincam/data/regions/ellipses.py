"""Ellipses of annotations, in pixels: the shape, and how far it reaches."""

from __future__ import annotations

import math

from bincam.data.regions.shapes import Ellipse
from bincam.errors import InputError

Pair = tuple[float, float]
"""A number along x and one along y."""


def ellipse(
    centre: Pair, radii: Pair, angle: float, size: tuple[int, int], where: str, unit: Pair = (1.0, 1.0)
) -> Ellipse:
    """Make the shape of an ellipse in an image.

    Args:
        centre: x and y.
        radii: Along x and y, before it is turned.
        angle: Degrees by which it is turned clockwise.
        size: ``(H, W)`` of the image.
        where: Begins the message.
        unit: Pixels in which centre and radii are stated, along x and y.

    Raises:
        InputError: A radius is not above 0.

    >>> shape = ellipse((50, 50), (25, 50), 0, (20, 40), "an ellipse", unit=(0.4, 0.2))
    >>> shape.x, shape.y, shape.rx, shape.ry
    (20.0, 10.0, 10.0, 10.0)
    """
    if not (radii[0] > 0 and radii[1] > 0):
        raise _of_radii(radii, where)
    (x, y), (rx, ry) = ((pair[0] * unit[0], pair[1] * unit[1]) for pair in (centre, radii))
    return Ellipse(x=x, y=y, rx=rx, ry=ry, angle=angle, units="pixels", size=size)


def ellipse_reach(radii: Pair, angle: float, where: str, unit: Pair = (1.0, 1.0)) -> Pair:
    """Return how far an ellipse reaches from its centre along x and y, in pixels: half of the upright box around it.

    Args:
        radii: Along x and y, before it is turned. With a radius of 0 there is no area, and the reach is 0.
        angle: Radians by which it is turned.
        where: Begins the message.
        unit: Pixels in which the radii are stated, along x and y.

    Raises:
        InputError: A radius is negative.

    >>> ellipse_reach((3.0, 2.0), 0.0, "an ellipse")
    (3.0, 2.0)
    """
    if not (radii[0] >= 0 and radii[1] >= 0):
        raise _of_radii(radii, where)
    if 0 in radii:
        return 0.0, 0.0
    across, down = radii[0] * unit[0], radii[1] * unit[1]
    dx, dy = (math.hypot(across * math.cos(turn), down * math.sin(turn)) for turn in (angle, math.pi / 2 - angle))
    return dx, dy


def _of_radii(radii: Pair, where: str) -> InputError:
    return InputError(f"{where}: radii are {radii[0]:g} and {radii[1]:g}; expected numbers above 0")
