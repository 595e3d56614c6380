"""Boxes stored for each image: one JSON file with the boxes of every image's parts, and the attributes of each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError, nearest
from bincam.files import read_json, write_json

KIND = "bincam-boxes"
SCHEMA = 1
NAME = "boxes.json"


@dataclass(frozen=True)
class StoredBoxes:
    """Boxes x0, y0, x1, y1 in pixels of the stored image, ends exclusive.

    Attributes:
        parts: Number of each part to its name and the attributes that it shows, as in ``parts.json``.
        images: Image to its boxes, each the number of a part and four coordinates.
        source: The file, for messages.
    """

    parts: Mapping[int, Mapping[str, Any]]
    images: Mapping[str, Sequence[Sequence[float]]]
    source: str = ""

    def of(self, image: str, attribute: str) -> NDArray[np.float64]:
        """Return the boxes ``(n, 4)`` of an image that show an attribute; none where it has none.

        Raises:
            InputError: The file does not know the image or the attribute.

        >>> stored = StoredBoxes({1: {"name": "hat", "attributes": ["Hat"]}}, {"a.png": [[1, 0, 0, 8, 4]]})
        >>> stored.of("a.png", "Hat").tolist()
        [[0.0, 0.0, 8.0, 4.0]]
        """
        if image not in self.images:
            raise InputError(f"{self.source}: no image {image!r}")
        numbers = {number for number, part in self.parts.items() if attribute in part["attributes"]}
        if not numbers:
            known = sorted({name for part in self.parts.values() for name in part["attributes"]})
            raise InputError(f"{self.source}: no part shows {attribute!r}{nearest(attribute, known)}")
        found = [row[1:] for row in self.images[image] if row[0] in numbers]
        return np.array(found, np.float64).reshape(-1, 4)


def write_boxes(
    file: Path, parts: Mapping[int, Mapping[str, Any]], images: Mapping[str, Sequence[Sequence[int]]]
) -> None:
    """Write boxes; :func:`read_boxes` has an example.

    Args:
        file: To write.
        parts: As in ``StoredBoxes``.
        images: Likewise.
    """
    named = {str(number): dict(part) for number, part in parts.items()}
    value = {"kind": KIND, "schema": SCHEMA, "order": "part x0 y0 x1 y1, ends exclusive", "parts": named}
    write_json(file, {**value, "images": images}, compact=True)


def read_boxes(file: str | Path) -> StoredBoxes:
    """Read a file of boxes.

    Args:
        file: A ``boxes.json``.

    Raises:
        InputError: The file is missing or another, or a box is malformed or has no area.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "boxes.json")
        ...     write_boxes(file, {1: {"name": "hat", "attributes": ["Hat"]}}, {"a.png": [[1, 2, 0, 8, 4]]})
        ...     stored = read_boxes(file)
        >>> stored.of("a.png", "Hat").tolist()
        [[2.0, 0.0, 8.0, 4.0]]
    """
    value = read_json(file, kind=KIND, schema=SCHEMA)
    try:
        parts = {
            int(number): {"name": str(part["name"]), "attributes": list(part["attributes"])}
            for number, part in value["parts"].items()
        }
        images = {
            str(name): [[int(row[0]), *map(float, row[1:])] for row in rows] for name, rows in value["images"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"{file}: cannot be read as boxes: {type(error).__name__} {error}") from None
    for name, rows in images.items():
        for row in rows:
            if (
                len(row) != 5
                or not np.isfinite(row).all()
                or row[0] not in parts
                or row[1] >= row[3]
                or row[2] >= row[4]
            ):
                raise InputError(f"{file}: image {name!r}: {row} is no box; expected part, x0, y0, x1, y1 with an area")
    return StoredBoxes(parts, images, str(file))
