"""Reader of the annotations of PASCAL VOC, and of programs that write one XML file per image as it does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.found import BadBoxes, FoundObjects, Unannotated
from bincam.data.readers.sources.lines import fields_of
from bincam.data.readers.sources.xml_file import number_of, read_xml, text_of
from bincam.errors import InputError
from bincam.files import names_in

FirstPixel = Literal["1", "0"]
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_ENDS = ("xmin", "ymin", "xmax", "ymax")


@reader_of("voc")
def voc(
    root: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    first_pixel: FirstPixel = "1",
    unannotated: Unannotated = "unknown",
    bad_boxes: BadBoxes = "refuse",
) -> AttributeTable:
    """Read a folder with ``Annotations/*.xml``: every class of objects is an attribute of an image.

    A class of which all objects are marked ``difficult`` is unknown in the image, as in VOC's own lists, where it is 0;
    difficult objects have no box.

    Args:
        root: The folder of a year, such as ``VOCdevkit/VOC2012``. ``ImageSets/Main/train.txt``, ``val.txt`` and
            ``test.txt`` state the splits, if they exist; images of these lists without an XML file are unknown.
        images: Folder of the images; ``JPEGImages`` by default.
        first_pixel: Number of the first pixel. In VOC pixels are counted from 1, and the ends of a box belong to it;
            programs that count from 0 write ends that do not.
        unannotated: What an image whose file has no objects shows: nothing is known, or none of the classes.
        bad_boxes: ``refuse`` boxes without area or outside of their image, or ``skip`` them, with a warning.

    Returns:
        The table, with ``objects``. An image is called as its XML file, with the ending that ``<filename>`` states.

    Raises:
        InputError: A file is missing or malformed, with file and line.
    """
    base = Path(root)
    folder = base / "Annotations"
    if not folder.is_dir():
        raise InputError(f"{base}: no folder Annotations with XML files in it")
    files = {name.removesuffix(".xml"): folder / name for name in names_in(folder) if name.endswith(".xml")}
    splits = _splits(base / "ImageSets" / "Main")
    read = {stem: read_xml(file, "annotation") for stem, file in files.items()}
    classes = sorted({text_of(o, "name", str(files[stem])) for stem, xml in read.items() for o in xml.iter("object")})
    if not classes:
        raise InputError(f"{folder}: no objects in {len(read):,} XML files")
    found = FoundObjects(str(base), classes, bad_boxes)
    for stem in sorted({*files, *splits}):
        if stem not in read:
            found.image(f"{stem}.jpg", str(folder), split=splits[stem])
            found.unlabelled.add(f"{stem}.jpg")
            continue
        xml, where = read[stem], str(files[stem])
        name = stem + (Path(xml.findtext("filename") or "").suffix or ".jpg")
        size = None
        if xml.find("size") is not None:
            size = int(number_of(xml, "size/width", where)), int(number_of(xml, "size/height", where))
        found.image(name, where, size if size and min(size) > 0 else None, splits.get(stem, ""))
        objects = xml.findall("object")
        if not objects:
            found.unlabelled.add(name)
        for element in objects:
            difficult = (element.findtext("difficult") or "0").strip() == "1"
            label = text_of(element, "name", where)
            found.present(name, label, known=not difficult)
            if not difficult:
                x0, y0, x1, y1 = (number_of(element, f"bndbox/{end}", where) for end in _ENDS)
                before = 1 if first_pixel == "1" else 0
                found.box(name, label, (x0 - before, y0 - before, x1, y1), f"{where}: {label}")
    return found.table(
        base / "JPEGImages" if images is None else Path(images), unannotated=unannotated, with_splits=bool(splits)
    )


def _splits(folder: Path) -> dict[str, str]:
    """The split of each image by the stem of its name."""
    splits: dict[str, str] = {}
    for listed, split in _SPLITS.items():
        file = folder / f"{listed}.txt"
        if not file.is_file():
            continue
        for place, (stem,) in fields_of(file, 1, None, "the name of an image"):
            if splits.setdefault(stem, split) != split:
                raise InputError(f"{place}: image {stem!r} is in the list of {splits[stem]}, too")
    return splits
