"""Reader of WIDER Attribute: people in photographs of events, and 14 attributes of each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Coding
from bincam.data.readers.objects.found import BadBoxes, FoundObjects
from bincam.data.readers.sources.lines import first_file, read_foreign_json
from bincam.errors import InputError

FILES = ("wider_attribute_trainval.json", "wider_attribute_test.json")
_PLACES = ("", "wider_attribute_annotation/", "Anno/", "Annotations/")
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_CODING = Coding.of({1: "yes", -1: "no", 0: "unknown"})


@reader_of("wider_attribute")
def wider_attribute(root: str | os.PathLike[str], *, bad_boxes: BadBoxes = "refuse") -> AttributeTable:
    """Read the annotations of WIDER Attribute; a row is a photograph, which may show several people.

    Of a person an attribute is 1 (yes), -1 (no) or **0, which is unspecified** and not no. A photograph has an
    attribute if one of its people does, does not have it if none of them does, and is unknown otherwise.

    Args:
        root: Folder with ``wider_attribute_trainval.json`` and ``wider_attribute_test.json``, one of which is enough,
            or ``wider_attribute_annotation`` with them, and the images in ``Image``.
        bad_boxes: ``refuse`` boxes without area, or ``skip`` them, with a warning that counts them.

    Returns:
        The table, with the scene as a group; ``objects`` has the people who have an attribute.

    Raises:
        InputError: A file is missing or malformed.
    """
    base = Path(root)
    files = [file for name in FILES for place in _PLACES if (file := base / place / name).is_file()]
    if not files:
        raise InputError(f"{base}: neither {' nor '.join(FILES)}, nor a folder wider_attribute_annotation with them")
    images = first_file(root, ["Image"], "folder of images")
    found: FoundObjects | None = None
    scenes: list[str] = []
    for file in files:
        content = read_foreign_json(file)
        names = _names(content, "attribute_id_map", file)
        scene_names = dict(content.get("scene_id_map") or {})
        if found is None:
            found = FoundObjects(str(base), names, bad_boxes)
        elif list(found.classes) != names:
            raise InputError(f"{file}: other attributes than in {files[0]}")
        for i, image in enumerate(content.get("images") or ()):
            where = f"{file}: image {i + 1}"
            name = str(image.get("file_name", ""))
            split = _SPLITS.get(name.partition("/")[0])
            if split is None:
                raise InputError(f"{where}: file_name {name!r} is in none of the folders train, val and test")
            found.image(name, where, split=split)
            scenes.append(str(scene_names.get(str(image.get("scene_id")), "")))
            _add_people(found, name, image.get("targets") or [], where)
    assert found is not None
    return found.table(
        images,
        with_splits=True,
        groups={"scene": np.array(scenes, np.str_)},
        meaning=(
            f"labels of a person: {_CODING}",
            "labels of a photograph: yes if one of its people is yes, no if all are no, else unknown",
        ),
    )


def _names(content: Any, key: str, file: Path) -> list[str]:
    stated = content.get(key) if isinstance(content, dict) else None
    try:
        by_number: Mapping[int, str] = {int(number): str(name) for number, name in stated.items()}  # type: ignore[union-attr]
    except (AttributeError, ValueError):
        by_number = {}
    if not by_number or sorted(by_number) != list(range(len(by_number))):
        raise InputError(f"{file}: {key} does not number the attributes from 0")
    return [by_number[number] for number in range(len(by_number))]


def _add_people(found: FoundObjects, image: str, people: list[Mapping[str, Any]], where: str) -> None:
    names = list(found.classes)
    if not people:
        found.unlabelled.add(image)
    for number, person in enumerate(people, 1):
        at = f"{where}: person {number}"
        values = person.get("attribute") or []
        if len(values) != len(names):
            raise InputError(f"{at}: {len(values)} values of {len(names)} attributes")
        box = person.get("bbox") or []
        if len(box) != 4:
            raise InputError(f"{at}: bbox is {box!r}; expected x, y, width, height")
        x, y, width, height = map(float, box)
        for name, label in zip(names, _CODING.labels(values), strict=True):
            if label != 0:
                found.present(image, name, known=label == 1)
            if label == 1:
                found.box(image, name, (x, y, x + width, y + height), at)
