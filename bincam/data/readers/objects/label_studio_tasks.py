"""The tasks of an export of Label Studio, with the regions of the annotation that counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlparse

from bincam.data.readers.sources.lines import read_foreign_json
from bincam.errors import InputError, nearest

Several = Literal["refuse", "first", "last"]
KINDS = ("choices", "rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "keypointlabels")
"""Types of results that have labels of an image or of its regions."""


@dataclass(frozen=True)
class Region:
    """A result of an annotation.

    Attributes:
        kind: What its labels are, such as ``brushlabels``.
        labels: Its labels.
        value: Its shape, as the file has it.
        where: Begins messages.
    """

    kind: str
    labels: Sequence[str]
    value: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class Task:
    """A task of the file.

    Attributes:
        image: Name of its image.
        size: ``(W, H)`` of the image; None where no region states it.
        annotated: False where nobody annotated it.
        regions: The results of the annotation that counts.
        where: Begins messages.
    """

    image: str
    size: tuple[int, int] | None
    annotated: bool
    regions: Sequence[Region]
    where: str

    @property
    def known_size(self) -> tuple[int, int]:
        """``(W, H)``.

        Raises:
            InputError: No region states it.
        """
        if self.size is None:
            raise InputError(f"{self.where}: a region without original_width and original_height")
        return self.size


def tasks_of(source: Path, image_key: str = "image", several: Several = "refuse") -> Iterator[Task]:
    """Read the tasks of a file.

    Raises:
        InputError: As for ``label_studio``.
    """
    tasks = read_foreign_json(source)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) and isinstance(task.get("data"), dict)
                                              for task in tasks):  # fmt: skip
        raise InputError(f"{source}: expected a list of tasks with data and annotations: Label Studio's export JSON")
    for task in tasks:
        where = f"{source}: task {task.get('id')}"
        chosen = _annotation(task, several, where)
        if not isinstance(chosen or [], list) or not all(isinstance(result, dict) for result in chosen or ()):
            raise InputError(f"{where}: the result of its annotation is no list of objects")
        results = [result for result in chosen or () if result.get("type") in KINDS]
        regions = [_region(result, where) for result in results]
        size = _size(results, where)
        yield Task(_image(task["data"], image_key, where), size, chosen is not None, regions, where)


def points_of(region: Region) -> list[tuple[float, float]]:
    """Read the corners of a polygon, in percent.

    Raises:
        InputError: They are malformed.
    """
    points = region.value.get("points")
    if not isinstance(points, list) or not points or not all(_is_numbers(point, 2) for point in points):
        raise InputError(f"{region.where}: points of a polygon are {points!r}")
    return [(float(x), float(y)) for x, y in points]


def numbers_of(region: Region, keys: Sequence[str], what: str) -> tuple[float, ...]:
    """Read the numbers of a shape, and its turn in radians.

    Raises:
        InputError: One is missing.
    """
    values = [region.value.get(key) for key in keys] + [region.value.get("rotation") or 0]
    if not _is_numbers(values, len(values)):
        raise InputError(f"{region.where}: {what} has the numbers {', '.join(keys)}, got {region.value!r}")
    return (*map(float, values[:-1]), math.radians(values[-1]))


def _is_numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(value) in (int, float) and math.isfinite(value) for value in values)
    )


def _size(results: Sequence[Mapping[str, Any]], where: str) -> tuple[int, int] | None:
    stated = [(result.get("original_width"), result.get("original_height")) for result in results]
    sizes = list(dict.fromkeys((w, h) for w, h in stated if type(w) is int and type(h) is int and min(w, h) > 0))
    if len(sizes) > 1:
        raise InputError(
            f"{where}: its regions are of images of {' and of '.join(f'{w} x {h}' for w, h in sizes[:2])} pixels"
        )
    return sizes[0] if sizes else None


def _annotation(task: Mapping[str, Any], several: Several, where: str) -> list[dict[str, Any]] | None:
    """The results of the annotation that counts; None where nobody annotated the task."""
    annotations = task.get("annotations")
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise InputError(f"{where}: no list of annotations: Label Studio's export JSON has one, JSON-MIN has none")
    done = [one.get("result") or [] for one in annotations if not one.get("was_cancelled")]
    if len(done) > 1 and several == "refuse":
        raise InputError(
            f"{where}: {len(done)} annotations; state which counts: several='first' or 'last' (--data-option "
            "several=first)"
        )
    return done[-1 if several == "last" else 0] if done else None


def _region(result: Mapping[str, Any], where: str) -> Region:
    value = result.get("value") or {}
    labels = value.get(result["type"], []) if isinstance(value, dict) else None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"{where}: {result['type']} are {labels!r}; expected a list of labels")
    return Region(result["type"], labels, value, f"{where}: {', '.join(labels)}")


def _image(data: Mapping[str, Any], key: str, where: str) -> str:
    if not isinstance(data.get(key), str):
        raise InputError(f"{where}: data has no address under {key!r}{nearest(key, data)}; state its key: image_key=")
    address = urlparse(data[key])
    local = parse_qs(address.query).get("d")  # of files that the server reads from its own disk
    return (local[0] if local else unquote(address.path)).replace("\\", "/").rpartition("/")[2]
