"""The light of a scene."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]


class Light(NamedTuple):
    """The light on one photograph; directions are unit vectors towards it, in the viewer's frame."""

    key: Array
    key_colour: Array
    above: Array  # ambient colour from above
    below: Array
    rim: Array
    rim_colour: Array
