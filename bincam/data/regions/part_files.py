"""Masks stored per image and part of a face, in files of their own, as shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data.decoding.size import check_size
from bincam.data.regions.shapes import Mask, Place
from bincam.data.regions.stored_masks import AttributeMasks, cropped
from bincam.errors import InputError
from bincam.files import regular


@dataclass(frozen=True)
class PartFiles(AttributeMasks):
    """Masks stored as ``FOLDER/NNNNN_PART.png`` of numbered images, folders of equally many; 0 is outside.

    A part that an image does not show has no file.

    Attributes:
        folder: Contains the folders 0, 1, 2, ...
        parts: The parts that show each attribute.
        per_folder: Images in each of the folders.
    """

    parts: Mapping[str, tuple[str, ...]]
    per_folder: int

    def may_show(self, attribute: str) -> bool:
        """Return False for attributes that no part shows."""
        return attribute in self.parts

    def draw(self, place: Place) -> Mask | None:
        """Draw the attribute's parts; None for a negative, where no part shows it, and where there is no file."""
        if place.positive is False or place.attribute not in self.parts:
            return None
        if place.image is None or not Path(place.image).stem.isdecimal():
            raise InputError(f"{self.folder}: masks belong to images called by their numbers, got {place.image!r}")
        number = int(Path(place.image).stem)
        folder = self.folder / str(number // self.per_folder)
        files = [folder / f"{number:05d}_{part}.png" for part in self.parts[place.attribute]]
        read = [read_inside(file) for file in files if file.exists()]
        if not read:
            return None
        if len({mask.shape for mask in read}) > 1:
            raise InputError(f"{folder}: masks of image {number} have several sizes")
        drawn: Mask = cropped(np.any(read, axis=0).astype(np.uint8), place) > 0
        return drawn


def read_inside(file: Path) -> NDArray[np.bool_]:
    """Read a mask, ``(h, w)``; those of three equal channels are as good as those of one.

    Raises:
        InputError: The file is none.
    """
    from PIL import Image

    regular(file)
    try:
        with Image.open(file) as image:
            check_size(image.size, str(file))
            inside: NDArray[np.bool_] = np.asarray(image.convert("L")) > 0
    except InputError:
        raise
    except Exception as error:  # of a damaged file, whatever its parsing meets
        raise InputError(f"{file}: cannot be read as a mask: {error or type(error).__name__}") from None
    return inside
