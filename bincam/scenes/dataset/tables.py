"""The tables of a set of scenes: labels by the rule, what is present, the objects, parts and boxes."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.describe import SPLITS
from bincam.data.readers.data_file import FILE, save_reading
from bincam.data.regions import box_table
from bincam.files import atomic, write_json
from bincam.scenes.dataset.shards import Records
from bincam.scenes.drawing.raster import MARK
from bincam.scenes.drawing.shapes import SHAPES
from bincam.scenes.labels.shortcuts import CUES
from bincam.scenes.settings import SceneSettings

PRESENT, LABEL, OBJECTS = "present.csv", "label.csv", "objects.csv"
COLUMN = "shape"
"""The column of class names in ``label.csv``; its outputs are ``shape=circle`` and so on."""
HELD_OUT = {8: 1, 9: 2}
"""Of ten scenes the ninth is for validation and the tenth for the test; by the last digit of the number from 0."""


def splits(count: int) -> NDArray[np.intp]:
    """Return the split (N,) of every scene: indices into ``SPLITS``, eight, one and one of ten in turn.

    >>> splits(12).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0]
    """
    return np.array([HELD_OUT.get(number % 10, 0) for number in range(count)], np.intp)


def parts() -> dict[int, dict[str, Any]]:
    """Return the name of each part number, and the attributes and outputs that it shows."""
    shapes = {row + 1: {"name": name, "attributes": [name, f"{COLUMN}={name}"]} for row, name in enumerate(SHAPES)}
    return {0: {"name": "ground", "attributes": []}, **shapes, MARK: {"name": "mark", "attributes": []}}


def write_tables(root: Path, settings: SceneSettings, names: list[str], records: Records) -> list[Path]:
    """Write every table, and how each is read.

    Args:
        root: The folder.
        settings: Of the set.
        names: N images, relative to the folder.
        records: As drawn.

    Returns:
        The files.
    """
    shown = [SPLITS[code] for code in splits(len(names))]
    planted = [one.cue for one in settings.shortcuts]
    cues = [
        ["with" if records.cues[row, CUES.index(cue)] else "without" for cue in planted] for row in range(len(names))
    ]
    files = [root / PRESENT, root / OBJECTS, root / "masks" / "parts.json", root / box_table.NAME]
    present = records.present.astype(int).tolist()
    head = ["image", "split"]
    _write(files[0], [*head, *SHAPES, *planted], zip_rows(names, shown, present, cues))
    if settings.rule != "all":
        files.append(root / LABEL)
        label = [[SHAPES[column]] for column in records.labels]
        _write(files[-1], [*head, COLUMN, *planted], zip_rows(names, shown, label, cues))
    _write(files[1], ["image", "shape", "x", "y", "side", "turn", "pixels", "visible"], _objects(names, records))
    numbered = parts()
    write_json(
        files[2],
        {"kind": "bincam-parts", "schema": 1, "parts": {str(number): part for number, part in numbered.items()}},
    )
    box_table.write_box_table(files[3], _boxes(names, records))
    reading: dict[str, Any] = {"split": "split", **({"groups": planted} if planted else {})}
    save_reading(root / PRESENT, reading)
    if settings.rule != "all":
        save_reading(root / LABEL, {**reading, "one_of_columns": {COLUMN: list(SHAPES)}})
    return [*files, root / FILE]


def zip_rows(names: list[str], shown: list[str], labels: list[list[Any]], cues: list[list[str]]) -> Iterable[list[Any]]:
    """Yield the rows of a table: image, split, labels and cues."""
    for row, name in enumerate(names):
        yield [name, shown[row], *labels[row], *cues[row]]


def _objects(names: list[str], records: Records) -> Iterable[list[Any]]:
    for at, (shape, x, y, side, turn) in enumerate(records.objects.tolist()):
        place = [f"{value:.3f}" for value in (x, y, side, math.degrees(turn))]
        seen = f"{records.seen[at]:.4f}"
        yield [names[records.scene[at]], SHAPES[int(shape)], *place, int(records.pixels[at]), seen]


def _boxes(names: list[str], records: Records) -> Iterator[box_table.Row]:
    """The box of every shape, once as the region of its attribute and once as that of its output."""
    shows = {number - 1: part["attributes"] for number, part in parts().items() if part["attributes"]}
    for row, name in enumerate(names):
        for part in np.flatnonzero(records.boxes[row, :, 2] > 0).tolist():
            x0, y0, x1, y1 = records.boxes[row, part].tolist()
            for attribute in shows.get(part, ()):  # the mark is nobody's attribute
                yield name, attribute, x0, y0, x1, y1


def _write(file: Path, head: list[str], rows: Iterable[list[Any]]) -> None:
    with atomic(file) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
