"""Sampler of scenes: each a function of the settings, the seed and its number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.generated.random_streams import stream
from bincam.scenes.drawing.ground import ground
from bincam.scenes.drawing.palette import objects_and_ground
from bincam.scenes.drawing.placement import PLACES, arrange
from bincam.scenes.drawing.raster import MARK, SAMPLES, boxes, paint, paint_mark
from bincam.scenes.drawing.shapes import SHAPES
from bincam.scenes.labels.rules import drawn_labels
from bincam.scenes.labels.shortcuts import Shortcut
from bincam.scenes.labels.subsets import check_shape
from bincam.scenes.settings import ATTEMPTS, SIZE, SceneSettings, scene_settings

Array = NDArray[Any]

_NOISE = 2.5  # standard deviation of the sensor's noise, in levels of 255
_SLOPE = 0.3  # the greatest change of brightness across the side of an object


@dataclass(frozen=True, eq=False)
class Scene:
    """One scene.

    Attributes:
        image: (H, W, 3) uint8 sRGB.
        parts: (H, W) uint8: 0 the ground, n the visible part of shape n - 1, 11 the corner mark.
        objects: (K, 5) shape, x, y, side and turn of every object, in pixels and radians, in the order of drawing.
        samples: (K, 2) samples of each object that are seen, and those that it has, 16 per pixel.
        label: Column of the label; -1 with the rule ``all``.
        cues: Whether the colour and the mark are in the scene.
    """

    image: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    objects: NDArray[np.float64]
    samples: NDArray[np.int64]
    label: int
    cues: Mapping[str, bool]

    @property
    def present(self) -> NDArray[np.bool_]:
        """(10,) True for the shapes in the scene."""
        return np.isin(np.arange(len(SHAPES)), self.objects[:, 0])


@dataclass(frozen=True, eq=False)
class Scenes:
    """N scenes in memory.

    Attributes:
        images: (N, H, W, 3) uint8 sRGB.
        parts: (N, H, W) uint8: 0 the ground, n the visible part of shape n - 1, 11 the corner mark.
        boxes: (N, 11, 4) int32 x0, y0, x1, y1 of the visible pixels of every part from 1 on, in pixels, ends exclusive;
            zeros for parts that are not in the scene.
        present: (N, 10) bool: the shapes in each scene, in the order of ``SHAPES``.
        labels: (N,) columns of the labels; with the rule ``all``, (N, 10) as ``present``.
        cues: (N,) bool for each planted cue: whether it is in the scene.

    Example:
        >>> from bincam import scenes
        >>> drawn = scenes.draw(3, seed=7)
        >>> drawn
        Scenes(3 of 96 x 96 pixels)
        >>> x0, y0, x1, y1 = drawn.boxes[0, scenes.SHAPES.index("heart")].tolist()
        >>> mask = drawn.masks("heart")[0]
        >>> int(mask.sum()) == int(mask[y0:y1, x0:x1].sum()) > 200
        True
    """

    images: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    boxes: NDArray[np.int32]
    present: NDArray[np.bool_]
    labels: NDArray[np.int64] | NDArray[np.bool_]
    cues: Mapping[str, NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.parts.shape[1:]
        return f"Scenes({len(self)} of {width} x {height} pixels)"

    def masks(self, shape: str) -> NDArray[np.bool_]:
        """Return the (N, H, W) masks of a shape's visible pixels, or of the ``mark``.

        Raises:
            InputError: There is no such shape.
        """
        return np.asarray(self.parts == (MARK if shape == "mark" else check_shape(shape, "masks") + 1))


def draw(
    count: int,
    seed: int = 0,
    *,
    start: int = 0,
    rule: str = "one",
    size: int = SIZE,
    places: str = "any",
    scale: float | Sequence[float] | None = None,
    prevalence: Mapping[str, float] | None = None,
    shortcut: Mapping[str, float] | None = None,
) -> Scenes:
    """Draw scenes in memory, the same as :func:`bincam.scenes.make` writes for these settings.

    Fresh scenes for every epoch are those of another seed, or the next ones of the same: ``start=epoch * count``.

    Args:
        count: Number of scenes N.
        seed: Of the set, 0 to 2³² - 1.
        start: Number of the first scene, from 0.
        rule: As for ``make``, and so on.
        size: Likewise.
        places: Likewise.
        scale: Likewise.
        prevalence: Likewise.
        shortcut: Likewise.

    Raises:
        InputError: Invalid or infeasible settings.

    Example:
        >>> from bincam import scenes
        >>> drawn = scenes.draw(4, seed=7)
        >>> drawn.images.shape, drawn.parts.shape, drawn.boxes.shape
        ((4, 96, 96, 3), (4, 96, 96), (4, 11, 4))
        >>> [scenes.SHAPES[label] for label in drawn.labels]
        ['heart', 'star', 'circle', 'crescent']
        >>> bool((scenes.draw(2, seed=7, start=2).images == drawn.images[2:]).all())
        True
    """
    if count < 1:
        raise InputError(f"expected a count of at least 1, got {count}")
    check_numbers(seed, start, count)
    settings = scene_settings(
        rule=rule, size=size, places=places, scale=scale, prevalence=prevalence, shortcut=shortcut
    )
    images = np.empty((count, size, size, 3), np.uint8)
    parts = np.empty((count, size, size), np.uint8)
    found = np.empty((count, MARK, 4), np.int32)
    present = np.empty((count, len(SHAPES)), bool)
    labels = np.empty(count, np.int64)
    cues = {one.cue: np.empty(count, bool) for one in settings.shortcuts}
    for row in range(count):
        one = scene(settings, seed, start + row)
        images[row], parts[row], found[row] = one.image, one.parts, boxes(one.parts)
        present[row], labels[row] = one.present, one.label
        for cue, column in cues.items():
            column[row] = one.cues[cue]
    return Scenes(images, parts, found, present, present.copy() if rule == "all" else labels, cues)


def check_numbers(seed: int, start: int, count: int) -> None:
    """Refuse a seed or numbers of scenes that the random streams do not tell apart.

    Raises:
        InputError: One is negative or too large.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"expected a seed of 0 to {2**32 - 1}, got {seed}")
    if start < 0 or start + count > 2**32:
        raise InputError(f"scenes are numbered 0 to {2**32 - 1}, got {start} to {start + count - 1}")


def scene(settings: SceneSettings, seed: int, number: int) -> Scene:
    """Draw one scene.

    Args:
        settings: As :func:`bincam.scenes.settings.scene_settings` checked them.
        seed: Of the set.
        number: Of the scene, from 0.

    Raises:
        InputError: The objects could not be placed, which the check of the settings makes next to impossible.
    """
    key = seed << 32 | number
    size = settings.size
    shapes = settings.subsets.draw(stream(key, "shapes"))
    places = stream(key, "places")
    low, high = settings.scale
    sides = size * (low + (high - low) * places.random(len(shapes)))
    objects, owner = np.empty((len(shapes), 5)), np.empty((SAMPLES * size, SAMPLES * size), np.int8)
    place = PLACES.index(settings.places)
    samples = np.zeros((len(shapes), 2), np.int64)
    if not arrange(places, shapes, sides, size, place, settings.reserved, ATTEMPTS, objects, owner, samples):
        raise InputError(f"scene {number} of seed {seed}: its objects could not be placed; lower the greatest scale")
    label = _label(settings, key, objects, samples)
    cues, cued = {}, None
    for one in settings.shortcuts:
        of_class = _class_is_true(one, settings.rule, objects, label)
        cues[one.cue] = of_class == bool(stream(key, one.cue).random() < one.strength)
        if one.cue == "colour" and cues[one.cue]:
            cued = _cued_object(one, key, objects)

    tints = stream(key, "colours")
    colours, base = objects_and_ground(tints, len(shapes), cued, free=settings.shortcut("colour") is not None)
    angle, steep = 2 * np.pi * tints.random(len(shapes)), _SLOPE * tints.random(len(shapes))
    slopes = np.stack([steep * np.cos(angle), steep * np.sin(angle)], axis=1)
    painted, parts = np.empty((size, size, 3), np.float32), np.empty((size, size), np.uint8)
    paint(owner, objects, colours, slopes, ground(stream(key, "ground"), size, base), painted, parts)
    if cues.get("mark"):
        paint_mark(painted, parts)
    painted += _NOISE * stream(key, "noise").standard_normal(painted.shape, np.float32)
    image = np.clip(np.rint(painted), 0, 255).astype(np.uint8)
    return Scene(image, parts, objects, samples, label, cues)


def _label(settings: SceneSettings, key: int, objects: Array, samples: Array) -> int:
    """Return the column of the label: drawn, or that of the largest visible object, the first shape of equals."""
    if settings.rule == "all":
        return -1
    shown = objects[:, 0].astype(int)
    if settings.rule == "largest":
        return int(min(shown[samples[:, 0] == samples[:, 0].max()]))
    present = np.isin(np.arange(len(SHAPES)), shown)
    return int(drawn_labels(present[None], stream(key, "label").random(1))[0])


def _class_is_true(one: Shortcut, rule: str, objects: Array, label: int) -> bool:
    """Return whether a scene is of a shortcut's class."""
    return bool(one.column in objects[:, 0]) if rule == "all" else one.column == label


def _cued_object(one: Shortcut, key: int, objects: Array) -> int:
    """Choose the object in the planted colour: the class's own where the scene has one, otherwise any.

    Were it another object whenever the label is another one, a red star would give the label away at every strength.
    """
    own = objects[:, 0] == one.column
    return int(stream(key, "coloured object").choice(np.flatnonzero(own if own.any() else ~own)))
