"""Reader of Label Studio's export *JSON*."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.found import BadBoxes, FoundObjects
from bincam.data.readers.objects.label_studio_tasks import Region, Several, Task, numbers_of, points_of, tasks_of
from bincam.data.regions.ellipses import ellipse_reach
from bincam.display import counted
from bincam.errors import InputError


@reader_of("label_studio")
def label_studio(
    file: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    image_key: str = "image",
    several: Several = "refuse",
    bad_boxes: BadBoxes = "refuse",
) -> AttributeTable:
    """Read an export of Label Studio: every choice and every label of a region is an attribute of an image.

    A task without annotations, or whose annotations were all skipped (``was_cancelled``), is unknown; an annotation
    that is empty says that the image has none of the labels. Predictions are not read. Rectangles, polygons and
    ellipses have a box, from percent of the image's width and height; a rotated one has the upright box around it.

    Args:
        file: The export *JSON*, not *JSON-MIN*, which leaves out what was skipped.
        images: Folder of the images; the file's own by default. An image is called by the last part of its address.
        image_key: Key of the image's address in ``data``.
        several: Tasks with annotations of several people are refused, or the first or the last annotation counts.
        bad_boxes: ``refuse`` boxes without area or outside of their image, or ``skip`` them, with a warning.

    Returns:
        The table, with ``objects``.

    Raises:
        InputError: The file is malformed or another export, or a task has several annotations.
    """
    source = Path(file)
    tasks = list(tasks_of(source, image_key, several))
    if not (classes := sorted({label for task in tasks for region in task.regions for label in region.labels})):
        raise InputError(f"{source}: no labels in {len(tasks):,} tasks")
    found = FoundObjects(str(source), classes, bad_boxes)
    for task in tasks:
        found.image(task.image, task.where, task.size)
        if not task.annotated:
            found.unlabelled.add(task.image)
        for region in task.regions:
            for label in region.labels:
                found.present(task.image, label)
                if (shares := _shares(region, task)) is not None:
                    width, height = task.known_size
                    x0, y0, x1, y1 = shares
                    ends = (x0 * width / 100, y0 * height / 100, x1 * width / 100, y1 * height / 100)
                    found.box(task.image, label, ends, f"{task.where}: {label}")
    painted = sum(region.kind == "brushlabels" for task in tasks for region in task.regions)
    said = f"masks: {counted(painted, 'region')} painted with the brush, read with --object-masks {source}"
    return found.table(source.parent if images is None else Path(images), meaning=(said,) if painted else ())


def _shares(region: Region, task: Task) -> Sequence[float] | None:
    """The upright box around a region, in percent; None of those that have none."""
    if region.kind == "polygonlabels":
        xs, ys = map(list, zip(*points_of(region), strict=True))
        return min(xs), min(ys), max(xs), max(ys)
    if region.kind == "ellipselabels":
        x, y, rx, ry, angle = numbers_of(region, ("x", "y", "radiusX", "radiusY"), "an ellipse")
        across, down = task.known_size
        dx, dy = ellipse_reach((rx, ry), angle, region.where, (across, down))
        return x - dx / across, y - dy / down, x + dx / across, y + dy / down
    if region.kind != "rectanglelabels":
        return None
    x, y, width, height, angle = numbers_of(region, ("x", "y", "width", "height"), "a rectangle")
    if not angle:
        return x, y, x + width, y + height
    # Label Studio turns a rectangle about its upper left corner, in pixels, so that percent have to be made equal.
    across, down = task.known_size
    corners = [(a * width * across, b * height * down) for a in (0, 1) for b in (0, 1)]
    xs = [x + (u * math.cos(angle) - v * math.sin(angle)) / across for u, v in corners]
    ys = [y + (u * math.sin(angle) + v * math.cos(angle)) / down for u, v in corners]
    return min(xs), min(ys), max(xs), max(ys)
