"""Reader of PA-100K: 100,000 people seen from afar, and 26 attributes."""

from __future__ import annotations

import os

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Coding
from bincam.data.readers.people.exclusive import with_sets
from bincam.data.readers.sources.lines import first_file
from bincam.data.readers.sources.matlab import matrix, read_matlab, texts
from bincam.data.stated_sets import Invalid, StatedSets
from bincam.errors import InputError

SETS = {"age": ("AgeOver60", "Age18-60", "AgeLess18"), "view": ("Front", "Side", "Back")}
"""Columns of which exactly one is true in every image."""
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_IMAGES = ["data", "release_data/release_data", "release_data", "images"]


@reader_of("pa100k")
def pa100k(root: str | os.PathLike[str], *, one_of_invalid: Invalid = "refuse") -> AttributeTable:
    """Read ``annotation.mat`` and its three splits; age and view are sets of which exactly one is true.

    Args:
        root: Folder with ``annotation.mat``, and the images in ``data`` or ``release_data``.
        one_of_invalid: ``refuse`` images in which a set has no true label or several, or read them as ``unknown``.

    Raises:
        InputError: The file is missing or of another content.
    """
    file = first_file(root, ["annotation.mat", "annotation/annotation.mat"], "annotation.mat")
    images = first_file(root, _IMAGES, "folder of images")
    content = read_matlab(file)
    names = texts(content, "attributes", file)
    ids: list[str] = []
    splits: list[str] = []
    parts = []
    for stated, split in _SPLITS.items():
        listed = texts(content, f"{stated}_images_name", file)
        parts.append(matrix(content, f"{stated}_label", file, (len(listed), len(names))))
        ids += listed
        splits += [split] * len(listed)
    labels = np.concatenate(parts).astype(np.float32)
    if wrong := labels[(labels != 0) & (labels != 1)].tolist():
        raise InputError(f"{file}: a label is {wrong[0]:g}; labels are 0 and 1")
    return with_sets(
        AttributeTable(
            tuple(names),
            labels,
            tuple(ids),
            images,
            np.array(splits),
            source=str(root),
            meaning=(f"labels: {Coding.of('0/1')}",),
        ),
        StatedSets.of(SETS, invalid=one_of_invalid),
    )
