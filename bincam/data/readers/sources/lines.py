"""Lines of text files of labels, with file and line where one is wrong."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bincam.errors import InputError, nearest
from bincam.files import regular

PathLike = str | os.PathLike[str]


def lines_of(file: PathLike) -> Iterator[tuple[str, str]]:
    r"""Read the lines of a text file that are not empty.

    Args:
        file: In UTF-8, with or without a mark of it.

    Yields:
        ``file:line`` and the line, without the blanks around it.

    Raises:
        InputError: It cannot be read, or is not UTF-8.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "list.txt").write_text("a.png 1\n\nb.png 0\n")
    ...     [(place.rpartition(":")[2], line) for place, line in lines_of(Path(folder, "list.txt"))]
    [('1', 'a.png 1'), ('3', 'b.png 0')]
    """
    path = regular(file)
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                if text := line.strip():
                    yield f"{path}:{number}", text
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{number + 1}: not UTF-8: {error.reason}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def fields_of(file: PathLike, count: int, separator: str | None, expected: str) -> Iterator[tuple[str, list[str]]]:
    """Read the lines of a text file, each of as many fields.

    Args:
        file: In UTF-8.
        count: Number of fields; names of files in the first may contain the separator.
        separator: Between fields; None is any blanks.
        expected: What a line consists of, for the message.

    Yields:
        ``file:line`` and the fields.

    Raises:
        InputError: As for ``lines_of``, or a line has fewer fields.
    """
    for place, line in lines_of(file):
        cells = [cell.strip() for cell in line.rsplit(separator, count - 1)]
        if len(cells) != count:
            raise InputError(f"{place}: {len(cells)} fields, expected {count}: {expected}")
        yield place, cells


def csv_rows(file: PathLike, columns: list[str] | None = None) -> Iterator[tuple[str, dict[str, str]]]:
    """Read a CSV file of moderate size that has a header.

    Args:
        file: In UTF-8.
        columns: Columns that it must have.

    Yields:
        ``file:line`` and the cells by column, without the blanks around them.

    Raises:
        InputError: It cannot be read, has no header, lacks a column, has one twice, or a row has another
            number of cells.
    """
    path = regular(file)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            header = [name.strip() for name in next(rows, [])]
            if not any(header):
                raise InputError(f"{path}:1: an empty file, or an empty first line; expected a header")
            for name in columns or ():
                if name not in header:
                    raise InputError(f"{path}:1: no column {name!r}{nearest(name, header)}")
            if len(set(header)) < len(header):
                twice = next(name for name in header if header.count(name) > 1)
                raise InputError(f"{path}:1: column {twice!r} occurs twice")
            for cells in rows:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise InputError(f"{path}:{rows.line_num}: {len(cells)} cells, but the header has {len(header)}")
                row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
                yield f"{path}:{rows.line_num}", row
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error.reason}") from None
    except csv.Error as error:
        raise InputError(f"{path}: not a readable CSV file: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def read_foreign_json(file: PathLike) -> Any:
    """Read a JSON file of another program.

    Raises:
        InputError: It cannot be read, or is not JSON, with file and line.
    """
    path = regular(file)
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number with thousands of digits, deep nesting
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{path}: not readable as JSON: {reason}") from None


def numbers(place: str, cells: list[str], what: str) -> list[float]:
    """Read finite numbers.

    Raises:
        InputError: One is none.

    >>> numbers("list.txt:3", ["1", "2.5"], "a box")
    [1.0, 2.5]
    """
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = [float("nan")]
    if any(not math.isfinite(value) for value in values):
        raise InputError(f"{place}: {what} consists of numbers, got {', '.join(map(repr, cells))}")
    return values


def first_file(root: PathLike, names: list[str], what: str) -> Path:
    """Find a file under one of several names in a folder.

    Raises:
        InputError: There is no such folder or file.
    """
    base = Path(root)
    if not base.is_dir():
        raise InputError(f"{base}: no such folder")
    found = next((base / name for name in names if (base / name).exists()), None)
    if found is None:
        looked = "" if names == [what] else f": looked for {', '.join(names)}"
        raise InputError(f"{base}: no {what}{looked}")
    return found
