"""The masks in an export of Label Studio, as regions of an image."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from bincam.data.readers.objects.label_studio_tasks import Region, Several, Task, numbers_of, points_of, tasks_of
from bincam.data.regions.ellipses import ellipse
from bincam.data.regions.encoded_masks import EncodedMasks, Segment
from bincam.data.regions.run_lengths import PackedRuns
from bincam.errors import InputError


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
    found = _found(Path(file), image_key, several)
    return EncodedMasks.gathered(file, found, "brush labels, polygons or ellipses in it; a rectangle is no mask")


def _found(source: Path, image_key: str, several: Several) -> Iterator[tuple[str, str, tuple[int, int], Segment]]:
    for task in tasks_of(source, image_key, several):
        for region in task.regions:
            segment = _segment(region, task) if region.labels else None
            if segment is not None:
                width, height = task.known_size
                for label in region.labels:
                    yield task.image, label, (height, width), segment


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
        unit = width / 100, height / 100
        return ellipse((x, y), (rx, ry), math.degrees(angle), (height, width), region.where, unit)
    return None
