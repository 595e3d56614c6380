"""The masks in an export of CVAT, as regions of an image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from bincam.data.readers.objects.cvat import images_of, points_of
from bincam.data.readers.sources.xml_file import as_number
from bincam.data.regions.ellipses import ellipse
from bincam.data.regions.encoded_masks import EncodedMasks, Segment
from bincam.data.regions.run_lengths import RowRuns
from bincam.errors import InputError


def cvat_masks(file: str | os.PathLike[str]) -> EncodedMasks:
    """Read the masks, polygons and ellipses in ``annotations.xml`` of *CVAT for images 1.1*; a box is no mask.

    Raises:
        InputError: The file is malformed, or has none of them.
    """
    return EncodedMasks.gathered(file, _found(file), "masks, polygons or ellipses in it; a box is no mask")


def _found(file: str | os.PathLike[str]) -> Iterator[tuple[str, str, tuple[int, int], Segment]]:
    for image in images_of(file):
        width, height = image.size
        for element in image.shapes:
            label = element.get("label", "")
            segment = _segment(element, (height, width), f"{image.where}: {element.tag} of {label}")
            if segment is not None:
                yield image.name, label, (height, width), segment


def _segment(element: Element, size: tuple[int, int], where: str) -> Segment | None:
    def number(name: str) -> float:
        return as_number(element.get(name), f"{where}: {name}")

    if element.tag == "polygon":
        return [[end for point in points_of(element, where) for end in point]]
    if element.tag == "ellipse":
        x, y, rx, ry = (number(name) for name in ("cx", "cy", "rx", "ry"))
        angle = as_number(element.get("rotation") or "0", f"{where}: rotation")
        return ellipse((x, y), (rx, ry), angle, size, where)
    if element.tag == "mask":
        left, top, width, height = (int(number(name)) for name in ("left", "top", "width", "height"))
        runs = [run.strip() for run in (element.get("rle") or "").split(",")]
        if not all(run.isdecimal() for run in runs):
            raise InputError(f"{where}: rle is no list of run lengths")
        return RowRuns(tuple(map(int, runs)), (left, top, width, height), where)
    return None
