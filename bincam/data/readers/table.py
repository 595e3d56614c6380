"""Reader of CSV and Parquet tables with one column per attribute."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.class_sets import add_sets
from bincam.data.readers.arguments import keeping_arguments
from bincam.data.readers.celeba_labels import BOX_COLUMNS, LANDMARK_COLUMNS
from bincam.data.readers.coding import NAMED, UNKNOWN, Coding, Labels, to_state
from bincam.data.readers.table_cells import Cells, batches, place
from bincam.data.stated_sets import ClassColumns, Invalid, StatedSets
from bincam.errors import InputError, nearest
from bincam.one_of import expand

_FEW = 12
"""Values of labels at most; a column with more is one of texts or numbers."""
_NOT_AN_ATTRIBUTE = (
    "; if {name!r} is not an attribute, list the attribute columns (attributes, --attributes), make it a group, or, if "
    "it contains class names, state it as a set (one_of_columns, --one-of-column {name})"
)


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
    coding = Coding.of(labels)
    if images is not None and not isinstance(images, (str, os.PathLike)):
        raise InputError(f"images={images!r}: expected the folder to which the path column is relative")
    points = _column_names(landmarks, LANDMARK_COLUMNS, 10, "landmarks")
    corners = _column_names(boxes, BOX_COLUMNS, 4, "boxes")
    stated = StatedSets.of(one_of, one_of_columns, one_of_rest, one_of_invalid, one_of_names)
    texts = [path, *(c for c in (split, identity) if c is not None), *groups, *stated.columns]
    named = [*texts, *points, *corners]
    chosen: list[str] = []
    parts: list[_Part] = []
    start = 0
    for batch in batches(source):
        if not parts:
            columns = batch.schema.names
            chosen = _attribute_columns(attributes, columns, named, stated)
            _refuse_blank(source, chosen, columns)
            for column in (*named, *chosen):
                if column not in columns:
                    of = " of image paths (path, --path-column)" if column == path else ""
                    raise InputError(f"{source}: no column {column!r}{of}{nearest(column, columns)}")
        cells = Cells(source, batch, start)
        flags = np.empty((batch.num_rows, len(chosen)), np.int8)
        for i, name in enumerate(chosen):
            try:
                flags[:, i] = cells.labels(name, coding)
            except InputError as error:
                hint = "" if attributes is not None else _NOT_AN_ATTRIBUTE.format(name=name)
                raise InputError(f"{error}; {_advice(source, chosen)}{hint}") from None
        parts.append(
            _Part(
                {name: cells.texts(name) for name in texts},
                flags,
                None if split is None else cells.splits(split),
                [cells.floats(column) for column in points],
                [cells.floats(column) for column in corners],
            )
        )
        start += batch.num_rows
    ids = tuple(name for part in parts for name in part.texts[path].tolist())
    if not ids:
        raise InputError(f"{source}: no rows")
    if "" in ids:
        raise InputError(f"{place(source, ids.index(''))}: no path in column {path!r}")
    flags = np.concatenate([part.flags for part in parts])
    values = flags.astype(np.float32)
    values[flags == UNKNOWN] = np.nan

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([part.texts[name] for part in parts])

    names, extra = tuple(chosen), dict[str, Any]()
    if stated:
        classes = {column: joined(column) for column in stated.columns}
        names, values, extra["one_of"] = add_sets(
            stated, names, values, classes, lambda row: place(source, row), str(source)
        )
    if split is not None:
        extra["splits"] = np.concatenate([part.splits for part in parts if part.splits is not None])
    if identity is not None:
        extra["identities"] = joined(identity)
    if points:
        extra["landmarks"] = np.concatenate([np.stack(part.points, axis=1) for part in parts]).reshape(-1, 5, 2)
    if corners:
        extra["boxes"] = np.concatenate([np.stack(part.corners, axis=1) for part in parts])
    result = AttributeTable(
        names=names,
        labels=values,
        ids=ids,
        root=source.parent if images is None else Path(images),
        groups={name: joined(name) for name in groups},
        source=str(source),
        meaning=(f"labels: {coding}",) if chosen else (),
        **extra,
    )
    return result if attributes is None or not stated else result.select(_order(attributes, result))


@dataclass(frozen=True)
class _Part:
    """What is read of some rows. Columns may have any name, so what is not a text has no key among them.

    Attributes:
        texts: Columns of text by their names.
        flags: ``(rows, A)``: 1, 0 or ``UNKNOWN``.
        splits: Names of splits.
        points: Columns of landmarks.
        corners: Columns of boxes.
    """

    texts: dict[str, NDArray[np.str_]]
    flags: NDArray[np.int8]
    splits: NDArray[np.str_] | None
    points: list[NDArray[np.float32]]
    corners: list[NDArray[np.float32]]


def _attribute_columns(
    attributes: Sequence[str] | None, columns: Sequence[str], named: Sequence[str], stated: StatedSets
) -> list[str]:
    """List the columns of the file that are read as attributes, those of one-hot sets among them."""
    if attributes is None:
        return [column for column in columns if column not in named]
    own = [
        name
        for name in attributes
        if name not in stated.columns
        and (name in columns or not (name in stated.names or stated.is_output(name)))  # unknown ones are refused
    ]
    return [*own, *(column for column in stated.hot_columns if column not in own)]


def _refuse_blank(source: Path, chosen: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse an attribute without a name, such as the index that programs write before the first column."""
    blank = next((name for name in chosen if not name.strip() and name in columns), None)
    if blank is not None:
        raise InputError(
            f"{source}:1: column {columns.index(blank) + 1} has no name, and no attribute can be without; name it, or "
            "list the attribute columns (attributes, --attributes)"
        )


def _order(attributes: Sequence[str], table: AttributeTable) -> list[str]:
    """Order the outputs as the attributes were listed; sets that are not mentioned come last."""
    order = expand(attributes, table.one_of)
    unmentioned = [members for members in table.one_of.values() if not set(members) & set(order)]
    return [*order, *(output for members in unmentioned for output in members)]


def _advice(source: Path, columns: Sequence[str]) -> str:
    """Name the coding that reads every label of a table, or the values whose meaning has to be stated."""
    words: dict[str, set[str]] = {column: set() for column in columns}
    for batch in batches(source):
        cells = Cells(source, batch, 0)
        for column in columns:
            if not cells.is_boolean(column):
                words[column] |= {word for word in cells.words(column)[0] if word}
    every = set().union(*words.values())
    if reading := [name for name in NAMED if Coding.of(name).reads(every)]:
        return f"labels={reading[0]!r} (--labels {reading[0]}) reads every attribute column"
    if len(every) <= _FEW:
        return f"state what each value means, yes, no or unknown: {to_state(every)}"
    most = max(words, key=lambda name: len(words[name]))
    found = sorted(words[most])
    return (
        f"the attribute columns have {len(every):,} values, column {most!r} {len(found):,} of them "
        f"({', '.join(map(repr, found[:4]))}, ...), which are no labels"
    )


def _column_names(value: Sequence[str] | None, celeba: tuple[str, ...], count: int, argument: str) -> tuple[str, ...]:
    if value is None:
        return ()
    columns = celeba if value == "celeba" else tuple(value)
    if isinstance(value, str) and value != "celeba":
        raise InputError(f"{argument}={value!r}: expected {count} columns, or 'celeba'")
    if len(columns) != count:
        raise InputError(f"{argument} are {count} columns, got {len(columns)}")
    return columns
