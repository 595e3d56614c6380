"""Reader of ILSVRC 2012 (ImageNet): 1,000 classes, and boxes of the objects of the class."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.classes import OneClass
from bincam.data.readers.objects.found import BadBoxes
from bincam.data.readers.sources.lines import first_file, lines_of
from bincam.data.readers.sources.matlab import read_matlab, variable
from bincam.data.readers.sources.xml_file import number_of, read_xml, text_of
from bincam.errors import InputError
from bincam.files import names_in

_IMAGES = ["Data/CLS-LOC", "ILSVRC/Data/CLS-LOC", "."]
_SOLUTION = "LOC_val_solution.csv"
_DEVKIT = "ILSVRC2012_validation_ground_truth.txt"
_ENDS = ("xmin", "ymin", "xmax", "ymax")


@reader_of("ilsvrc")
def ilsvrc(
    root: str | os.PathLike[str],
    *,
    val_labels: str | os.PathLike[str] | None = None,
    with_boxes: bool = True,
    bad_boxes: BadBoxes = "refuse",
) -> AttributeTable:
    """Read ImageNet's folders ``train`` and ``val``; a class is its synset, ``n01440764``.

    The classes are the folders of ``train``, **sorted**, as models number them; the numbers of the development kit are
    others. The images of ``val`` are in folders of synsets, too, or all in one folder; their classes are then in
    ``LOC_val_solution.csv``, or in a list that is stated.

    Args:
        root: Folder with ``train`` and ``val``, or with ``ILSVRC/Data/CLS-LOC``, as Kaggle distributes it.
        val_labels: List of the classes of ``val``: lines with a name of an image and a synset; lines with a name and
            the number, from 0, of the class among the sorted synsets; or the development kit's
            ``ILSVRC2012_validation_ground_truth.txt``, beside which ``meta.mat`` says which synset each number is.
        with_boxes: Read the XML files of ``Annotations/CLS-LOC``, if there are any.
        bad_boxes: ``refuse`` boxes without area or outside of their image, or ``skip`` them, with a warning.

    Returns:
        The table, with the set ``class``, splits, and ``objects``. The files look like VOC's, but count pixels from 0:
        of 80,477 boxes of ``val`` 7,388 begin at 0 and 6,086 end at width - 1. Ends belong to the box in both.

    Raises:
        InputError: A folder or list is missing or malformed, or an image of ``val`` has no class.
    """
    base = Path(root)
    folder = first_file(base, _IMAGES, "folder of images")
    train, val = folder / "train", folder / "val"
    synsets = _folders(train) or _folders(val)
    if not synsets:
        raise InputError(f"{folder}: no folders of synsets in train, or in val")
    gathered = OneClass(str(base), synsets, bad_boxes)
    for synset in synsets if train.is_dir() else ():
        for name in names_in(train / synset):
            gathered.image(f"train/{synset}/{name}", synset, str(train / synset), split="train")
    in_val = _folders(val)
    if in_val:
        for synset in in_val:
            for name in names_in(val / synset):
                gathered.image(f"val/{synset}/{name}", synset, str(val / synset), split="validation")
    elif val.is_dir():
        names = [name for name in names_in(val) if (val / name).is_file()]
        class_of = _classes_of_val(base, val_labels, synsets, names)
        for name in names:
            stem = Path(name).stem
            if stem not in class_of:
                raise InputError(f"{val / name}: no class of this image in the list of val")
            gathered.image(f"val/{name}", class_of[stem], str(val / name), split="validation")
    if with_boxes:
        _add_boxes(gathered, base)
    return gathered.table(folder, meaning=("class: its synset; numbers count the sorted synsets from 0",))


def _folders(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if (folder / name).is_dir()] if folder.is_dir() else []


def _classes_of_val(
    base: Path, stated: str | os.PathLike[str] | None, synsets: list[str], images: list[str]
) -> dict[str, str]:
    """The synset of each image of ``val``, by the stem of its name."""
    if stated is None:
        if not (base / _SOLUTION).is_file():
            raise InputError(
                f"{base}: the images of val are in one folder, and there is no {_SOLUTION}; state the list of their "
                "classes: val_labels= (--data-option val_labels=FILE)"
            )
        stated = base / _SOLUTION
    file = Path(stated)
    if file.name == _SOLUTION:
        return dict(_solution(file))
    if file.name == _DEVKIT:
        return _devkit(file, sorted(Path(name).stem for name in images))
    found: dict[str, str] = {}
    for place, line in lines_of(file):
        name, *label = line.split()
        if len(label) != 1:
            raise InputError(f"{place}: expected the name of an image and its class, got {line!r}")
        if label[0].isdecimal():
            if int(label[0]) >= len(synsets):
                raise InputError(f"{place}: class {label[0]}; the {len(synsets)} synsets are numbered from 0")
            label = [synsets[int(label[0])]]
        found[Path(name).stem] = label[0]
    return found


def _solution(file: Path) -> Iterator[tuple[str, str]]:
    """Read Kaggle's list: of each image synset and box, four numbers, for every object; all are of one synset."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        next(rows, None)
        for cells in rows:
            words = cells[1].split() if len(cells) == 2 else []
            if not words or len(set(words[::5])) != 1:
                raise InputError(f"{file}:{rows.line_num}: expected an image, and a synset with boxes, got {cells!r}")
            yield cells[0], words[0]


def _devkit(file: Path, stems: list[str]) -> dict[str, str]:
    """Read the numbers of the development kit, which are not those of the sorted synsets."""
    meta = next((f for f in (file.parent / "meta.mat", file.parent.parent / "meta.mat") if f.is_file()), None)
    if meta is None:
        raise InputError(f"{file}: no meta.mat beside it, which says what synset each number is")
    listed = variable(read_matlab(meta), "synsets", meta)
    of_number = {int(entry["ILSVRC2012_ID"].item()): str(entry["WNID"]) for entry in listed}
    numbers = list(lines_of(file))
    if len(numbers) != len(stems):
        raise InputError(f"{file}: {len(numbers)} lines, but val has {len(stems)} images")
    found: dict[str, str] = {}
    for stem, (place, number) in zip(stems, numbers, strict=True):
        if not number.isdecimal() or int(number) not in of_number:
            raise InputError(f"{place}: {number!r} is the number of no synset of {meta}")
        found[stem] = of_number[int(number)]
    return found


def _add_boxes(gathered: OneClass, base: Path) -> None:
    """Read the XML file of every image that has one."""
    places = [base / "Annotations" / "CLS-LOC", base / "ILSVRC" / "Annotations" / "CLS-LOC"]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        return
    for name in gathered.found.sizes:
        file = folder / Path(name).with_suffix(".xml")
        if not file.is_file():
            file = folder / name.partition("/")[0] / f"{Path(name).stem}.xml"
            if not file.is_file():
                continue
        xml, where = read_xml(file, "annotation"), str(file)
        size = int(number_of(xml, "size/width", where)), int(number_of(xml, "size/height", where))
        gathered.found.sizes[name] = size if min(size) > 0 else None
        for element in xml.findall("object"):
            label = text_of(element, "name", where)
            x0, y0, x1, y1 = (number_of(element, f"bndbox/{end}", where) for end in _ENDS)
            gathered.box(name, label, (x0, y0, x1 + 1, y1 + 1), f"{where}: {label}")
