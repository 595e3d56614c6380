"""Cells of CSV and Parquet tables: as text, labels, splits and numbers, with file and line where one is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.describe import SPLITS
from bincam.data.readers.coding import Coding
from bincam.errors import InputError
from bincam.files import regular

if TYPE_CHECKING:
    import pyarrow as pa

_SPLITS = {
    **{name: name for name in (*SPLITS, "")},
    **{str(code): name for code, name in enumerate(SPLITS)},
    "training": "train",
    "val": "validation",
    "valid": "validation",
}


def batches(source: Path) -> Iterator[pa.RecordBatch]:
    """Read the file some thousands of rows at a time, so that peak memory is little more than the result."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if regular(source).suffix not in (".csv", ".parquet"):
        raise InputError(f"{source}: expected a .csv or .parquet file")
    try:
        if source.suffix == ".parquet":
            with pa.parquet.ParquetFile(source) as stored:
                _refuse_repeated(source, stored.schema_arrow.names)
                yield from stored.iter_batches(batch_size=16384)
                return
        with source.open(encoding="utf-8-sig") as stream:
            first = stream.readline()
        parse = pa.csv.ParseOptions(newlines_in_values=False, ignore_empty_lines=True)
        names = pa.csv.read_csv(pa.BufferReader(first.encode()), parse_options=parse).column_names
        _refuse_repeated(f"{source}:1", names)
        yield from pa.csv.open_csv(
            source,
            read_options=pa.csv.ReadOptions(use_threads=False),  # with threads errors do not name the row
            parse_options=parse,
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())), strings_can_be_null=False
            ),
        )
    except InputError:
        raise
    except (pa.ArrowException, UnicodeDecodeError, ValueError, TypeError) as error:
        raise InputError(f"{source}: not a readable table: {error}") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None


def _refuse_repeated(where: object, names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(f"{where}: column {repeated[0]!r} occurs twice")


def split_name(word: str) -> str | None:
    """The split that a folder or a file is named like, such as ``val``; None if it is not.

    >>> split_name("val"), split_name("Train"), split_name("2")
    ('validation', 'train', None)
    """
    return None if not word or word.isdecimal() else _SPLITS.get(word.lower())


def column_names(source: Path) -> list[str]:
    """Read the names of a table's columns.

    Raises:
        InputError: As for ``batches``; the file has no rows.
    """
    first = next(iter(batches(source)), None)
    if first is None:
        raise InputError(f"{source}: no rows")
    return list(first.schema.names)


@dataclass(frozen=True)
class Cells:
    """Some rows of a table, whose columns are decoded through their few distinct cell texts."""

    source: Path
    batch: pa.RecordBatch
    start: int

    def words(self, name: str) -> tuple[list[str], NDArray[np.intp]]:
        """The distinct cell texts of a column, stripped, and for each row the index of its text."""
        import pyarrow as pa

        column = self.batch.column(name)
        floating = pa.types.is_floating(column.type)
        try:
            if pa.types.is_dictionary(column.type) and not pa.types.is_string(column.type.value_type):
                floating = pa.types.is_floating(column.type.value_type)
                column = column.dictionary_decode()
            if not pa.types.is_dictionary(column.type):
                column = column.cast(pa.string()).dictionary_encode()
            words = [(word or "").strip() for word in column.dictionary.to_pylist()]
        except (pa.ArrowException, ValueError) as error:
            reason = f"cells are {column.type}, which cannot be read as text ({str(error).partition(chr(10))[0]})"
            raise InputError(f"{self.source}: column {name!r}: {reason}") from None
        if floating:
            words = ["" if word == "nan" else word for word in words]
        codes = column.indices.fill_null(len(words)).to_numpy(zero_copy_only=False).astype(np.intp)
        return [*words, ""], codes

    def texts(self, name: str) -> NDArray[np.str_]:
        """A column as text."""
        words, codes = self.words(name)
        return np.asarray(words, np.str_)[codes]

    def labels(self, name: str, coding: Coding) -> NDArray[np.int8]:
        """An attribute as 1, 0 or ``UNKNOWN``; of a column that the file itself states to be true or false, as that."""
        codes = Coding.of("true/false") if self.is_boolean(name) else coding

        def why(word: str) -> str:
            return f"{word!r} in attribute column {name!r}; the labels are stated to be {codes}"

        return np.asarray(self._mapped(name, codes.value, why), np.int8)

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
                raise InputError(f"{place(self.source, self.start + int(np.argmax(codes == i)))}: {why(word)}")
        return np.asarray([*values, value("")])[codes]


def place(source: Path, row: int) -> str:
    """Name the place of a row, counted from 0: the file and, in a CSV file, the line.

    >>> place(Path("mine.csv"), 0), place(Path("mine.parquet"), 0)
    ('mine.csv:2', 'mine.parquet: row 0')
    """
    # Cells have no line breaks and the header is line 1; only empty lines can make this number wrong.
    return f"{source}:{row + 2}" if source.suffix == ".csv" else f"{source}: row {row}"
