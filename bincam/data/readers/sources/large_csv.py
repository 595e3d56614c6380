"""CSV files of millions of rows, read in blocks by several threads at once.

pyarrow's own read of a whole file keeps its cells as text until their columns are built, which takes several times the
memory of the result; here each block becomes a result before the next is begun.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bincam.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
BLOCK = 1 << 23
"""Bytes that a thread reads at once."""
_ROW = re.compile(r"Row #(\d+): ")


@dataclass(frozen=True)
class Block:
    """Lines of a file that are read together.

    Attributes:
        start: Where they begin, in bytes.
        end: Where they end.
        row: Number of the first row, from 0; it is line ``row + 2``.
        rows: Number of rows.
    """

    start: int
    end: int
    row: int
    rows: int


def blocks_of(file: Path) -> list[Block]:
    r"""Divide a CSV file behind its header into blocks of whole lines; empty lines at its end do not count.

    Raises:
        InputError: It cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("a,b\n1,2\n3,4\n\n")
    ...     blocks_of(Path(folder, "a.csv"))
    [Block(start=4, end=12, row=0, rows=2)]
    """
    blocks: list[Block] = []
    try:
        with file.open("rb") as stream:
            stream.readline()
            start, row = stream.tell(), 0
            while text := stream.read(BLOCK) + stream.readline():
                end = stream.tell()
                if end == file.stat().st_size:
                    text = text.rstrip()
                    end = start + len(text) + 1
                if rows := text.count(b"\n") + (bool(text) and not text.endswith(b"\n")):
                    blocks.append(Block(start, end, row, rows))
                start, row = end, row + rows
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None
    return blocks


def map_blocks(
    file: Path,
    blocks: Sequence[Block],
    header: Sequence[str],
    kinds: Mapping[str, Any],
    expected: str,
    take: Callable[[Block, pa.Table], T],
) -> list[T]:
    """Read the blocks of a CSV file whose cells contain no line breaks, several at a time.

    Args:
        file: The file.
        blocks: As ``blocks_of`` divides it.
        header: The names of its columns.
        kinds: The columns that are wanted, and their types.
        expected: What cells are, for the message.
        take: Called with every block, in some thread, and what was read of it.

    Returns:
        What ``take`` returned, in the order of the blocks.

    Raises:
        InputError: A row has another number of cells, or a cell is of another type, with file and line; what ``take``
            raises.
    """

    def one(block: Block) -> T:
        return take(block, _read(file, block, header, kinds, expected))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(one, block) for block in blocks]
        try:
            return [done.result() for done in waiting]
        finally:
            for done in waiting:
                done.cancel()


def _read(file: Path, block: Block, header: Sequence[str], kinds: Mapping[str, Any], expected: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv

    with file.open("rb") as stream:
        stream.seek(block.start)
        text = stream.read(block.end - block.start)
    try:
        table = pa.csv.read_csv(
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
            line = f":{block.row + int(found[1]) + 1}"
            reason = _ROW.sub("", reason)
        raise InputError(f"{file}{line}: not readable: {reason}; expected {expected}") from None
    if len(table) != block.rows:
        empty = next(i for i, line in enumerate(text.split(b"\n")) if not line.strip())
        raise InputError(f"{file}:{block.row + empty + 2}: an empty line; remove it")
    return table
