"""Reader of the boxes and verified labels of Open Images."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from bincam.data.attribute_table import AttributeTable
from bincam.data.images import upright_size
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.found import BadBoxes, FoundObjects
from bincam.data.readers.sources.lines import csv_rows, fields_of, numbers
from bincam.errors import InputError, nearest

_ENDS = ["XMin", "YMin", "XMax", "YMax"]
"""In the file they stand in the order XMin, XMax, YMin, YMax; they are read by their names."""


@reader_of("open_images")
def open_images(
    file: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str],
    classes: str | os.PathLike[str] | None = None,
    verified: str | os.PathLike[str] | None = None,
    bad_boxes: BadBoxes = "refuse",
) -> AttributeTable:
    """Read a file of boxes of Open Images, such as ``validation-annotations-bbox.csv``.

    An image has a class if it has a box of it, or if a person confirmed it; it does not have it if a person denied it.
    **Every other class is unknown**: Open Images does not say that a class without a box is absent. Boxes of groups
    (``IsGroupOf``) state the class, but are no object's box. A box of a depiction counts as any other.

    Args:
        file: The file; ends are shares of width and height, in the order XMin, XMax, YMin, YMax.
        images: Folder of the images, ``ID.jpg``, whose headers are opened: the file does not state their sizes.
        classes: ``class-descriptions*.csv``: names of the classes. Without it they keep their codes, ``/m/...``.
        verified: ``*-annotations-human-imagelabels*.csv``: labels that people confirmed (1) or denied (0); images that
            only it lists are read, too.
        bad_boxes: ``refuse`` boxes without area or outside of their image, or ``skip`` them, with a warning.

    Returns:
        The table, with ``objects``.

    Raises:
        InputError: A file is missing or malformed, with file and line; an image is missing; a class has no name.
    """
    source, folder = Path(file), Path(images)
    rows = list(csv_rows(source, ["ImageID", "LabelName", *_ENDS, "IsGroupOf"]))
    labelled = [] if verified is None else list(csv_rows(verified, ["ImageID", "LabelName", "Confidence"]))
    of_code = class_names({row["LabelName"] for _, row in (*rows, *labelled)}, classes)
    found = FoundObjects(str(source), tuple(of_code.values()), bad_boxes)
    for place, row in (*rows, *labelled):
        name = image_name(row["ImageID"])
        if name not in found.sizes:
            found.image(name, place, upright_size(folder / name))
            found.unlabelled.add(name)
    for place, row in labelled:
        name, label = image_name(row["ImageID"]), of_code[row["LabelName"]]
        (confidence,) = numbers(place, [row["Confidence"]], "Confidence")
        if confidence not in (0.0, 1.0):
            raise InputError(
                f"{place}: Confidence is {row['Confidence']!r}; labels of people are 1 or 0, those of machines are not "
                "read"
            )
        found.labels[name][label] = confidence
    for place, row in rows:
        name, label = image_name(row["ImageID"]), of_code[row["LabelName"]]
        found.present(name, label)
        if row["IsGroupOf"] != "1":
            width, height = _size(found, name)
            x0, y0, x1, y1 = numbers(place, [row[end] for end in _ENDS], "a box")
            found.box(name, label, (x0 * width, y0 * height, x1 * width, y1 * height), place)
    return found.table(folder)


def _size(found: FoundObjects, name: str) -> tuple[int, int]:
    size = found.sizes[name]
    assert size is not None
    return size


def image_name(number: str) -> str:
    """Name the file of an image.

    >>> image_name("0001eeaf4aed83f9")
    '0001eeaf4aed83f9.jpg'
    """
    return f"{number}.jpg"


def class_names(codes: Collection[str], classes: str | os.PathLike[str] | None) -> dict[str, str]:
    """Read the names of classes, in the order of their codes; without a file they are called by these.

    Raises:
        InputError: A class has no name, or two have one.
    """
    if classes is None:
        return {code: code for code in sorted(codes)}
    named = _names(Path(classes))
    of_code: dict[str, str] = {}
    for code in sorted(codes):
        if code not in named:
            raise InputError(f"{classes}: no name of class {code!r}{nearest(code, named)}")
        if named[code] in of_code.values():
            raise InputError(
                f"{classes}: two classes are called {named[code]!r}; leave out classes= to keep their codes"
            )
        of_code[code] = named[code]
    return of_code


def _names(file: Path) -> dict[str, str]:
    """Read the names of classes by code; the file has no header, and names may contain commas."""
    names: dict[str, str] = {}
    for place, (line,) in fields_of(file, 1, "\0", "code,name"):
        cells: list[Any] = next(csv.reader([line]))
        if len(cells) != 2:
            raise InputError(f"{place}: {len(cells)} fields, expected 2: code,name")
        names[cells[0].strip()] = cells[1].strip()
    return names
