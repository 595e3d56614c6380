"""Columns of any source that comes as Arrow batches, read as a table: labels, sets, splits, people and points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.class_sets import add_sets
from bincam.data.readers.celeba_labels import BOX_COLUMNS, LANDMARK_COLUMNS
from bincam.data.readers.coding import NAMED, UNKNOWN, Coding, Labels, to_state
from bincam.data.readers.table_cells import Cells, place, split_name
from bincam.data.stated_sets import StatedSets
from bincam.errors import InputError, nearest
from bincam.one_of import expand

if TYPE_CHECKING:
    import pyarrow as pa

Batches = Callable[[], Iterable["pa.RecordBatch"]]
"""Reads the rows from the beginning, some thousands at a time."""
_FEW = 12
"""Values of labels at most; a column with more is one of texts or numbers."""
_NOT_AN_ATTRIBUTE = (
    "; if {name!r} is not an attribute, list the attribute columns (attributes, --attributes), make it a group, or, if "
    "it contains class names, state it as a set (one_of_columns, --one-of-column {name})"
)

_SPLITS = "it says which split an image is in: --split-column {name} (split=)"


class NoPathsError(InputError):
    """A source has no column of image paths."""


def read_columns(
    source: Path,
    read: Batches,
    root: Path,
    *,
    labels: Labels = "0/1",
    path: str = "image",
    attributes: Sequence[str] | None = None,
    split: str | None = None,
    identity: str | None = None,
    groups: Sequence[str] = (),
    landmarks: Sequence[str] | None = None,
    boxes: Sequence[str] | None = None,
    stated: StatedSets | None = None,
) -> AttributeTable:
    """Read the columns of a source; ``table`` describes the arguments.

    Args:
        source: Its name in messages and in the table.
        read: Reads its rows; twice, where a label has to be explained.
        root: The folder that the paths are relative to.
        labels: Coding of the attributes.
        path: Column of paths.
        attributes: Columns of attributes; None for every other column.
        split: Column of splits.
        identity: Column of people.
        groups: Columns to slice by.
        landmarks: Ten columns, or ``celeba``.
        boxes: Four columns, or ``celeba``.
        stated: The sets.

    Raises:
        NoPathsError: The column of paths is missing.
        InputError: Another column is missing or a cell is invalid, with its place.
    """
    coding = Coding.of(labels)
    points = _column_names(landmarks, LANDMARK_COLUMNS, 10, "landmarks")
    corners = _column_names(boxes, BOX_COLUMNS, 4, "boxes")
    stated = StatedSets.of() if stated is None else stated
    texts = [path, *(c for c in (split, identity) if c is not None), *groups, *stated.columns]
    named = [*texts, *points, *corners]
    chosen: list[str] = []
    parts: list[_Part] = []
    start = 0
    for batch in read():
        if not parts:
            columns = batch.schema.names
            chosen = _attribute_columns(attributes, columns, named, stated)
            _refuse_blank(source, chosen, columns)
            for column in (*named, *chosen):
                if column not in columns:
                    of = " of image paths (path, --path-column)" if column == path else ""
                    kind = NoPathsError if of else InputError
                    raise kind(f"{source}: no column {column!r}{of}{nearest(column, columns)}")
        cells = Cells(source, batch, start)
        flags = np.empty((batch.num_rows, len(chosen)), np.int8)
        for i, name in enumerate(chosen):
            try:
                flags[:, i] = cells.labels(name, coding)
            except InputError as error:
                words = _words(source, read, chosen)
                if split is None and attributes is None and _states_splits(words.get(name, set())):
                    raise InputError(f"{error}; {_SPLITS.format(name=name)}") from None
                hint = "" if attributes is not None else _NOT_AN_ATTRIBUTE.format(name=name)
                raise InputError(f"{error}; {_advice(words)}{hint}") from None
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
        root=root,
        groups={name: joined(name) for name in groups},
        source=str(source),
        meaning=(f"labels: {coding}",) if chosen else (),
        **extra,
    )
    return result if attributes is None or not stated else result.select(_order(attributes, result))


def join_tables(tables: Sequence[AttributeTable], source: object) -> AttributeTable:
    """Join tables of the same attributes, groups and folder, one below the other.

    Args:
        tables: At least one.
        source: Name of the whole.

    >>> one, other = (AttributeTable(("Bald",), np.ones((1, 1)), (name,), "photos") for name in ("a.png", "b.png"))
    >>> join_tables([one, other], "mine").ids
    ('a.png', 'b.png')
    """
    first = tables[0]
    optional: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in tables])
        for name in ("identities", "landmarks", "boxes")
        if getattr(first, name) is not None
    }
    return AttributeTable(
        names=first.names,
        labels=np.concatenate([one.labels for one in tables]),
        ids=tuple(name for one in tables for name in one.ids),
        root=first.root,
        splits=np.concatenate([one.splits for one in tables]),
        groups={name: np.concatenate([one.groups[name] for one in tables]) for name in first.groups},
        one_of=first.one_of,
        source=str(source),
        meaning=first.meaning,
        **optional,
    )


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


def _words(source: Path, read: Batches, columns: Sequence[str]) -> dict[str, set[str]]:
    """The values of columns, but of those that are true or false."""
    words: dict[str, set[str]] = {column: set() for column in columns}
    for batch in read():
        cells = Cells(source, batch, 0)
        for column in columns:
            if not cells.is_boolean(column):
                words[column] |= {word for word in cells.words(column)[0] if word}
    return words


def _states_splits(words: set[str]) -> bool:
    """True of values that are names of splits, training's among them."""
    names = {split_name(word) for word in words}
    return None not in names and "train" in names


def _advice(words: Mapping[str, set[str]]) -> str:
    """Name the coding that reads every label of a table, or the values whose meaning has to be stated."""
    every = set().union(*(values for values in words.values() if not _states_splits(values)))
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
