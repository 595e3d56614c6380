"""CSV files of millions of rows, read in blocks by several threads at once.

pyarrow's own read of a whole file keeps its cells as text until their columns are built, which takes several times the
memory of the result; here each block becomes columns before the next is begun.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bincam.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 24
"""Bytes that a thread reads at once."""
_ROW = re.compile(r"Row #(\d+): ")


def read_blocks(file: Path, header: Sequence[str], kinds: Mapping[str, Any], expected: str) -> list[pa.Table]:
    """Read columns of a CSV file whose cells contain no line breaks.

    Args:
        file: With a line of column names, which was read before.
        header: The names.
        kinds: The columns that are wanted, and their types.
        expected: What cells are, for the message.

    Returns:
        The blocks of the file, in order.

    Raises:
        InputError: A row has another number of cells, or a cell is of another type, with file and line.
    """
    try:
        ranges = list(_ranges(file))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting = [pool.submit(_block, file, header, kinds, *span, expected) for span in ranges]
            try:
                return [one.result() for one in waiting]
            finally:
                for one in waiting:
                    one.cancel()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None


def _ranges(file: Path) -> Iterator[tuple[int, int]]:
    """Begin and end of each block in bytes, at ends of lines; the first begins behind the header."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.readline()
        start = stream.tell()
        while start < size:
            stream.seek(min(start + BLOCK, size))
            stream.readline()
            end = stream.tell()
            yield start, end
            start = end


def _block(
    file: Path, header: Sequence[str], kinds: Mapping[str, Any], start: int, end: int, expected: str
) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv

    with file.open("rb") as stream:
        stream.seek(start)
        text = stream.read(end - start)
    try:
        return pa.csv.read_csv(
            pa.BufferReader(text),
            read_options=pa.csv.ReadOptions(use_threads=False, column_names=list(header), block_size=1 << 20),
            parse_options=pa.csv.ParseOptions(newlines_in_values=False),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict(kinds), include_columns=list(kinds), strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0]
        line = ""
        if (found := _ROW.search(reason)) is not None:  # counted from 1 in this block
            line = f":{_lines_before(file, start) + int(found[1])}"
            reason = _ROW.sub("", reason)
        raise InputError(f"{file}{line}: not readable: {reason}; expected {expected}") from None


def _lines_before(file: Path, start: int) -> int:
    with file.open("rb") as stream:
        return stream.read(start).count(b"\n")
