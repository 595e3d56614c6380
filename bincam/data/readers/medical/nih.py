"""Reader of NIH ChestX-ray14: chest radiographs, 14 findings, and boxes of some of them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.objects.found import BadBoxes, FoundObjects
from bincam.data.readers.sources.lines import csv_rows, fields_of, first_file, numbers
from bincam.display import counted
from bincam.errors import InputError, nearest
from bincam.files import names_in

FINDINGS = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax"),
    *("Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"),
)
NONE = "No Finding"
ENTRIES = ["Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv"]
BOXES = "BBox_List_2017.csv"
SIDE = 1024
"""Pixels of a distributed image; ``OriginalImage[Width,Height]`` are those of the radiograph before."""
_OTHERWISE = {"Infiltrate": "Infiltration"}
"""Names that findings have in the list of boxes alone."""
_LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}
_GROUPS = {"Patient Gender": "sex", "View Position": "view"}


@reader_of("nih")
def nih(
    root: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    bad_boxes: BadBoxes = "refuse",
) -> AttributeTable:
    """Read ``Data_Entry_2017*.csv``: findings joined by ``|``, or ``No Finding``.

    Args:
        root: Folder with the file and, where they exist, ``BBox_List_2017.csv``, ``train_val_list.txt`` and
            ``test_list.txt``.
        images: Folder of the images; ``images`` in ``root`` by default, or Kaggle's ``images_001/images`` and so on.
        bad_boxes: ``refuse`` boxes without area or outside of the 1024 x 1024 pixels of an image, or ``skip`` them.

    Returns:
        The table, with patients as identities, sex and view as groups, and ``objects``. The official lists know no
        validation split: ``train_val_list.txt`` is training.

    Raises:
        InputError: A file is missing or malformed, with file and line; an unknown finding, or one beside
            ``No Finding``.
    """
    base = Path(root)
    entries = first_file(base, ENTRIES, "list of entries")
    folder, place_of = _places(base) if images is None else (Path(images), {})
    found = FoundObjects(str(base), FINDINGS, bad_boxes)
    splits = _splits(base)
    people: list[str] = []
    groups: dict[str, list[str]] = {name: [] for name in _GROUPS.values()}
    ids: dict[str, str] = {}
    for place, row in csv_rows(entries, ["Image Index", "Finding Labels", "Patient ID", *_GROUPS]):
        name = row["Image Index"]
        ids[name] = place_of.get(name, name)
        if splits and name not in splits:
            raise InputError(f"{place}: image {name!r} is in neither of {', '.join(_LISTS)}")
        found.image(ids[name], place, (SIDE, SIDE), splits.get(name, ""))
        findings = row["Finding Labels"].split("|")
        if NONE in findings and len(findings) > 1:
            raise InputError(f"{place}: {NONE!r} beside {' and '.join(f for f in findings if f != NONE)}")
        for finding in findings:
            if finding != NONE:
                found.present(ids[name], _known(finding, place))
        people.append(row["Patient ID"])
        for column, group in _GROUPS.items():
            groups[group].append(row[column])
    apart: set[tuple[str, str]] = set()
    if (file := base / BOXES).is_file():
        for place, name, finding, (x, y, width, height) in _boxes(file):
            label = _known(_OTHERWISE.get(finding, finding), place)
            if name not in ids:
                raise InputError(f"{place}: image {name!r} is not in {entries.name}")
            if label not in found.labels[ids[name]]:
                apart.add((name, label))
            found.box(ids[name], label, (x, y, x + width, y + height), place)
    said = [f"findings: named = yes, not named = no; {NONE} = no finding"]
    if apart:
        boxes = counted(len(apart), "box is", "boxes are")
        said.append(f"{boxes} of a finding that the list of entries does not name; labels are those of the list")
    return found.table(
        folder,
        with_splits=bool(splits),
        identities=np.array(people, np.str_),
        groups={name: np.array(values, np.str_) for name, values in groups.items()},
        meaning=tuple(said),
    )


def _known(finding: str, place: str) -> str:
    if finding not in FINDINGS:
        raise InputError(f"{place}: finding {finding!r}{nearest(finding, (*FINDINGS, NONE))}")
    return finding


def _boxes(file: Path) -> Iterator[tuple[str, str, str, list[float]]]:
    """Read the boxes by place: the header, with commas in ``Bbox [x,y,w,h]`` and at its end, has more fields."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        header = next(rows, [])
        if [name.strip() for name in header[:6]] != ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"]:
            raise InputError(f"{file}:1: expected Image Index,Finding Label,Bbox [x,y,w,h], got {','.join(header)}")
        for cells in rows:
            place = f"{file}:{rows.line_num}"
            filled = [cell.strip() for cell in cells]
            while filled and not filled[-1]:
                filled.pop()
            if not filled:
                continue
            if len(filled) != 6:
                raise InputError(f"{place}: {len(filled)} values, expected image, finding, x, y, width, height")
            yield place, filled[0], filled[1], numbers(place, filled[2:], "a box")


def _splits(base: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for listed, split in _LISTS.items():
        if not (base / listed).is_file():
            continue
        for place, (name,) in fields_of(base / listed, 1, None, "the name of an image"):
            if splits.setdefault(name, split) != split:
                raise InputError(f"{place}: image {name!r} is in both lists")
    return splits


def _places(base: Path) -> tuple[Path, dict[str, str]]:
    """The folder of the images, and the places below it of those in several folders."""
    if (base / "images").is_dir():
        return base / "images", {}
    parts = [name for name in names_in(base) if name.startswith("images_") and (base / name).is_dir()]
    if not parts:
        raise InputError(f"{base}: no folder images, nor images_001/images and so on; state it (images=, --images)")
    return base, {name: f"{part}/images/{name}" for part in parts for name in names_in(base / part / "images")}
