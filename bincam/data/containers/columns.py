"""Images in a column of a Parquet or Arrow file; a part of the column is in memory at a time."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

KEPT = 256 << 20
"""Bytes of row groups that a Parquet file keeps in memory; of a larger group, batches are read one after another."""
_BATCH = 32


def image_columns(schema: pa.Schema) -> list[str]:
    """List the columns of images: structs of ``bytes`` and ``path``.

    >>> import pyarrow as pa
    >>> image_columns(pa.schema({"a": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "b": pa.binary()}))
    ['a']
    """
    import pyarrow as pa

    return [
        field.name
        for field in schema
        if pa.types.is_struct(field.type) and {"bytes", "path"} <= {inner.name for inner in field.type}
    ]


def _row(file: Path, member: str, columns: list[str]) -> tuple[str, int]:
    """The column and the row that a member names."""
    column, _, number = member.rpartition("/")
    if not number.isdecimal() or (column not in columns if column else len(columns) != 1):
        raise InputError(f"{file}#{member}: no such image; columns of images: {', '.join(columns) or 'none'}")
    return column or columns[0], int(number)


class _Columns:
    """What both kinds of file have in common: a schema, and parts of the rows.

    Attributes:
        file: The file.
        columns: Names of the columns of images.
        starts: The first row of each part, and the number of rows.
    """

    def __init__(self, file: Path, columns: list[str], lengths: list[int]) -> None:
        self.file, self.columns = file, columns
        self.starts = [0, *np.cumsum(lengths).tolist()]

    def __contains__(self, member: str) -> bool:
        try:
            return bool(_row(self.file, member, self.columns)[1] < self.starts[-1])
        except InputError:
            return False

    def read(self, member: str) -> bytes:
        """The bytes of an image.

        Raises:
            InputError: There is no such row, or its cell holds no bytes.
        """
        column, row = _row(self.file, member, self.columns)
        if row >= self.starts[-1]:
            raise InputError(f"{self.file}#{member}: no such row; the file has {self.starts[-1]:,}")
        part = bisect_right(self.starts, row) - 1
        content = self._bytes(column, part, row - self.starts[part])
        if content is None:
            raise InputError(f"{self.file}#{member}: the cell holds no bytes of an image")
        return content

    def _bytes(self, column: str, part: int, row: int) -> bytes | None:
        raise NotImplementedError


class ArrowImages(_Columns):
    """Images of an Arrow file, as Hugging Face ``datasets`` saves to disk; it is mapped, and nothing is copied."""

    def __init__(self, file: Path) -> None:
        """Read where the batches are.

        Raises:
            InputError: It is no Arrow file, or truncated.
        """
        self._batches = arrow_batches(file)
        columns = image_columns(self._batches[0].schema) if self._batches else []
        super().__init__(file, columns, [len(batch) for batch in self._batches])

    def _bytes(self, column: str, part: int, row: int) -> bytes | None:
        content: bytes | None = self._batches[part].column(column).field("bytes")[row].as_py()
        return content


def arrow_batches(file: Path) -> list[pa.RecordBatch]:
    """Map the batches of an Arrow stream or file into memory.

    Raises:
        InputError: It is none, or truncated.
    """
    import pyarrow as pa

    try:
        mapped = pa.memory_map(str(file))
        try:
            return list(pa.ipc.open_stream(mapped))
        except pa.ArrowInvalid:
            stored = pa.ipc.open_file(mapped)
            return [stored.get_batch(i) for i in range(stored.num_record_batches)]
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{file}: no Arrow file, or truncated: {reason}") from None


class ParquetImages(_Columns):
    """Images of a Parquet file, whose row groups are decoded when one of their rows is asked for."""

    def __init__(self, file: Path) -> None:
        """Read where the row groups are.

        Raises:
            InputError: It is no Parquet file, or truncated.
        """
        import pyarrow as pa
        import pyarrow.parquet

        try:
            self._stored = pa.parquet.ParquetFile(file)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{file}: no Parquet file, or truncated: {str(error).partition(chr(10))[0]}") from None
        metadata = self._stored.metadata
        lengths = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        super().__init__(file, image_columns(self._stored.schema_arrow), lengths)
        self._kept: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._stream: tuple[str, int, int, list[bytes | None], Iterator[Any]] | None = None
        self._lock = threading.Lock()

    def _size(self, column: str, part: int) -> int:
        group = self._stored.metadata.row_group(part)
        parts = (group.column(i) for i in range(group.num_columns))
        return sum(p.total_uncompressed_size for p in parts if p.path_in_schema.startswith(f"{column}."))

    def _bytes(self, column: str, part: int, row: int) -> bytes | None:
        import pyarrow as pa

        try:
            with self._lock:
                if self._size(column, part) > KEPT:
                    return self._streamed(column, part, row)
                content: bytes | None = self._group(column, part)[row].as_py()
                return content
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.file}: broken: {str(error).partition(chr(10))[0]}") from None

    def _group(self, column: str, part: int) -> Any:
        """The bytes of a row group, kept as long as there is room."""
        if (known := self._kept.get((column, part))) is None:
            table = self._stored.read_row_group(part, columns=[f"{column}.bytes"], use_threads=False)
            known = self._kept[column, part] = table.column(column).combine_chunks().field("bytes")
            while len(self._kept) > 1 and sum(self._size(*key) for key in self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end((column, part))
        return known

    def _streamed(self, column: str, part: int, row: int) -> bytes | None:
        """A row of a large group, of which a few rows are in memory; rows are best asked for in their order."""
        at = self._stream
        if at is None or at[:2] != (column, part) or row < at[2]:
            batches = self._stored.iter_batches(
                _BATCH, row_groups=[part], columns=[f"{column}.bytes"], use_threads=False
            )
            at = (column, part, 0, [], batches)
        while row >= at[2] + len(at[3]):
            batch = next(at[4])
            at = (column, part, at[2] + len(at[3]), batch.column(column).field("bytes").to_pylist(), at[4])
        self._stream = at
        return at[3][row - at[2]]
