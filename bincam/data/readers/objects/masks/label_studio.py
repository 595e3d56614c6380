"""The masks in an export of Label Studio, as regions of an image."""

from __future__ import annotations

import math
import os
from pathlib import Path

from bincam.data.readers.objects.label_studio_tasks import Region, Several, Task, numbers_of, points_of, tasks_of
from bincam.data.regions.encoded_masks import EncodedMasks, Segment
from bincam.data.regions.run_lengths import PackedRuns
from bincam.data.regions.shapes import Ellipse
from bincam.errors import InputError

_Gathered = dict[tuple[str, str], tuple[tuple[int, int], list[Segment]]]


def label_studio_masks(
    file: str | os.PathLike[str], *, image_key: str = "image", several: Several = "refuse"
) -> EncodedMasks:
    """Read what was painted with the brush, and polygons and ellipses, of an export *JSON*; a rectangle is no mask.

    Args:
        file: The export.
        image_key: As for ``label_studio``.
        several: As for ``label_studio``.

    Raises:
        InputError: The file is malformed, or has none of them.
    """
    source = Path(file)
    gathered: _Gathered = {}
    for task in tasks_of(source, image_key, several):
        for region in task.regions:
            segment = _segment(region, task) if region.labels else None
            if segment is not None:
                width, height = task.known_size
                for label in region.labels:
                    gathered.setdefault((task.image, label), ((height, width), []))[1].append(segment)
    if not gathered:
        raise InputError(f"{source}: no brush labels, polygons or ellipses in it; a rectangle is no mask")
    return EncodedMasks(source, {key: (size, tuple(segments)) for key, (size, segments) in gathered.items()})


def _segment(region: Region, task: Task) -> Segment | None:
    if region.kind == "brushlabels":
        code = region.value.get("rle")
        if not isinstance(code, list) or not all(type(byte) is int and 0 <= byte <= 255 for byte in code):
            raise InputError(f"{region.where}: brush labels have the list rle of numbers from 0 to 255")
        return PackedRuns(bytes(code), region.where)
    if region.kind == "polygonlabels":
        width, height = task.known_size
        return [[end for x, y in points_of(region) for end in (x * width / 100, y * height / 100)]]
    if region.kind == "ellipselabels":
        width, height = task.known_size
        x, y, rx, ry, angle = numbers_of(region, ("x", "y", "radiusX", "radiusY"), "an ellipse")
        if not (rx > 0 and ry > 0):
            raise InputError(f"{region.where}: radii are {rx:g} and {ry:g}; expected numbers above 0")
        return Ellipse(
            x=x * width / 100,
            y=y * height / 100,
            rx=rx * width / 100,
            ry=ry * height / 100,
            angle=math.degrees(angle),
            units="pixels",
            size=(height, width),
        )
    return None
