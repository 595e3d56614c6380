"""Masks of objects in a file of annotations, run lengths and polygons, as shapes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bincam.data.decoding.size import check_size
from bincam.data.regions.shapes import Mask, Place, Polygon, Shape
from bincam.data.regions.stored_masks import AttributeMasks, cropped
from bincam.errors import InputError

Segment = Mapping[str, Any] | Sequence[Sequence[float]] | Shape
"""An object's mask: as COCO writes it, run lengths with ``size`` and ``counts`` or a list of polygons; or a shape."""


@dataclass(frozen=True)
class EncodedMasks(AttributeMasks):
    """Masks by image and attribute, decoded when they are drawn; those of several objects are one.

    Attributes:
        folder: The file they were read from, for messages.
        segments: ``(H, W)`` of the image, and its masks, by the names of image and attribute.
    """

    segments: Mapping[tuple[str, str], tuple[tuple[int, int], tuple[Segment, ...]]]

    @classmethod
    def gathered(
        cls, file: str | os.PathLike[str], found: Iterable[tuple[str, str, tuple[int, int], Segment]], nothing: str
    ) -> EncodedMasks:
        """Gather the masks of a file by image and attribute.

        Args:
            file: The file.
            found: For each mask the names of image and attribute, ``(H, W)`` of the image, and the mask.
            nothing: What the file has none of, for the message.

        Raises:
            InputError: It has none.

        >>> masks = EncodedMasks.gathered("a.json", [("a.jpg", "cat", (2, 2), [[0, 0, 2, 0, 2, 1, 0, 1]])], "masks")
        >>> masks.draw(Place((2, 2), image="a.jpg", attribute="cat")).astype(int).tolist()
        [[1, 1], [0, 0]]
        """
        gathered: dict[tuple[str, str], tuple[tuple[int, int], list[Segment]]] = {}
        for image, attribute, size, segment in found:
            gathered.setdefault((image, attribute), (size, []))[1].append(segment)
        if not gathered:
            raise InputError(f"{file}: no {nothing}")
        return cls(Path(file), {key: (size, tuple(segments)) for key, (size, segments) in gathered.items()})

    def may_show(self, attribute: str) -> bool:
        """Return False for attributes that have a mask in no image."""
        return attribute in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name for _, name in self.segments)

    def draw(self, place: Place) -> Mask | None:
        """Draw the attribute's masks; None where the image has none."""
        found = self.segments.get((place.image or "", place.attribute))
        if found is None:
            return None
        size, segments = found
        where = f"{self.folder}: mask of {place.attribute} in {place.image}"
        check_size((size[1], size[0]), where)
        mask = np.zeros(size, bool)
        for segment in segments:
            mask |= decode(segment, size, where)
        drawn: Mask = cropped(mask.astype(np.uint8), place) > 0
        return drawn


def decode(segment: Segment, size: tuple[int, int], where: str | os.PathLike[str] = "mask") -> Mask:
    """Decode a mask of COCO, or draw a shape.

    Run lengths count columns from above to below, alternately outside and inside, from outside; as a text they are in
    COCO's own code. Of polygons a pixel is inside if its centre is, as everywhere here.

    Args:
        segment: Run lengths, polygons, or a shape in pixels of the image.
        size: ``(H, W)`` of the image.
        where: Begins the message.

    Returns:
        ``(H, W)``.

    Raises:
        InputError: It is malformed, or of an image of another size.

    Example:
        >>> from bincam.data.regions.encoded_masks import decode
        >>> decode({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3)).astype(int).tolist()
        [[0, 1, 0], [1, 0, 0]]
        >>> decode([[1, 0, 3, 0, 3, 1, 1, 1]], (2, 3)).astype(int).tolist()
        [[0, 1, 1], [0, 0, 0]]
    """
    check_size((size[1], size[0]), str(where))
    if isinstance(segment, Shape):
        drawn = segment.draw(Place(size))
        return np.zeros(size, bool) if drawn is None else drawn
    if isinstance(segment, Mapping):
        if list(segment.get("size") or ()) != list(size):
            raise InputError(f"{where}: size is {segment.get('size')!r}, but the image has {list(size)}")
        counts = segment.get("counts")
        runs = _runs(counts, where) if isinstance(counts, str) else counts
        if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
            raise InputError(f"{where}: counts are no run lengths")
        if sum(runs) != size[0] * size[1]:
            raise InputError(f"{where}: run lengths of {sum(runs):,} pixels, but the image has {size[0] * size[1]:,}")
        inside = np.arange(len(runs)) % 2 == 1
        return np.repeat(inside, runs).reshape(size, order="F")
    mask = np.zeros(size, bool)
    x, y = Place(size).centres()
    for polygon in segment:
        try:
            points = tuple((float(px), float(py)) for px, py in zip(polygon[::2], polygon[1::2], strict=True))
        except (TypeError, ValueError):
            raise InputError(f"{where}: a polygon is x, y, x, y, ..., got {polygon!r}") from None
        if len(points) >= 3:  # some programs write a line, which has no pixels
            mask |= Polygon(points=points).inside(x, y)
    return mask


def _runs(text: str, where: object) -> list[int]:
    """Decode COCO's code of run lengths: five bits a letter, least ones first, from the fourth run on differences."""
    runs: list[int] = []
    at = 0
    while at < len(text):
        value = shift = 0
        more = True
        while more:
            if at >= len(text) or not 0 <= (bits := ord(text[at]) - 48) < 64:
                raise InputError(f"{where}: counts are no run lengths in COCO's code")
            value |= (bits & 31) << shift
            more = bool(bits & 32)
            at, shift = at + 1, shift + 5
            if not more and bits & 16:
                value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
