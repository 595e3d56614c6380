"""Reader of Caltech-UCSD Birds-200-2011."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.classes import OneClass
from bincam.data.readers.objects.found import BadBoxes
from bincam.data.readers.sources.lines import fields_of, first_file, lines_of, numbers
from bincam.errors import InputError

Parts = Literal["class", "attributes"]
_SURE = {"1": "not visible", "2": "guessing", "3": "probably", "4": "definitely"}


@reader_of("cub")
def cub(root: str | os.PathLike[str], *, read: Parts = "class", bad_boxes: BadBoxes = "refuse") -> AttributeTable:
    """Read ``CUB_200_2011``: 200 classes of birds, a box of each bird, and 312 attributes.

    Args:
        root: The folder with ``images.txt``, whose lists name images by their numbers.
        read: ``class`` reads the classes, a set of which exactly one is true; ``attributes`` reads the attributes
            instead, which are unknown where the part is *not visible*.
        bad_boxes: ``refuse`` boxes without area, or ``skip`` them, with a warning.

    Returns:
        The table, with CUB's splits; with ``read="class"`` it has ``objects``, because an attribute has no box of its
        own. A box is x, y, width, height.

    Raises:
        InputError: A list is missing or malformed, with file and line, or names an image that is in no other list.
    """
    base = Path(root)
    images = first_file(base, ["images"], "folder of images")
    names = _numbered(first_file(base, ["images.txt"], "images.txt"))
    splits = {number: {"1": "train", "0": "test"}.get(value) for number, value in _of(base, "train_test_split.txt")}
    for number in names:
        if splits.get(number) is None:
            raise InputError(f"{base / 'train_test_split.txt'}: no 0 or 1 for image {number}")
    if read == "attributes":
        return _attributes(base, images, names, splits)
    classes = _numbered(first_file(base, ["classes.txt"], "classes.txt"))
    class_of = dict(_of(base, "image_class_labels.txt"))
    gathered = OneClass(str(base), list(classes.values()), bad_boxes)
    for number, name in names.items():
        where = f"{base / 'image_class_labels.txt'}: image {number}"
        if class_of.get(number) not in classes:
            raise InputError(f"{where}: class {class_of.get(number)!r} is none of classes.txt")
        gathered.image(name, classes[class_of[number]], where, split=str(splits[number]))
    for place, (number, *box) in fields_of(base / "bounding_boxes.txt", 5, None, "image, x, y, width, height"):
        if number not in names:
            raise InputError(f"{place}: image {number} is not in images.txt")
        x, y, width, height = numbers(place, box, "a box")
        gathered.box(names[number], classes[class_of[number]], (x, y, x + width, y + height), place)
    return gathered.table(images, meaning=("class: that of image_class_labels.txt, from 1",))


def _numbered(file: Path) -> dict[str, str]:
    """Read names by number."""
    names: dict[str, str] = {}
    for place, line in lines_of(file):
        number, _, name = line.partition(" ")
        if not number.isdecimal() or not name.strip():
            raise InputError(f"{place}: expected a number and a name, got {line!r}")
        if number in names:
            raise InputError(f"{place}: number {number} occurs twice")
        names[number] = name.strip()
    return names


def _of(base: Path, name: str) -> list[tuple[str, str]]:
    file = first_file(base, [name], name)
    return [(cells[0], cells[1]) for _, cells in fields_of(file, 2, None, "image and value")]


def _attributes(base: Path, images: Path, names: Mapping[str, str], splits: Mapping[str, Any]) -> AttributeTable:
    """Read the attributes. Some lines of the distributed file have more fields than the five of its description."""
    folder = base / "attributes"
    file = first_file(folder, ["image_attribute_labels.txt"], "image_attribute_labels.txt")
    listed = next((f for f in (folder / "attributes.txt", base / "attributes.txt", base.parent / "attributes.txt")
                   if f.is_file()), None)  # fmt: skip
    if listed is None:
        raise InputError(f"{base}: no attributes.txt in it, in {folder.name}, or beside it")
    attributes = _numbered(listed)
    row, column = ({number: i for i, number in enumerate(of)} for of in (names, attributes))
    labels: NDArray[np.float32] = np.full((len(row), len(column)), np.nan, np.float32)
    for place, line in lines_of(file):
        image, attribute, present, sure, *_ = [*line.split(), "", "", "", ""]
        if image not in row or attribute not in column or present not in ("0", "1") or sure not in _SURE:
            raise InputError(
                f"{place}: expected image, attribute, 0 or 1, and a certainty of 1 to 4, got {line[:60]!r}"
            )
        if _SURE[sure] != "not visible":
            labels[row[image], column[attribute]] = float(present)
    return AttributeTable(
        tuple(attributes.values()),
        labels,
        tuple(names.values()),
        images,
        np.array([splits[number] for number in names], np.str_),
        source=str(base),
        meaning=("labels: 1 = yes, 0 = no; of a part that is not visible (certainty 1) = unknown",),
    )
