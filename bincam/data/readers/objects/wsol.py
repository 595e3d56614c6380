"""Reader of the lists of images of *wsolevaluation*, the public evaluation of Choe et al. 2020 (arXiv 2001.07437)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.classes import SET, OneClass, class_numbers
from bincam.data.readers.objects.found import BadBoxes
from bincam.data.readers.sources.lines import fields_of, lines_of, numbers
from bincam.errors import InputError

_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_NEEDED = ("image_ids.txt", "class_labels.txt")
LISTED_MASKS = 2
"""Commas in a line that lists a mask: image, mask, ignored pixels."""


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
        The table, with the set ``class``, and ``objects``. Lists of masks, as those of Open Images, are
        regions: ``--object-masks`` takes the folder of the masks.

    Raises:
        InputError: A list is missing or malformed, or the lists of a split contradict one another, with file and line.
    """
    found = lists_of(root, classes)
    gathered = OneClass(found.source, found.names, bad_boxes)
    for split, folder in found.folders.items():
        sizes = _sizes(folder / "image_sizes.txt")
        for place, image in lines_of(folder / "image_ids.txt"):
            gathered.image(image, found.class_of(split, image, place), place, sizes.get(image), split)
        _add_boxes(gathered, found, split)
    said = ["class: its number in class_labels.txt, from 0"]
    if lists_masks(root):
        said.append("masks: listed by localization.txt, read with --object-masks FOLDER, to which the list is relative")
    return gathered.table(Path(images), meaning=tuple(said))


@dataclass(frozen=True)
class WsolLists:
    """The lists of classes.

    Attributes:
        source: Folder of the lists, for messages.
        folders: Folder of each split that there is.
        labels: Number of the class of each image, by split.
        names: Names of the classes.
    """

    source: str
    folders: Mapping[str, Path]
    labels: Mapping[str, Mapping[str, int]]
    names: Sequence[str]

    def class_of(self, split: str, image: str, place: str) -> str:
        """Name the class of an image.

        Raises:
            InputError: The list of classes lacks it.
        """
        if image not in self.labels[split]:
            raise InputError(f"{place}: image {image!r} has no line in {self.folders[split] / 'class_labels.txt'}")
        return self.names[self.labels[split][image]]


def lists_of(root: str | os.PathLike[str], classes: str | os.PathLike[str] | None = None) -> WsolLists:
    """Read the lists of classes.

    Raises:
        InputError: There are none, or the file of names has fewer than they number.
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
    return WsolLists(str(base), folders, labels, names)


def lists_masks(root: str | os.PathLike[str]) -> bool:
    """True if a list of places begins with one of masks and not of boxes."""
    for folder in _SPLITS:
        file = Path(root, folder, "localization.txt")
        if file.is_file() and next((line for _, line in lines_of(file)), "").count(",") == LISTED_MASKS:
            return True
    return False


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


def _add_boxes(gathered: OneClass, found: WsolLists, split: str) -> None:
    file = found.folders[split] / "localization.txt"
    if not file.is_file():
        return
    for place, line in lines_of(file):
        if line.count(",") == LISTED_MASKS:
            continue  # of masks, which ``wsol_masks`` reads
        image, *ends = line.rsplit(",", 4)
        if len(ends) != 4:
            raise InputError(f"{place}: {len(ends) + 1} fields, expected 5: path,x0,y0,x1,y1")
        if image not in found.labels[split] or image not in gathered.found.sizes:
            raise InputError(f"{place}: image {image!r} is not in the other lists of the split")
        name = found.class_of(split, image, place)
        x0, y0, x1, y1 = numbers(place, ends, "a box")
        gathered.box(image, name, (x0, y0, x1 + 1, y1 + 1), f"{place}: {SET} {name}")
