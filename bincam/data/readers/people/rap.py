"""Reader of RAP, versions 1 and 2: people seen by indoor cameras, and their attributes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Coding
from bincam.data.readers.people.partition import Columns, splits_of
from bincam.data.readers.sources.lines import first_file
from bincam.data.readers.sources.matlab import matrix, read_matlab, rows_from_one, texts, variable
from bincam.errors import InputError

_CODING = Coding.of({0: "no", 1: "yes", 2: "unknown"})
_FIELDS = {
    1: {"images": "imagesname", "labels": "label", "names": "attribute_eng", "partitions": "partion"},
    2: {"images": "name", "labels": "data", "names": "attribute", "partitions": "partition_attribute"},
}
"""Names of the fields in both versions; the first spells one of them so."""


@reader_of("rap")
def rap(root: str | os.PathLike[str], *, columns: Columns = "selected", partition: int = 1) -> AttributeTable:
    """Read ``RAP_annotation.mat``: a label is 0 (no), 1 (yes) or **2, which is unknown**, such as that of ``Female``.

    Args:
        root: Folder with ``RAP_annotation.mat``, or ``RAP_annotation`` with it, and the images in ``RAP_dataset``.
        columns: The attributes that are used in publications, 51 in version 1 and 54 in version 2, or all of which the
            labels are 0, 1 and 2. Others, such as the number of the viewpoint, are no attributes and left out.
        partition: Which of the five divisions; version 1 has no validation split.

    Returns:
        The table; of version 2 with the people, where they are known.

    Raises:
        InputError: The file is missing or of another content, or there is no such partition.
    """
    file = first_file(root, ["RAP_annotation.mat", "RAP_annotation/RAP_annotation.mat"], "RAP_annotation.mat")
    images = first_file(root, ["RAP_dataset"], "folder of images")
    content = variable(read_matlab(file), "RAP_annotation", file)
    if not isinstance(content, dict):
        raise InputError(f"{file}: 'RAP_annotation' is no struct")
    version = 1 if "imagesname" in content else 2
    fields = _FIELDS[version]
    ids, names = texts(content, fields["images"], file), texts(content, fields["names"], file)
    values = matrix(content, fields["labels"], file, (len(ids), len(names)))
    binary = np.asarray(np.isin(values, (0, 1, 2)).all(axis=0))
    if columns == "all":
        chosen = np.flatnonzero(binary)
    elif version == 1:
        chosen = np.arange(len(texts(content, "attribute_exp", file)))
    else:
        chosen = rows_from_one(variable(content, "selected_attribute", file), len(names), f"{file}: selected_attribute")
    for column in chosen:
        if not binary[column]:
            wrong = values[~np.isin(values[:, column], (0, 1, 2)), column][0]
            raise InputError(f"{file}: {names[column]!r} is {wrong}; labels are {_CODING}")
    labels = values[:, chosen].astype(np.float32)
    labels[labels == 2] = np.nan
    extra: dict[str, Any] = {}
    if "person_identity" in content:
        people = np.asarray(content["person_identity"]).reshape(-1)
        if len(people) != len(ids):
            raise InputError(f"{file}: {len(people)} people of {len(ids)} images")
        extra["identities"] = np.array([str(int(person)) if person > 0 else "" for person in people])
    return AttributeTable(
        tuple(names[column] for column in chosen),
        labels,
        tuple(ids),
        images,
        splits_of(variable(content, fields["partitions"], file), partition, len(ids), str(file)),
        source=str(root),
        meaning=(f"labels: {_CODING}", f"version {version}, partition {partition}"),
        **extra,
    )
