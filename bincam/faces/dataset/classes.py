"""Classes of generated faces: hair colour and a five-level age, as a table with columns of class names.

The classes follow from the labels that can be seen, so the images and label files of a folder stay as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data import AttributeTable, celeba
from bincam.data.readers.celeba_labels import LANDMARK_COLUMNS
from bincam.data.readers.data_file import save_reading
from bincam.errors import InputError
from bincam.files import atomic

CLASSES = "classes.csv"
HAIR = {"Black_Hair": "black", "Blond_Hair": "blond", "Brown_Hair": "brown", "Gray_Hair": "grey"}
"""Attributes of hair colour and the names of their classes; hair without any of them, or no hair, is ``other``."""
HAIR_CLASSES: tuple[str, ...] = (*HAIR.values(), "other")
AGES: tuple[str, ...] = ("youngest", "young", "middle", "old", "oldest")
"""Levels of age, in order."""
SIGNS: tuple[str, ...] = ("Bags_Under_Eyes", "Bald", "Double_Chin", "Gray_Hair", "Receding_Hairline")
"""Attributes that count as signs of age."""
READING = {
    "split": "split",
    "identity": "person",
    "landmarks": "celeba",
    "one_of_columns": {"hair": list(HAIR_CLASSES), "age": list(AGES)},
}
"""How the table is read, but for the folder of its images."""


def write_classes(root: str | Path) -> Path:
    """Write ``classes.csv`` into a folder of generated faces: hair colour, age and sex of every image.

    Hair is black, blond, brown, grey or other (none of these colours, or no hair that can be seen). Age has five
    levels: ``Young`` faces without and with a sign of age (``youngest``, ``young``), and other faces with none, one, or
    several (``middle``, ``old``, ``oldest``). The signs are bags under the eyes, baldness, a double chin, grey hair and
    a receding hairline. ``data.yaml`` beside the file states how it is read, so ``bincam.data.load`` and every command
    need its name alone.

    Args:
        root: A folder made by :func:`bincam.faces.make`.

    Returns:
        The file. Its one attribute is ``Male``.

    Raises:
        InputError: The folder has no label files, lacks an attribute, or an image has two hair colours.

    Example:
        >>> import tempfile
        >>> from bincam import data, faces
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     card = faces.make(folder, 12, size=(64, 80), workers=1)
        ...     table = data.load(faces.write_classes(folder))
        >>> table.names[0], table.one_of["age"], table.labels.shape
        ('Male', ('age=youngest', 'age=young', 'age=middle', 'age=old', 'age=oldest'), (12, 11))
    """
    base = Path(root)
    table = celeba(base, variant="aligned")
    for name in (*HAIR, *SIGNS, "Young", "Male"):
        if name not in table.names:
            raise InputError(f"{base}: no attribute {name!r}; classes are those of a folder made by bincam faces make")
    if table.landmarks is None or table.identities is None or not table.counts().keys() - {""}:
        raise InputError(f"{base}: no landmarks, identities or splits; expected a folder made by bincam faces make")
    hair, age = hair_colours(table), age_levels(table)
    male = table.labels[:, table.index("Male")] == 1
    file = base / CLASSES
    with atomic(file) as part, part.open("w", encoding="utf-8", newline="\n") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["image", "split", "person", "hair", "age", "Male", *LANDMARK_COLUMNS])
        for row, name in enumerate(table.ids):
            points = [f"{value:g}" for value in table.landmarks[row].ravel()]
            writer.writerow(
                [name, table.splits[row], table.identities[row], hair[row], age[row], int(male[row]), *points]
            )
    save_reading(file, {**READING, "images": str(table.root)})
    return file


def hair_colours(table: AttributeTable) -> NDArray[np.str_]:
    """Name the hair colour of every image, out of ``HAIR_CLASSES``.

    Raises:
        InputError: An image has two.

    >>> from bincam.data import AttributeTable
    >>> hair_colours(AttributeTable(tuple(HAIR), np.eye(4)[:2] * [1, 0, 1, 1], "ab", ".")).tolist()
    ['black', 'other']
    """
    colours = _true(table, tuple(HAIR))
    if (several := np.flatnonzero(colours.sum(1) > 1)).size:
        raise InputError(f"{table.source}: {table.ids[several[0]]!r} has two hair colours ({several.size} images)")
    return np.where(colours.any(1), np.array(HAIR_CLASSES)[colours.argmax(1)], "other")


def age_levels(table: AttributeTable) -> NDArray[np.str_]:
    """Name the level of age of every image, out of ``AGES``.

    >>> from bincam.data import AttributeTable
    >>> labels = np.array([[1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0]])
    >>> age_levels(AttributeTable(("Young", *SIGNS), labels, "ab", ".")).tolist()
    ['youngest', 'oldest']
    """
    signs = _true(table, SIGNS).sum(1)
    is_young = _true(table, ("Young",))[:, 0]
    level = np.where(is_young, np.minimum(signs, 1), 2 + np.minimum(signs, 2))
    return np.asarray(np.array(AGES)[level], np.str_)


def _true(table: AttributeTable, names: Sequence[str]) -> NDArray[np.bool_]:
    return np.asarray(table.labels[:, [table.index(name) for name in names]] == 1)
