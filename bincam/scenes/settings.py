"""Settings of a set of scenes, checked; and the version of the images that are drawn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bincam.errors import InputError, nearest
from bincam.generated.random_streams import stream
from bincam.scenes.drawing.placement import PLACES, VISIBLE, arrange
from bincam.scenes.drawing.raster import SAMPLES, mark_box
from bincam.scenes.drawing.shapes import SHAPES
from bincam.scenes.labels.rules import RULES
from bincam.scenes.labels.shortcuts import Shortcut, parse_shortcuts
from bincam.scenes.labels.subsets import COUNTS, Subsets, fit, wanted_prevalences

# Incremented whenever the same settings give different images: a set begun by one renderer is not resumed by another.
RENDERER = 1
SIZE = 96
LEAST, LARGEST = 32, 1024  # pixels of an image's side
SMALLEST = 6.0  # pixels of an object's side; below, the shapes look alike
SCALES: Mapping[str, tuple[float, float]] = {
    "any": (0.18, 0.28),
    "edges": (0.16, 0.22),
    "centre": (0.12, 0.17),
    "corner": (0.12, 0.17),
}
"""Least and greatest side of objects as shares of the image's side, by default, for each of ``PLACES``."""
ATTEMPTS = 2000  # layouts of one scene; settings that need more than _TRIED are refused beforehand
_TRIALS, _TRIED = 60, 60


@dataclass(frozen=True)
class SceneSettings:
    """Everything that determines scenes, except for their seed; :func:`scene_settings` makes and checks it.

    Attributes:
        rule: Out of ``RULES``.
        size: Width and height of the images in pixels.
        places: Out of ``PLACES``.
        scale: Least and greatest side of objects, as shares of the image's side.
        prevalence: (10,) share of scenes that show each shape.
        shortcuts: At most one of each cue.
    """

    rule: str
    size: int
    places: str
    scale: tuple[float, float]
    prevalence: tuple[float, ...]
    shortcuts: tuple[Shortcut, ...]

    @cached_property
    def subsets(self) -> Subsets:
        """The distribution of the shapes of a scene."""
        return fit(self.prevalence)

    def shortcut(self, cue: str) -> Shortcut | None:
        """Return the shortcut of a cue; None where it is not planted."""
        return next((one for one in self.shortcuts if one.cue == cue), None)

    @property
    def reserved(self) -> Any:
        """(4,) box that objects keep clear of: the mark's, in marked and unmarked scenes; zeros without a mark."""
        return np.array(mark_box(self.size) if self.shortcut("mark") else (0, 0, 0, 0), np.int64)

    def stated(self) -> dict[str, Any]:
        """Return the settings as a set's card states them."""
        return {
            "rule": self.rule,
            "size": self.size,
            "places": self.places,
            "scale": list(self.scale),
            "prevalence": {name: round(share, 6) for name, share in zip(SHAPES, self.prevalence, strict=True)},
            "shortcuts": {f"{one.cue}:{one.shape}": one.strength for one in self.shortcuts},
            "renderer": RENDERER,
        }


def scene_settings(
    *,
    rule: str = "one",
    size: int = SIZE,
    places: str = "any",
    scale: float | Sequence[float] | None = None,
    prevalence: Mapping[str, float] | None = None,
    shortcut: Mapping[str, float] | None = None,
) -> SceneSettings:
    """Check the settings of scenes, as :func:`bincam.scenes.make` describes them.

    Raises:
        InputError: A name is unknown, a number is out of range, prevalences cannot be reached, or objects of this scale
            cannot be placed.

    >>> scene_settings(places="corner").scale
    (0.12, 0.17)
    """
    for what, value, known in (("rule", rule, RULES), ("places", places, PLACES)):
        if value not in known:
            raise InputError(f"unknown {what} {value!r}{nearest(value, known)}")
    if not LEAST <= size <= LARGEST:
        raise InputError(f"expected a size of {LEAST} to {LARGEST} pixels, got {size}")
    if scale is None:
        ends: Sequence[float] = SCALES[places]
    else:
        ends = [scale, scale] if isinstance(scale, (int, float)) else scale
    if len(ends) != 2 or not 0 < ends[0] <= ends[1]:
        raise InputError(
            f"scale {'-'.join(f'{end:g}' for end in ends)}: expected the least and the greatest side of objects as "
            "shares of the image's side, for example 0.18-0.28"
        )
    if ends[0] * size < SMALLEST:
        raise InputError(
            f"objects with a side of {ends[0]:g} of {size} pixels have {ends[0] * size:.1f}; below {SMALLEST:g} the "
            "shapes look alike: raise the size or the least scale"
        )
    settings = SceneSettings(
        rule=rule,
        size=int(size),
        places=places,
        scale=(float(ends[0]), float(ends[1])),
        prevalence=tuple(wanted_prevalences(prevalence or {}).tolist()),
        shortcuts=parse_shortcuts(shortcut or {}),
    )
    settings.subsets  # noqa: B018  # refuses prevalences that no distribution has
    for one in settings.shortcuts:
        share = settings.prevalence[one.column]
        if share == 0 or (settings.rule == "all" and share == 1):
            always = "always" if share else "never"
            raise InputError(f"a shortcut of {one.shape}, which is {always} in a scene, would not vary with its label")
    _check_placeable(settings)
    return settings


def _check_placeable(settings: SceneSettings) -> None:
    """Refuse a scale at which five of the largest objects cannot be placed; a trial of fixed scenes decides."""
    size, most = settings.size, max(COUNTS)
    objects, owner = np.zeros((most, 5)), np.zeros((SAMPLES * size, SAMPLES * size), np.int8)
    sides, samples = np.full(most, settings.scale[1] * size), np.zeros((most, 2), np.int64)
    for trial in range(_TRIALS):
        rng = stream(trial, "placement trial")
        shapes = rng.permutation(len(SHAPES))[:most]
        place = PLACES.index(settings.places)
        if settings.scale[1] >= 1 or not arrange(
            rng, shapes, sides, size, place, settings.reserved, _TRIED, objects, owner, samples
        ):
            raise InputError(
                f"scale: five objects with a side of {settings.scale[1]:g} of the image's cannot be placed "
                f"(places: {settings.places}) such that {VISIBLE:.0%} of each are seen; lower the greatest scale "
                f"(default {SCALES[settings.places][0]:g}-{SCALES[settings.places][1]:g})"
            )
