"""Reader of the lists of images of *wsolevaluation*, the public evaluation of Choe et al. 2020 (arXiv 2001.07437)."""

from __future__ import annotations

import os
from pathlib import Path

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.classes import SET, OneClass, class_numbers
from bincam.data.readers.objects.found import BadBoxes
from bincam.data.readers.sources.lines import fields_of, lines_of, numbers
from bincam.errors import InputError

_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_NEEDED = ("image_ids.txt", "class_labels.txt")


@reader_of("wsol")
def wsol(
    root: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str],
    classes: str | os.PathLike[str] | None = None,
    bad_boxes: BadBoxes = "refuse",
) -> AttributeTable:
    """Read the lists of a data set, such as ``metadata/ILSVRC``, with ``train``, ``val`` and ``test`` in it.

    Boxes are in pixels of the image itself, whose size ``image_sizes.txt`` states, not of the 224 x 224 pixels that the
    evaluation resizes it to. Pixels are counted from 0 and **both ends belong to the box**, as the lists show: the last
    column of an image is often an end and its width never is. Here the ends become exclusive.

    Args:
        root: Folder with at least one of the three, each with ``image_ids.txt`` and ``class_labels.txt``, and perhaps
            ``image_sizes.txt`` and ``localization.txt``.
        images: Folder to which the ids are relative.
        classes: File with a name of a class per line, in the order of their numbers; for ILSVRC the synsets, sorted.
            Without it a class is its number.
        bad_boxes: ``refuse`` boxes outside of their image or without area, or ``skip`` them, with a warning.

    Returns:
        The table, with the set ``class``, and ``objects``. Lists of masks, as those of Open Images, are not read.

    Raises:
        InputError: A list is missing or malformed, or the lists of a split contradict one another, with file and line.
    """
    base = Path(root)
    folders = {split: base / name for name, split in _SPLITS.items() if (base / name / _NEEDED[0]).is_file()}
    if not folders:
        raise InputError(f"{base}: no {_NEEDED[0]} in {', '.join(_SPLITS)} below it")
    labels = {split: _pairs(folder / "class_labels.txt") for split, folder in folders.items()}
    numbered = {name: number for of_split in labels.values() for name, number in of_split.items()}
    count = max(numbered.values(), default=0) + 1
    names = [str(number) for number in range(count)] if classes is None else [line for _, line in lines_of(classes)]
    if len(names) < count:
        raise InputError(f"{classes}: {len(names)} classes, but class_labels.txt numbers them up to {count - 1}")
    gathered = OneClass(str(base), names, bad_boxes)
    for split, folder in folders.items():
        sizes = _sizes(folder / "image_sizes.txt")
        for place, image in lines_of(folder / "image_ids.txt"):
            if image not in labels[split]:
                raise InputError(f"{place}: image {image!r} has no line in {folder / 'class_labels.txt'}")
            gathered.image(image, names[labels[split][image]], place, sizes.get(image), split)
        _add_boxes(gathered, folder / "localization.txt", labels[split], names)
    return gathered.table(Path(images), meaning=("class: its number in class_labels.txt, from 0",))


def _pairs(file: Path) -> dict[str, int]:
    """Read a class per image."""
    rows = list(fields_of(file, 2, ",", "path,class"))
    found = class_numbers([(place, cells[1]) for place, cells in rows], "a class")
    return {cells[0]: number for (_, cells), number in zip(rows, found, strict=True)}


def _sizes(file: Path) -> dict[str, tuple[int, int]]:
    """Read the sizes; those of Open Images are one 0 per image, which says nothing."""
    if not file.is_file():
        return {}
    sizes: dict[str, tuple[int, int]] = {}
    for place, line in lines_of(file):
        if line.endswith(",0") and line.count(",") == 1:
            continue
        cells = line.rsplit(",", 2)
        if len(cells) != 3:
            raise InputError(f"{place}: {len(cells)} fields, expected 3: path,width,height")
        width, height = class_numbers([(place, cell) for cell in cells[1:]], "a size")
        if not width or not height:
            raise InputError(f"{place}: an image of {width} x {height} pixels")
        sizes[cells[0]] = (width, height)
    return sizes


def _add_boxes(gathered: OneClass, file: Path, labels: dict[str, int], names: list[str]) -> None:
    if not file.is_file():
        return
    for place, line in lines_of(file):
        if line.count(",") == 2:
            raise InputError(f"{place}: lists masks, which are not read; move {file.name} away, or give their boxes")
        image, *ends = line.rsplit(",", 4)
        if len(ends) != 4:
            raise InputError(f"{place}: {len(ends) + 1} fields, expected 5: path,x0,y0,x1,y1")
        if image not in labels or image not in gathered.found.sizes:
            raise InputError(f"{place}: image {image!r} is not in the other lists of the split")
        x0, y0, x1, y1 = numbers(place, ends, "a box")
        gathered.box(image, names[labels[image]], (x0, y0, x1 + 1, y1 + 1), f"{place}: {SET} {names[labels[image]]}")
