"""Reader of PETA: 19,000 people seen from afar, and 105 attributes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Coding
from bincam.data.readers.people.exclusive import with_sets
from bincam.data.readers.people.partition import Columns, splits_of
from bincam.data.readers.sources.lines import first_file
from bincam.data.readers.sources.matlab import read_matlab, rows_from_one, variable
from bincam.data.stated_sets import Invalid, StatedSets
from bincam.errors import InputError

_BEFORE = 4
"""Columns of the matrix before those of the attributes."""


@reader_of("peta")
def peta(
    root: str | os.PathLike[str],
    *,
    columns: Columns = "selected",
    partition: int = 1,
    one_of: Mapping[str, Sequence[str]] | None = None,
    one_of_rest: Mapping[str, str] | None = None,
    one_of_invalid: Invalid = "refuse",
) -> AttributeTable:
    """Read ``PETA.mat``, whose variable ``peta`` states the labels, and the images ``00001.png`` onwards.

    Args:
        root: Folder with ``PETA.mat`` and ``images``.
        columns: The 35 attributes that are used in publications, or all.
        partition: Which of the five divisions into training, validation and test; rows are counted from 1 in the file.
        one_of: Sets of attributes of which exactly one is true, by name, as for CelebA. None is stated by itself:
            children, ``personalLess15``, are no selected column, so that of the four ages there not always one is true.
        one_of_rest: A further output of a set, as for CelebA.
        one_of_invalid: ``refuse`` images in which a set has no true label or several, or read them as ``unknown``.

    Raises:
        InputError: The file is missing or of another content, or there is no such partition.
    """
    file = first_file(root, ["PETA.mat"], "PETA.mat")
    images = first_file(root, ["images"], "folder of images")
    content = variable(read_matlab(file), "peta", file)
    # The fields have the names that MATLAB gave them; every program reads them by their places, and so does this one.
    fields: list[Any] = list(content.values()) if isinstance(content, dict) else []
    if len(fields) < 4 or not isinstance(fields[0], np.ndarray) or not isinstance(fields[1], list):
        raise InputError(f"{file}: 'peta' has another content than a matrix, names, selected columns and partitions")
    labels, names = fields[0][:, _BEFORE:].astype(np.float32), [str(_text(name)) for name in fields[1]]
    if labels.shape[1] != len(names):
        raise InputError(f"{file}: {labels.shape[1]} columns of labels, but {len(names)} names")
    if wrong := labels[(labels != 0) & (labels != 1)].tolist():
        raise InputError(f"{file}: a label is {wrong[0]:g}; labels are 0 and 1")
    if columns == "selected":
        chosen = rows_from_one(fields[2], len(names), f"{file}: selected columns")
        labels, names = labels[:, chosen], [names[i] for i in chosen]
    table = AttributeTable(
        tuple(names),
        labels,
        tuple(f"{number:05d}.png" for number in range(1, len(labels) + 1)),
        images,
        splits_of(fields[3], partition, len(labels), str(file)),
        source=str(root),
        meaning=(f"labels: {Coding.of('0/1')}", f"partition: {partition}"),
    )
    return with_sets(table, StatedSets.of(one_of, None, one_of_rest, one_of_invalid))


def _text(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
