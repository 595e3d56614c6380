"""Planted shortcuts: a cue that agrees with a class in a chosen share of the scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bincam.errors import InputError, nearest
from bincam.scenes.drawing.shapes import SHAPES
from bincam.scenes.labels.subsets import check_shape

CUES: tuple[str, ...] = ("colour", "mark")
"""``colour``: an object in a red that nothing else has; ``mark``: a chequered board in the bottom right corner."""


@dataclass(frozen=True)
class Shortcut:
    """A cue of a class.

    In scenes of the class the cue is there with probability ``strength``, in all others with 1 - ``strength``. So .5
    tells nothing, and 1 tells everything. The colour is on the shape itself where the scene has it, otherwise on any.

    Attributes:
        cue: Out of ``CUES``.
        shape: The class: with the rule ``all`` the shape is in the scene, otherwise it is the scene's label.
        strength: 0 to 1.
    """

    cue: str
    shape: str
    strength: float

    @property
    def column(self) -> int:
        """The column of the class."""
        return SHAPES.index(self.shape)


def parse_shortcuts(stated: Mapping[str, float]) -> tuple[Shortcut, ...]:
    """Read shortcuts as ``{"colour:star": 0.9}``, at most one of each cue, in the order of ``CUES``.

    Raises:
        InputError: Another form, an unknown cue or shape, a cue that is used twice, or a strength outside of 0 to 1.

    >>> parse_shortcuts({"mark:star": 0.9})
    (Shortcut(cue='mark', shape='star', strength=0.9),)
    """
    found: dict[str, Shortcut] = {}
    for text, strength in stated.items():
        cue, colon, shape = (part.strip() for part in text.partition(":"))
        if not colon:
            raise InputError(f"shortcut {text!r}: expected CUE:SHAPE=STRENGTH, for example colour:star=0.9")
        if cue not in CUES:
            raise InputError(f"shortcut {text!r}: unknown cue {cue!r}{nearest(cue, CUES)}")
        check_shape(shape, f"shortcut {text!r}")
        if not 0 <= strength <= 1:
            raise InputError(f"shortcut {text!r}: a strength is between 0 and 1 (0.5 tells nothing), got {strength:g}")
        if cue in found:
            raise InputError(f"shortcut {text!r}: the {cue} goes with {found[cue].shape} already; a cue has one class")
        found[cue] = Shortcut(cue, shape, float(strength))
    return tuple(found[cue] for cue in CUES if cue in found)
