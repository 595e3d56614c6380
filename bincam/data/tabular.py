"""Any data set as one table: a CSV or Parquet file with a column per attribute."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bincam.data.attributes import SPLITS, AttributeTable
from bincam.data.labelfiles import BOX_COLUMNS, LANDMARK_COLUMNS
from bincam.errors import InputError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

Coding = Literal["0/1", "-1/1", "true/false"]

_CODINGS: dict[Coding, dict[str, float]] = {
    "0/1": {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0},
    "-1/1": {"-1": 0.0, "1": 1.0, "-1.0": 0.0, "1.0": 1.0},
    "true/false": {"false": 0.0, "true": 1.0},
}
_SPLITS = {
    **{name: name for name in (*SPLITS, "")},
    **{str(code): name for code, name in enumerate(SPLITS)},
    "training": "train",
    "val": "validation",
    "valid": "validation",
}


def table(
    file: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    labels: Coding = "0/1",
    path: str = "image",
    attributes: Sequence[str] | None = None,
    split: str | None = None,
    identity: str | None = None,
    groups: Sequence[str] = (),
    landmarks: Sequence[str] | None = None,
    boxes: Sequence[str] | None = None,
) -> AttributeTable:
    """Read a table of attributes; what each column means is stated here, never guessed from its values.

    Args:
        file: ``.csv`` (comma, header, UTF-8) or ``.parquet``.
        images: The folder that the path column is relative to; None is the file's own folder.
        labels: How every attribute is coded. Empty cells (null and NaN in Parquet) are unknown. A Parquet column of
            type bool needs no coding.
        path: The column with each image's path.
        attributes: The attribute columns; None takes every column that is not named by another argument.
        split: A column with ``train``, ``validation`` (``val``, ``valid``), ``test``, CelebA's 0, 1, 2, or empty.
        identity: A column naming who is shown; empty is unknown.
        groups: Columns by which results may be sliced.
        landmarks: Ten columns, x and y of left eye, right eye, nose, left and right mouth corner (left in the image),
            in pixels of the stored image, or the single name ``"celeba"`` for ``lefteye_x`` to ``rightmouth_y``.
        boxes: Four columns x, y, width, height, or ``"celeba"`` for ``x_1, y_1, width, height``.

    Returns:
        The table. Whether the images are there is checked by ``bincam data check`` and when they are loaded.

    Raises:
        InputError: A column is missing, or a cell is none of what its column may hold, with file and line.
    """
    source = Path(file)
    read = _read(source)
    have = read.column_names
    if labels not in _CODINGS:
        raise InputError(f"labels={labels!r}: the coding of labels is one of {', '.join(_CODINGS)}")
    points = _named(landmarks, LANDMARK_COLUMNS, 10, "landmarks")
    corners = _named(boxes, BOX_COLUMNS, 4, "boxes")
    named = [path, *(c for c in (split, identity) if c is not None), *groups, *points, *corners]
    chosen = [c for c in have if c not in named] if attributes is None else list(attributes)
    for column in (*named, *chosen):
        if column not in have:
            raise InputError(f"{source}: no column {column!r}{nearest(column, have)}")
    ids = _texts(read, path)
    for at in np.flatnonzero(ids == ""):
        raise InputError(f"{_where(source, int(at))}: no path in column {path!r}")

    values = np.empty((len(ids), len(chosen)), np.float32)
    for i, name in enumerate(chosen):
        values[:, i] = _labels(source, read, name, labels, listed=attributes is not None)
    extra: dict[str, Any] = {}
    if split is not None:
        extra["splits"] = _splits(source, read, split)
    if identity is not None:
        extra["identities"] = _texts(read, identity)
    if points:
        extra["landmarks"] = np.stack([_floats(source, read, c) for c in points], axis=1).reshape(-1, 5, 2)
    if corners:
        extra["boxes"] = np.stack([_floats(source, read, c) for c in corners], axis=1)
    return AttributeTable(
        names=tuple(chosen),
        labels=values,
        ids=tuple(ids.tolist()),
        root=source.parent if images is None else Path(images),
        groups={name: _texts(read, name) for name in groups},
        source=str(source),
        **extra,
    )


def _read(source: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if source.suffix == ".parquet":
            return pa.parquet.read_table(source)
        if source.suffix != ".csv":
            raise InputError(f"{source}: expected a .csv or .parquet file")
        with source.open(encoding="utf-8-sig") as stream:
            first = stream.readline()
        names = pa.csv.read_csv(pa.BufferReader(first.encode()), parse_options=_strict()).column_names
        return pa.csv.read_csv(
            source,
            read_options=pa.csv.ReadOptions(use_threads=False),  # with threads errors do not say which row
            parse_options=_strict(),
            convert_options=pa.csv.ConvertOptions(
                # A dictionary of the few different cells: 200,000 x 40 labels then cost 32 MB while they are read.
                column_types={name: pa.dictionary(pa.int32(), pa.string()) for name in names},
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: not a readable table: {error}") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None


def _strict() -> Any:
    import pyarrow.csv

    return pyarrow.csv.ParseOptions(newlines_in_values=False, ignore_empty_lines=True)


def _dictionary(read: pa.Table, name: str) -> tuple[list[str], NDArray[np.intp]]:
    """A column as its different cells, stripped, and each row's number among them."""
    import pyarrow as pa

    column = read.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    if not pa.types.is_dictionary(column.type):
        if pa.types.is_floating(column.type):
            column = column.fill_null(float("nan"))
        column = column.cast(pa.string()).fill_null("").dictionary_encode()
    words = [(word or "").strip() for word in column.dictionary.to_pylist()]
    words = ["" if word == "nan" and read.column(name).type in {pa.float32(), pa.float64()} else word for word in words]
    codes = column.indices.fill_null(len(words)).to_numpy(zero_copy_only=False).astype(np.intp)
    return [*words, ""], codes


def _texts(read: pa.Table, name: str) -> NDArray[np.str_]:
    words, codes = _dictionary(read, name)
    return np.asarray(words, np.str_)[codes]


def _labels(source: Path, read: pa.Table, name: str, coding: Coding, *, listed: bool) -> NDArray[np.float32]:
    import pyarrow as pa

    known = _CODINGS["true/false" if pa.types.is_boolean(read.column(name).type) else coding]
    words, codes = _dictionary(read, name)
    values = np.array([known.get(word.lower(), np.nan) for word in words], np.float32)
    for i, word in enumerate(words):
        if word and word.lower() not in known and (codes == i).any():
            line = int(np.argmax(codes == i))
            other = [c for c, table in _CODINGS.items() if word.lower() in table]
            hint = f"; labels={other[0]!r} would accept it" if other else ""
            hint += "" if listed else f"; if {name!r} is no attribute, name the attribute columns or make it a group"
            raise InputError(
                f"{_where(source, line)}: {word!r} in attribute column {name!r}; "
                f"labels are {coding}, or empty for unknown{hint}"
            )
    return values[codes]


def _splits(source: Path, read: pa.Table, name: str) -> NDArray[np.str_]:
    words, codes = _dictionary(read, name)
    for i, word in enumerate(words):
        if word.lower() not in _SPLITS and (codes == i).any():
            line = int(np.argmax(codes == i))
            raise InputError(
                f"{_where(source, line)}: unknown split {word!r}; known: {', '.join(s for s in _SPLITS if s)}"
            )
    return np.asarray([_SPLITS.get(word.lower(), "") for word in words], np.str_)[codes]


def _floats(source: Path, read: pa.Table, name: str) -> NDArray[np.float32]:
    words, codes = _dictionary(read, name)
    values = np.full(len(words), np.nan, np.float32)
    for i, word in enumerate(words):
        try:
            values[i] = float(word) if word else np.nan
        except ValueError:
            line = int(np.argmax(codes == i))
            raise InputError(f"{_where(source, line)}: {word!r} in column {name!r} is not a number") from None
    return values[codes]


def _named(given: Sequence[str] | None, celeba: tuple[str, ...], count: int, what: str) -> tuple[str, ...]:
    if given is None:
        return ()
    columns = celeba if given == "celeba" else tuple(given)
    if isinstance(given, str) and given != "celeba":
        raise InputError(f"{what}={given!r}: name {count} columns, or 'celeba'")
    if len(columns) != count:
        raise InputError(f"{what} are {count} columns, got {len(columns)}")
    return columns


def _where(source: Path, row: int) -> str:
    # Cells have no line breaks and the header is line 1; empty lines are the one thing that can move this.
    return f"{source}:{row + 2}" if source.suffix == ".csv" else f"{source}: row {row}"
