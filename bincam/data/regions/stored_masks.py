"""Masks stored per image, as shapes, so that ``Regions`` treats them like drawn ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data.regions.shapes import Mask, Place, Raster, Shape
from bincam.errors import InputError
from bincam.files import read_json


@dataclass(frozen=True)
class PartMasks(Shape):
    """Masks stored per image as one indexed PNG, whose values are parts; ``parts.json`` says which attribute is where.

    Attributes:
        folder: Holds ``STEM.png``; ``parts.json`` lies in it or beside it.
    """

    folder: Path

    @cached_property
    def parts(self) -> Mapping[str, tuple[int, ...]]:
        """Attribute to the values that show it."""
        file = next((f for f in (self.folder / "parts.json", self.folder.parent / "parts.json") if f.is_file()), None)
        if file is None:
            raise InputError(f"{self.folder}: no parts.json in it or beside it")
        found: dict[str, list[int]] = {}
        try:
            for number, part in read_json(file, kind="bincam-parts", schema=1)["parts"].items():
                for attribute in part["attributes"]:
                    found.setdefault(attribute, []).append(int(number))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{file}: expected parts: number to attributes; {type(error).__name__} {error}") from None
        return {attribute: tuple(numbers) for attribute, numbers in found.items()}

    def read(self, place: Place) -> NDArray[np.generic] | None:
        """The part of every pixel of an image as it is stored, ``(H, W)``; None where the image has no file."""
        return _stored(self.folder, place, ".png")

    def draw(self, place: Place) -> Mask | None:
        """None for a negative, where no part shows the attribute, and where the image has no file."""
        values = self.parts.get(place.attribute)
        if values is None or place.positive is False:
            return None
        mask = self.read(place)
        if mask is None:
            return None
        found = np.isin(mask, values)
        return _stretched(found, place.size) if found.any() else None


@dataclass(frozen=True)
class AttributeMasks(Shape):
    """Masks stored per image and attribute: ``ATTRIBUTE/STEM.png`` (0 is outside), or ``STEM.npz`` with an array each.

    Attributes:
        folder: Holds them.
    """

    folder: Path

    def draw(self, place: Place) -> Mask | None:
        """None where the image has no mask of the attribute."""
        mask = _stored(self.folder / place.attribute, place, ".png")
        if mask is None:
            mask = _stored(self.folder, place, ".npz")
        return None if mask is None else _stretched(mask != 0, place.size)


def _stored(folder: Path, place: Place, suffix: str) -> NDArray[np.generic] | None:
    from PIL import Image

    if place.image is None:
        raise InputError(f"{folder}: masks stored per image need the image's id")
    file = (folder / place.image).with_suffix(suffix)
    try:
        if suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                mask = arrays[place.attribute] if place.attribute in arrays.files else None
        else:
            with Image.open(file) as image:
                mask = np.asarray(image)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InputError(f"{file}: cannot be read as a mask: {error}") from None
    if mask is not None and mask.ndim != 2:
        raise InputError(f"{file}: a mask has one value per pixel, got an array of shape {mask.shape}")
    return mask


def _stretched(mask: Mask, size: tuple[int, int]) -> Mask:
    return mask if mask.shape == size else Raster(mask).draw(Place(size))
