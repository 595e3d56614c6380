"""Masks stored per image, as shapes, so that ``Regions`` treats them like drawn ones."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data import crop
from bincam.data.decoding.size import check_size
from bincam.data.regions.shapes import Mask, Place, Shape
from bincam.errors import InputError
from bincam.files import read_json, regular

_FORMATS = (
    *("avif", "bmp", "dib", "gif", "heic", "heif", "jfif", "jpe", "jpeg", "jpg", "jp2", "jxl", "pbm", "pgm", "png"),
    *("pnm", "ppm", "tga", "tif", "tiff", "webp"),
)
"""Suffixes of image files; another ending, as in ``visit.2``, belongs to the name."""
LARGEST = 255
"""The largest number of a part."""


@dataclass(frozen=True)
class PartMasks(Shape):
    """Masks stored per image as one indexed PNG whose values are parts; ``parts.json`` lists each part's attributes.

    Attributes:
        folder: Contains ``STEM.png``; ``parts.json`` is in it or in its parent.
    """

    folder: Path

    @cached_property
    def parts(self) -> Mapping[str, tuple[int, ...]]:
        """The numbers of the parts that show each attribute."""
        file = next((f for f in (self.folder / "parts.json", self.folder.parent / "parts.json") if f.is_file()), None)
        if file is None:
            raise InputError(f"{self.folder}: no parts.json in it or in its parent")
        parts: dict[str, list[int]] = {}
        try:
            for number, part in read_json(file, kind="bincam-parts", schema=1)["parts"].items():
                for attribute in part["attributes"]:
                    parts.setdefault(attribute, []).append(int(number))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{file}: expected parts: number to attributes; {type(error).__name__} {error}") from None
        for numbers in parts.values():
            for number in numbers:
                if not 0 <= number <= LARGEST:
                    raise InputError(f"{file}: part {number}: parts are numbered 0 to {LARGEST}")
        return {attribute: tuple(numbers) for attribute, numbers in parts.items()}

    def read(self, place: Place) -> NDArray[np.uint8] | None:
        """Read the part of every pixel as it is stored, ``(h, w)``; None where the image has no file.

        Raises:
            InputError: The file is not a mask, or a part's number exceeds 255.
        """
        mask = _read(self.folder, place, ".png")
        if mask is None:
            return None
        if mask.dtype != np.bool_ and int(mask.max(initial=0)) > LARGEST:
            raise InputError(
                f"{self.folder}: the mask of {place.image} contains {mask.max()}; parts are numbered 0 to {LARGEST}"
            )
        return mask.astype(np.uint8)

    def draw(self, place: Place) -> Mask | None:
        """Draw the attribute's parts; None for a negative, where no part shows it, and where there is no file."""
        values = self.parts.get(place.attribute)
        if values is None or place.positive is False:
            return None
        parts = self.read(place)
        if parts is None or not np.isin(parts, values).any():
            return None
        return np.isin(cropped(parts, place), values)


@dataclass(frozen=True)
class AttributeMasks(Shape):
    """Masks stored per image and attribute: ``ATTRIBUTE/STEM.png`` (0 is outside), or ``STEM.npz`` with an array each.

    Attributes:
        folder: Contains them.
    """

    folder: Path

    @cached_property
    def archives(self) -> bool:
        """True if masks are stored as ``STEM.npz``, in the folder or below, so that only files name the attributes."""
        return any(True for _ in self.folder.rglob("*.npz"))

    def may_show(self, attribute: str) -> bool:
        """Return False where it is known without an image that there is no mask of an attribute."""
        return (self.folder / attribute).is_dir() or self.archives

    def draw(self, place: Place) -> Mask | None:
        """Draw the attribute's mask; None where the image has none."""
        mask = _read(self.folder / place.attribute, place, ".png")
        if mask is None:
            mask = _read(self.folder, place, ".npz")
        return None if mask is None else cropped((mask != 0).astype(np.uint8), place) > 0


def cropped(mask: NDArray[np.uint8], place: Place) -> NDArray[np.int16]:
    """Bring a stored mask into the image that is asked about, by nearest pixel, resampled once as the image is.

    A mask whose size differs from its image's is stretched over the image; that and the crop are one matrix.

    Args:
        mask: ``(h, w)``, as stored.
        place: Size of the result, and the crop.

    Returns:
        ``(H, W)``, -1 outside the stored image.
    """
    size, stored = (mask.shape[0], mask.shape[1]), place.stored or place.size
    matrix = np.eye(2, 3) if place.matrix is None else place.matrix
    if size == stored and place.matrix is None:
        return mask.astype(np.int16)
    if size != stored:
        matrix = crop.compose(matrix, crop.fit_matrix("stretch", size, stored))
    # A warp fills with 0, but 0 may be a part, so that values are moved up by one meanwhile.
    return crop.warp(mask.astype(np.int16) + 1, matrix, place.size, mask=True) - 1


def stem(image: str) -> str:
    """Return an image's id without the suffix of its format; the name of its masks begins with it.

    >>> stem("a/000001.jpg"), stem("visit.2"), stem("ann.v2.PNG")
    ('a/000001', 'visit.2', 'ann.v2')
    """
    base, dot, suffix = image.rpartition(".")
    return base if dot and suffix.lower() in _FORMATS and base and not base.endswith("/") else image


def check_stems(images: Iterable[str], source: str) -> None:
    """Refuse images that would share a mask, because their ids differ in the suffix alone.

    Args:
        images: Their ids.
        source: Of the masks, for the message.

    Raises:
        InputError: Two of them would.
    """
    seen: dict[str, str] = {}
    for image in images:
        other = seen.setdefault(stem(image), image)
        if other != image:
            raise InputError(
                f"{source}: images {other!r} and {image!r} would share the mask {stem(image)!r}, because their names "
                "differ in the suffix alone; rename one of them, and its mask"
            )


def _read(folder: Path, place: Place, suffix: str) -> NDArray[np.generic] | None:
    from PIL import Image

    if place.image is None:
        raise InputError(f"{folder}: masks stored per image need the image's id")
    file = folder / f"{stem(place.image)}{suffix}"
    try:
        if not file.exists():
            return None
        regular(file)
        if suffix == ".npz":
            with zipfile.ZipFile(file) as stored:
                mask = _stored_array(stored, f"{place.attribute}.npy", str(file))
        else:
            with Image.open(file) as image:
                check_size(image.size, str(file))
                mask = np.asarray(image)
    except InputError:
        raise
    except Exception as error:  # of a damaged file, whatever its parsing meets
        raise InputError(f"{file}: cannot be read as a mask: {error or type(error).__name__}") from None
    if mask is None:
        return None
    if mask.ndim != 2 or not mask.size:
        raise InputError(f"{file}: a mask has one value per pixel, got an array of shape {mask.shape}")
    if mask.dtype.kind not in "biuf":
        raise InputError(f"{file}: a mask consists of numbers, got {mask.dtype}")
    if mask.dtype.kind == "f" and not np.isfinite(mask).all():
        raise InputError(f"{file}: a mask has a number at every pixel, got NaN or an infinity")
    return mask


def _stored_array(stored: zipfile.ZipFile, name: str, shown: str) -> NDArray[np.generic] | None:
    """Read an array of an ``.npz`` file whose header claims no more than a picture may; None without it."""
    if name not in stored.namelist():
        return None
    with stored.open(name) as stream:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape = header(stream)[0]
    if len(shape) == 2:
        check_size((shape[1], shape[0]), shown)
    elif len(shape) > 2:
        raise InputError(f"{shown}: a mask has one value per pixel, got an array of shape {shape}")
    with stored.open(name) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
