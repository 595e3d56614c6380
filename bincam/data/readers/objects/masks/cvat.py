"""The masks in an export of CVAT, as regions of an image."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree.ElementTree import Element

from bincam.data.readers.objects.cvat import images_of, points_of
from bincam.data.readers.sources.xml_file import as_number
from bincam.data.regions.encoded_masks import EncodedMasks, Segment
from bincam.data.regions.run_lengths import RowRuns
from bincam.data.regions.shapes import Ellipse
from bincam.errors import InputError

_Gathered = dict[tuple[str, str], tuple[tuple[int, int], list[Segment]]]


def cvat_masks(file: str | os.PathLike[str]) -> EncodedMasks:
    """Read the masks, polygons and ellipses in ``annotations.xml`` of *CVAT for images 1.1*; a box is no mask.

    Raises:
        InputError: The file is malformed, or has none of them.
    """
    source = Path(file)
    gathered: _Gathered = {}
    for image in images_of(source):
        for element in image.shapes:
            segment = _segment(element, image.size, f"{image.where}: {element.tag} of {element.get('label', '')}")
            if segment is not None:
                key = (image.name, element.get("label", ""))
                gathered.setdefault(key, ((image.size[1], image.size[0]), []))[1].append(segment)
    if not gathered:
        raise InputError(f"{source}: no masks, polygons or ellipses in it; a box is no mask")
    return EncodedMasks(source, {key: (size, tuple(segments)) for key, (size, segments) in gathered.items()})


def _segment(element: Element, size: tuple[int, int], where: str) -> Segment | None:
    def number(name: str) -> float:
        return as_number(element.get(name), f"{where}: {name}")

    if element.tag == "polygon":
        return [[end for point in points_of(element, where) for end in point]]
    if element.tag == "ellipse":
        x, y, rx, ry = (number(name) for name in ("cx", "cy", "rx", "ry"))
        angle = as_number(element.get("rotation") or "0", f"{where}: rotation")
        if not (rx > 0 and ry > 0):
            raise InputError(f"{where}: radii are {rx:g} and {ry:g}; expected numbers above 0")
        return Ellipse(x=x, y=y, rx=rx, ry=ry, angle=angle, units="pixels", size=(size[1], size[0]))
    if element.tag == "mask":
        left, top, width, height = (int(number(name)) for name in ("left", "top", "width", "height"))
        runs = [run.strip() for run in (element.get("rle") or "").split(",")]
        if not all(run.isdecimal() for run in runs):
            raise InputError(f"{where}: rle is no list of run lengths")
        return RowRuns(tuple(map(int, runs)), (left, top, width, height), where)
    return None
