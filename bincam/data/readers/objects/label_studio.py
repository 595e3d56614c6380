"""Reader of Label Studio's export *JSON*."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlparse

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.found import BadBoxes, FoundObjects
from bincam.data.readers.sources.lines import read_foreign_json
from bincam.errors import InputError, nearest

Several = Literal["refuse", "first", "last"]
_KINDS = ("choices", "rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "keypointlabels")


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
    that is empty says that the image has none of the labels. Predictions are not read. Rectangles and polygons have a
    box, from percent of the image's width and height; a rotated rectangle has the upright box around it.

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
    tasks = read_foreign_json(source)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) and isinstance(task.get("data"), dict)
                                              for task in tasks):  # fmt: skip
        raise InputError(f"{source}: expected a list of tasks with data and annotations: Label Studio's export JSON")
    chosen = [_annotation(task, several, f"{source}: task {task.get('id')}") for task in tasks]
    results = [[result for result in one or () if result.get("type") in _KINDS] for one in chosen]
    classes = sorted({label for one in results for result in one for label in _labels(result, str(source))})
    if not classes:
        raise InputError(f"{source}: no labels in {len(tasks):,} tasks")
    found = FoundObjects(str(source), classes, bad_boxes)
    for task, annotation, regions in zip(tasks, chosen, results, strict=True):
        where = f"{source}: task {task.get('id')}"
        name = _image(task["data"], image_key, where)
        sizes = {(region.get("original_width"), region.get("original_height")) for region in regions}
        size = next(((w, h) for w, h in sizes if isinstance(w, int) and isinstance(h, int)), None)
        found.image(name, where, size)
        if annotation is None:
            found.unlabelled.add(name)
        for region in regions:
            for label in _labels(region, where):
                found.present(name, label)
                if (shares := _shares(region, where)) is not None:
                    if size is None:
                        raise InputError(f"{where}: a region without original_width and original_height")
                    x0, y0, x1, y1 = shares
                    ends = (x0 * size[0] / 100, y0 * size[1] / 100, x1 * size[0] / 100, y1 * size[1] / 100)
                    found.box(name, label, ends, f"{where}: {label}")
    return found.table(source.parent if images is None else Path(images))


def _annotation(task: Mapping[str, Any], several: Several, where: str) -> list[dict[str, Any]] | None:
    """The results of the annotation that counts; None where nobody annotated the task."""
    if not isinstance(task.get("annotations"), list):
        raise InputError(f"{where}: no list of annotations: Label Studio's export JSON has one, JSON-MIN has none")
    done = [one.get("result") or [] for one in task["annotations"] if not one.get("was_cancelled")]
    if len(done) > 1 and several == "refuse":
        raise InputError(
            f"{where}: {len(done)} annotations; state which counts: several='first' or 'last' (--data-option "
            "several=first)"
        )
    return done[-1 if several == "last" else 0] if done else None


def _labels(result: Mapping[str, Any], where: str) -> list[str]:
    labels = (result.get("value") or {}).get(result["type"], [])
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"{where}: {result['type']} are {labels!r}; expected a list of labels")
    return labels


def _image(data: Mapping[str, Any], key: str, where: str) -> str:
    if not isinstance(data.get(key), str):
        raise InputError(f"{where}: data has no address under {key!r}{nearest(key, data)}; state its key: image_key=")
    address = urlparse(data[key])
    local = parse_qs(address.query).get("d")  # of files that the server reads from its own disk
    return (local[0] if local else unquote(address.path)).replace("\\", "/").rpartition("/")[2]


def _shares(region: Mapping[str, Any], where: str) -> Sequence[float] | None:
    """The upright box around a region, in percent; None of those that have none."""
    value = region["value"]
    if region["type"] == "polygonlabels":
        points = value.get("points")
        try:
            xs, ys = ([float(point[axis]) for point in points] for axis in (0, 1))
        except (TypeError, ValueError, IndexError):
            raise InputError(f"{where}: points of a polygon are {points!r}") from None
        return min(xs), min(ys), max(xs), max(ys)
    if region["type"] != "rectanglelabels":
        return None
    try:
        x, y, width, height = (float(value[key]) for key in ("x", "y", "width", "height"))
        angle = math.radians(float(value.get("rotation") or 0))
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where}: a rectangle has the numbers x, y, width and height, got {value!r}") from None
    if not angle:
        return x, y, x + width, y + height
    # Label Studio turns a rectangle about its upper left corner, in pixels, so that percent have to be made equal.
    across, down = (region.get("original_width") or 1), (region.get("original_height") or 1)
    corners = [(a * width * across, b * height * down) for a in (0, 1) for b in (0, 1)]
    xs = [x + (u * math.cos(angle) - v * math.sin(angle)) / across for u, v in corners]
    ys = [y + (u * math.sin(angle) + v * math.cos(angle)) / down for u, v in corners]
    return min(xs), min(ys), max(xs), max(ys)
