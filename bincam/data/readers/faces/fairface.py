"""Reader of FairFace (Kärkkäinen and Joo, WACV 2021): age, gender and race of 97,698 faces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.columns import join_tables, read_columns
from bincam.data.readers.table_cells import batches, column_names
from bincam.data.stated_sets import Invalid, StatedSets
from bincam.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

FILES = {"train": "fairface_label_train.csv", "validation": "fairface_label_val.csv"}
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
RACES = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
GENDERS = ("Male", "Female")
_COLUMNS = ("file", "age", "gender", "race", "service_test")


@reader_of("fairface")
def fairface(
    root: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    gender: Literal["attribute", "set"] = "attribute",
    one_of_invalid: Invalid = "refuse",
) -> AttributeTable:
    r"""Read FairFace's two label files; age and race are sets, in the order in which its authors list them.

    The splits are those of the files, ``train`` and ``validation``; there is no test. ``service_test`` is a group.

    Args:
        root: The folder with ``fairface_label_train.csv``, ``fairface_label_val.csv``, or one of them.
        images: The folder with ``train`` and ``val``; ``root`` by default.
        gender: ``"attribute"`` reads it as the attribute ``Male``, ``"set"`` as a set of ``Male`` and ``Female``.
        one_of_invalid: ``"refuse"`` faces without an age or a race, or read their labels of the set as ``"unknown"``.

    Raises:
        InputError: A file has other columns, or a cell none of FairFace's values, with file and line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> text = "file,age,gender,race,service_test\nval/1.jpg,3-9,Male,East Asian,True\n"
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "fairface_label_val.csv").write_text(text)
        ...     faces = data.load(folder)
        >>> [name for name, label in zip(faces.names, faces.labels[0]) if label == 1]
        ['Male', 'age=3-9', 'race=East Asian']
    """
    base = Path(root)
    there = [(split, base / name) for split, name in FILES.items() if (base / name).is_file()]
    if not there:
        raise InputError(f"{base}: neither {' nor '.join(FILES.values())}")
    folder = base if images is None else Path(images)
    read = join_tables([_read(file, split, folder, gender, one_of_invalid) for split, file in there], base)
    if gender == "attribute":
        names = tuple("Male" if name == "gender" else name for name in read.names)
        read = replace(read, names=names, meaning=("gender: Male = yes, Female = no (attribute Male)",))
    else:
        read = replace(read, meaning=())
    return read.meaning_with(
        "age: years, 'more than 70' from 70 on; race: seven classes; both are annotators' judgements",
        "service_test: a group, True of the faces with which the authors tested commercial services",
    )


def _read(
    file: Path, split: str, folder: Path, gender: Literal["attribute", "set"], invalid: Invalid
) -> AttributeTable:
    columns = column_names(file)
    for name in _COLUMNS:
        if name not in columns:
            raise InputError(f"{file}:1: no column {name!r}; FairFace's are {', '.join(_COLUMNS)}")
    sets = {"age": AGES, "race": RACES} | ({"gender": GENDERS} if gender == "set" else {})

    def read() -> Iterator[pa.RecordBatch]:
        for batch in batches(file):
            yield batch.select(list(_COLUMNS))

    table = read_columns(
        file,
        read,
        folder,
        labels={"Male": "yes", "Female": "no"},
        path="file",
        attributes=[*(["gender"] if gender == "attribute" else []), *sets],
        groups=["service_test"],
        stated=StatedSets.of(columns=sets, invalid=invalid),
    )
    return replace(table, splits=np.full(len(table), split))
