"""Light of a scene."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]


class Light(NamedTuple):
    """Light of one photograph; ``key`` and ``rim`` are unit vectors towards the light, in the viewer's frame."""

    key: Array
    key_colour: Array
    above: Array  # ambient colour from above
    below: Array
    rim: Array
    rim_colour: Array
