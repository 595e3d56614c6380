"""Reader of CSV and Parquet tables with one column per attribute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.describe import SPLITS
from bincam.data.readers.celeba_labels import BOX_COLUMNS, LANDMARK_COLUMNS
from bincam.errors import InputError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

Coding = Literal["0/1", "-1/1", "true/false"]

_UNKNOWN = 2
_NOT_AN_ATTRIBUTE = "; if {name!r} is not an attribute, list the attribute columns or make it a group"
_CODINGS: dict[Coding, dict[str, int]] = {
    "0/1": {"0": 0, "1": 1, "0.0": 0, "1.0": 1},
    "-1/1": {"-1": 0, "1": 1, "-1.0": 0, "1.0": 1},
    "true/false": {"false": 0, "true": 1},
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
    r"""Read a table of attributes; the arguments state the meaning of each column, nothing is guessed from values.

    Args:
        file: ``.csv`` (comma, header, UTF-8) or ``.parquet``.
        images: Folder to which the path column is relative; the file's own folder by default.
        labels: Coding of every attribute. Empty cells (null and NaN in Parquet) are unknown. A Parquet column of type
            bool needs no coding.
        path: Column with the path of each image.
        attributes: Attribute columns; None takes every column that no other argument names.
        split: Column with ``train``, ``validation`` (``val``, ``valid``), ``test``, CelebA's 0, 1, 2, or empty.
        identity: Column naming the person shown; empty is unknown.
        groups: Columns by which results may be sliced.
        landmarks: Ten columns, x and y of left eye, right eye, nose, left and right mouth corner (left in the image),
            in pixels of the stored image, or ``"celeba"`` for ``lefteye_x`` to ``rightmouth_y``.
        boxes: Four columns x, y, width, height, or ``"celeba"`` for ``x_1, y_1, width, height``.

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
    """
    source = Path(file)
    if labels not in _CODINGS:
        raise InputError(f"labels={labels!r}: expected one of {', '.join(_CODINGS)}")
    if images is not None and not isinstance(images, (str, os.PathLike)):
        raise InputError(f"images={images!r}: expected the folder to which the path column is relative")
    points = _column_names(landmarks, LANDMARK_COLUMNS, 10, "landmarks")
    corners = _column_names(boxes, BOX_COLUMNS, 4, "boxes")
    texts = [path, *(c for c in (split, identity) if c is not None), *groups]
    named = [*texts, *points, *corners]
    chosen: list[str] = []
    parts: list[dict[str, Any]] = []
    start = 0
    for batch in _batches(source):
        if not parts:
            columns = batch.schema.names
            chosen = [c for c in columns if c not in named] if attributes is None else list(attributes)
            for column in (*named, *chosen):
                if column not in columns:
                    raise InputError(f"{source}: no column {column!r}{nearest(column, columns)}")
        cells = _Cells(source, batch, start)
        flags = np.empty((batch.num_rows, len(chosen)), np.int8)
        for i, name in enumerate(chosen):
            try:
                flags[:, i] = cells.labels(name, labels)
            except InputError as error:
                hint = "" if attributes is not None else _NOT_AN_ATTRIBUTE.format(name=name)
                raise InputError(f"{error}; {_advice(source, chosen)}{hint}") from None
        parts.append(
            {name: cells.texts(name) for name in texts}
            | {"": flags, "points": [cells.floats(c) for c in points], "corners": [cells.floats(c) for c in corners]}
            | ({} if split is None else {split: cells.splits(split)})
        )
        start += batch.num_rows
    ids = tuple(name for part in parts for name in part[path].tolist())
    if not ids:
        raise InputError(f"{source}: no rows")
    if "" in ids:
        raise InputError(f"{_where(source, ids.index(''))}: no path in column {path!r}")
    flags = np.concatenate([part.pop("") for part in parts])
    values = flags.astype(np.float32)
    values[flags == _UNKNOWN] = np.nan

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([part[name] for part in parts])

    extra: dict[str, Any] = {}
    if split is not None:
        extra["splits"] = joined(split)
    if identity is not None:
        extra["identities"] = joined(identity)
    if points:
        extra["landmarks"] = np.concatenate([np.stack(p["points"], axis=1) for p in parts]).reshape(-1, 5, 2)
    if corners:
        extra["boxes"] = np.concatenate([np.stack(p["corners"], axis=1) for p in parts])
    return AttributeTable(
        names=tuple(chosen),
        labels=values,
        ids=ids,
        root=source.parent if images is None else Path(images),
        groups={name: joined(name) for name in groups},
        source=str(source),
        **extra,
    )


def _advice(source: Path, columns: Sequence[str]) -> str:
    """State which coding reads every label of a table, or that none does and what to do."""
    words: dict[str, set[str]] = {column: set() for column in columns}
    for batch in _batches(source):
        cells = _Cells(source, batch, 0)
        for column in columns:
            if not cells.is_boolean(column):
                words[column] |= {word.lower() for word in cells.words(column)[0] if word}
    own = {name: {c for c, codes in _CODINGS.items() if texts <= codes.keys()} for name, texts in words.items()}
    common = [coding for coding in _CODINGS if all(coding in codings for codings in own.values())]
    if common:
        return f"labels={common[0]!r} (--labels {common[0]}) reads every attribute column"
    unread = next((name for name, codings in own.items() if not codings), None)
    if unread is not None:
        found = sorted(words[unread])
        listed = ", ".join(map(repr, found[:4])) + (", ..." if len(found) > 4 else "")
        return (
            f"no coding reads column {unread!r}, which contains {listed}: write its labels as 0 and 1, and leave "
            "unknown ones empty"
        )
    first, other = next((a, b) for a, b in combinations(own, 2) if not own[a] & own[b])
    return (
        f"no coding reads all columns: {first!r} is {min(own[first])} and {other!r} is {min(own[other])}; write them "
        "in one coding, or select the columns of one"
    )


def _batches(source: Path) -> Iterator[pa.RecordBatch]:
    """Read the file some thousands of rows at a time, so that peak memory is little more than the result."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if source.suffix == ".parquet":
            with pa.parquet.ParquetFile(source) as stored:
                yield from stored.iter_batches(batch_size=16384)
                return
        if source.suffix != ".csv":
            raise InputError(f"{source}: expected a .csv or .parquet file")
        with source.open(encoding="utf-8-sig") as stream:
            first = stream.readline()
        parse = pa.csv.ParseOptions(newlines_in_values=False, ignore_empty_lines=True)
        names = pa.csv.read_csv(pa.BufferReader(first.encode()), parse_options=parse).column_names
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise InputError(f"{source}:1: column {repeated[0]!r} occurs twice")
        yield from pa.csv.open_csv(
            source,
            read_options=pa.csv.ReadOptions(use_threads=False),  # with threads errors do not name the row
            parse_options=parse,
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: not a readable table: {error}") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None


@dataclass(frozen=True)
class _Cells:
    """Some rows of a table, whose columns are decoded through their few distinct cell texts."""

    source: Path
    batch: pa.RecordBatch
    start: int

    def words(self, name: str) -> tuple[list[str], NDArray[np.intp]]:
        """The distinct cell texts of a column, stripped, and for each row the index of its text."""
        import pyarrow as pa

        column = self.batch.column(name)
        floating = pa.types.is_floating(column.type)
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        words = [(word or "").strip() for word in column.dictionary.to_pylist()]
        if floating:
            words = ["" if word == "nan" else word for word in words]
        codes = column.indices.fill_null(len(words)).to_numpy(zero_copy_only=False).astype(np.intp)
        return [*words, ""], codes

    def texts(self, name: str) -> NDArray[np.str_]:
        """A column as text."""
        words, codes = self.words(name)
        return np.asarray(words, np.str_)[codes]

    def labels(self, name: str, coding: Coding) -> NDArray[np.int8]:
        """An attribute as 1, 0 or ``_UNKNOWN``."""
        codes = _CODINGS["true/false" if self.is_boolean(name) else coding]

        def why(word: str) -> str:
            return f"{word!r} in attribute column {name!r}; labels are {coding}, or empty for unknown"

        return np.asarray(self._mapped(name, lambda word: codes.get(word.lower()) if word else _UNKNOWN, why), np.int8)

    def is_boolean(self, name: str) -> bool:
        """True if the file itself states that a column is true or false."""
        import pyarrow as pa

        return bool(pa.types.is_boolean(self.batch.column(name).type))

    def splits(self, name: str) -> NDArray[np.str_]:
        """A column of splits, as names out of ``SPLITS`` or empty."""

        def why(word: str) -> str:
            return f"unknown split {word!r}; expected one of {', '.join(s for s in _SPLITS if s)}, or empty"

        return np.asarray(self._mapped(name, lambda word: _SPLITS.get(word.lower()), why), np.str_)

    def floats(self, name: str) -> NDArray[np.float32]:
        """A column of numbers; empty is NaN."""

        def number(word: str) -> float | None:
            try:
                return float(word) if word else np.nan
            except ValueError:
                return None

        values = self._mapped(name, number, lambda word: f"{word!r} in column {name!r} is not a number")
        return np.asarray(values, np.float32)

    def _mapped(self, name: str, value: Callable[[str], Any], why: Callable[[str], str]) -> NDArray[Any]:
        """Map every cell to a value; a text without a value is reported at its first occurrence."""
        words, codes = self.words(name)
        values = [value(word) for word in words[:-1]]
        for i, word in enumerate(words[:-1]):
            if values[i] is None:
                raise InputError(f"{_where(self.source, self.start + int(np.argmax(codes == i)))}: {why(word)}")
        return np.asarray([*values, value("")])[codes]


def _column_names(value: Sequence[str] | None, celeba: tuple[str, ...], count: int, argument: str) -> tuple[str, ...]:
    if value is None:
        return ()
    columns = celeba if value == "celeba" else tuple(value)
    if isinstance(value, str) and value != "celeba":
        raise InputError(f"{argument}={value!r}: expected {count} columns, or 'celeba'")
    if len(columns) != count:
        raise InputError(f"{argument} are {count} columns, got {len(columns)}")
    return columns


def _where(source: Path, row: int) -> str:
    # Cells have no line breaks and the header is line 1; only empty lines can make this number wrong.
    return f"{source}:{row + 2}" if source.suffix == ".csv" else f"{source}: row {row}"
