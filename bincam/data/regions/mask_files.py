"""Masks of objects in image files that a list names, as shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from bincam.data.regions.part_files import read_inside
from bincam.data.regions.shapes import Mask, Place
from bincam.data.regions.stored_masks import AttributeMasks, cropped
from bincam.errors import InputError

_CLOSE = 1.0
"""Pixels by which a side of a mask may differ from its image's, enlarged or reduced, because sizes are rounded."""


@dataclass(frozen=True)
class MaskFiles(AttributeMasks):
    """Masks by image and attribute, each of one object; those of several objects are one. 0 is outside.

    A mask may have been made of its image in another size; it is then stretched over the image, whose shape it has.

    Attributes:
        folder: The list or folder, for messages.
        files: The files of each pair of the names of image and attribute.
        left_out: For images that have one, a mask of pixels that are neither the object's nor not.
    """

    files: Mapping[tuple[str, str], tuple[Path, ...]]
    left_out: Mapping[str, Path] = field(default_factory=dict)

    def may_show(self, attribute: str) -> bool:
        """Return False for attributes that have a mask in no image."""
        return attribute in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name for _, name in self.files)

    def draw(self, place: Place) -> Mask | None:
        """Draw the attribute's masks; None where the image has none.

        Raises:
            InputError: A file is missing, or no mask of the image.
        """
        files = self.files.get((place.image or "", place.attribute))
        if files is None:
            return None
        drawn: Mask | None = None
        for file in files:
            mask = self._read(file, place)
            drawn = mask if drawn is None else drawn | mask
        return drawn

    @property
    def may_ignore(self) -> bool:
        """True if a list names such pixels."""
        return bool(self.left_out)

    def ignored(self, place: Place) -> Mask | None:
        """Draw the pixels of an image that count neither way, unless an object's mask has them; None without a file."""
        file = self.left_out.get(place.image or "")
        return None if file is None else self._read(file, place)

    def _read(self, file: Path, place: Place) -> Mask:
        if not file.exists():
            raise InputError(f"{file}: no such file, but {self.folder} lists it as a mask of {place.image}")
        mask = read_inside(file)
        if place.stored is not None:
            _check_shape(file, mask.shape, place)
        drawn: Mask = cropped(mask.astype(np.uint8), place) > 0
        return drawn


def _check_shape(file: Path, shape: tuple[int, ...], place: Place) -> None:
    """Refuse a mask of other proportions than its image."""
    assert place.stored is not None
    height, width = place.stored
    if abs(width * shape[0] - height * shape[1]) > _CLOSE * max(width, height, *shape):
        raise InputError(
            f"{file}: {shape[1]} x {shape[0]} pixels, but its image {place.image} has {width} x {height}: a mask has "
            "the proportions of its image"
        )
