"""Reader of CSV and Parquet tables with one column per attribute."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers.arguments import keeping_arguments
from bincam.data.readers.coding import Labels
from bincam.data.readers.columns import read_columns
from bincam.data.readers.table_cells import batches
from bincam.data.stated_sets import ClassColumns, Invalid, StatedSets
from bincam.errors import InputError


@keeping_arguments
def table(
    file: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    labels: Labels = "0/1",
    path: str = "image",
    attributes: Sequence[str] | None = None,
    split: str | None = None,
    identity: str | None = None,
    groups: Sequence[str] = (),
    landmarks: Sequence[str] | None = None,
    boxes: Sequence[str] | None = None,
    one_of: Mapping[str, Sequence[str]] | None = None,
    one_of_columns: ClassColumns | None = None,
    one_of_names: Mapping[str, str] | None = None,
    one_of_rest: Mapping[str, str] | None = None,
    one_of_invalid: Invalid = "refuse",
) -> AttributeTable:
    r"""Read a table of attributes; the arguments state the meaning of each column, nothing is guessed from values.

    Args:
        file: ``.csv`` (comma, header, UTF-8) or ``.parquet``.
        images: Folder to which the path column is relative; the file's own folder by default.
        labels: Coding of every attribute: ``"0/1"``, ``"-1/1"``, ``"true/false"``, or what each value means, as in
            ``{1: "yes", 0: "no", -1: "unknown"}``. Empty cells (null and NaN in Parquet) are unknown, unless the coding
            states ``""``. A Parquet column of type bool needs no coding.
        path: Column with the path of each image.
        attributes: Attribute columns; None takes every column that no other argument names. The name of a set stands
            for its outputs. The outputs of a set that is not mentioned here come last.
        split: Column with ``train``, ``validation`` (``val``, ``valid``), ``test``, CelebA's 0, 1, 2, or empty.
        identity: Column naming the person shown; empty is unknown.
        groups: Columns by which results may be sliced.
        landmarks: Ten columns, x and y of left eye, right eye, nose, left and right mouth corner (left in the image),
            in pixels of the stored image, or ``"celeba"`` for ``lefteye_x`` to ``rightmouth_y``.
        boxes: Four columns x, y, width, height, or ``"celeba"`` for ``x_1, y_1, width, height``.
        one_of: Sets of attribute columns of which exactly one is 1 in every row, by the name of the set.
        one_of_columns: Columns of class names. Every class is an output ``column=class`` of a set of the column's name.
            As a mapping it states the classes, in order, of each column; None, or a list of columns, takes the classes
            that the column contains, with numbers in their names ordered by size.
        one_of_names: Column of class names to the name of its set, where the set, such as a model's, is not called like
            the column.
        one_of_rest: Name of a set of ``one_of`` to the name of a further output, which is true in the rows in which
            none of the set's columns is.
        one_of_invalid: ``"refuse"`` rows in which a set does not have exactly one true label (none, an empty cell, a
            class that is not stated, or several), or read all labels of the set there as ``"unknown"``, with a warning
            that counts them.

    Returns:
        The table. Missing images are reported by ``bincam data check`` and when they are loaded, not here.

    Raises:
        InputError: A column is missing or a cell is invalid, with file and line.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> text = "image,Smiling,fold,person\na.png,1,train,ann\nb.png,,test,ben\n"
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "mine.csv").write_text(text)
        ...     faces = data.table(Path(folder, "mine.csv"), split="fold", identity="person")
        >>> faces.labels.tolist(), faces.counts()
        ([[1.0], [nan]], {'train': 1, 'test': 1})

        A column of class names becomes a set of outputs of which exactly one is true:

        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "mine.csv").write_text("image,age\na.png,3-9\nb.png,0-2\nc.png,0-2\n")
        ...     faces = data.table(Path(folder, "mine.csv"), one_of_columns=["age"])
        >>> faces.one_of, faces.labels.tolist()
        ({'age': ('age=0-2', 'age=3-9')}, [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    """
    source = Path(file)
    if images is not None and not isinstance(images, (str, os.PathLike)):
        raise InputError(f"images={images!r}: expected the folder to which the path column is relative")
    return read_columns(
        source,
        lambda: batches(source),
        source.parent if images is None else Path(images),
        labels=labels,
        path=path,
        attributes=attributes,
        split=split,
        identity=identity,
        groups=groups,
        landmarks=landmarks,
        boxes=boxes,
        stated=StatedSets.of(one_of, one_of_columns, one_of_rest, one_of_invalid, one_of_names),
    )
