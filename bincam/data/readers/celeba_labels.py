"""Readers of CelebA's label files, whose errors name file and line.

A text file begins with a line that states the number of images and a line of column names (partition and identities
have neither), followed by one line per image: the image's name and its values, separated by blanks. Kaggle's CSV files
have a header and commas. Wherever there is a line of column names, values are read by their names and not by their
places.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import LANDMARKS
from bincam.errors import InputError, nearest
from bincam.files import regular

PathLike = str | os.PathLike[str]

LANDMARK_COLUMNS: tuple[str, ...] = tuple(f"{point}_{axis}" for point in LANDMARKS for axis in "xy")
BOX_COLUMNS: tuple[str, ...] = ("x_1", "y_1", "width", "height")
IMAGE = "image_id"
"""Column of the image's name; of the text files only that of boxes names it, and it comes first in all of them."""
_LABELS = {b"1": b"\x01", b"-1": b"\x00"}


@dataclass(frozen=True)
class Rows:
    """Content of one label file.

    Attributes:
        file: The file.
        columns: Names of the value columns.
        lines: Image name to line number, in the file's order.
        values: One row per image, in that order.
    """

    file: Path
    columns: tuple[str, ...]
    lines: dict[str, int]
    values: NDArray[np.float32]

    def aligned(self, ids: Sequence[str], asked_by: str) -> NDArray[np.float32]:
        """Select the rows of these images, in their order.

        Args:
            ids: Image names.
            asked_by: Name of the file that lists them, for the error message.

        Raises:
            InputError: An image has no line.
        """
        if len(ids) == len(self.lines) and all(map(str.__eq__, ids, self.lines)):
            return self.values
        place = {name: i for i, name in enumerate(self.lines)}
        for name in ids:
            if name not in place:
                raise InputError(f"{self.file}: no line for image {name!r}, which {asked_by} lists")
        return self.values[[place[name] for name in ids]]


def read_attributes(file: PathLike) -> Rows:
    """Read ``list_attr_celeba.txt`` or ``.csv``; values become 1 and 0.

    Raises:
        InputError: A wrong count, a row of another length, a label that is not -1 or 1, a repeated name, or text that
            is not UTF-8, with file and line.
    """
    flags = bytearray()

    def take(values: list[bytes]) -> None:
        flags.extend(b"".join(map(_LABELS.__getitem__, values)))

    path, columns, lines = _read(file, take, counted=True, header=True, expected="a label is -1 or 1")
    labels = np.frombuffer(flags, np.uint8).reshape(len(lines), len(columns)).astype(np.float32)
    return Rows(path, columns, lines, labels)


def read_landmarks(file: PathLike) -> Rows:
    """Read ``list_landmarks_align_celeba.txt``, ``list_landmarks_celeba.txt`` or the CSV: ten numbers per image."""
    return _numbers(file, counted=True, header=True, names=LANDMARK_COLUMNS)


def read_boxes(file: PathLike) -> Rows:
    """Read ``list_bbox_celeba.txt`` or the CSV: x, y, width, height."""
    return _numbers(file, counted=True, header=True, names=BOX_COLUMNS)


def read_partition(file: PathLike) -> Rows:
    """Read ``list_eval_partition.txt`` or the CSV: code 0, 1 or 2 per image.

    Raises:
        InputError: Another code, with file and line.
    """
    rows = _numbers(file, counted=False, header=Path(file).suffix == ".csv", names=("partition",))
    for name, code in zip(rows.lines, rows.values[:, 0].tolist(), strict=True):
        if code not in {0.0, 1.0, 2.0}:
            raise InputError(
                f"{rows.file}:{rows.lines[name]}: unknown partition code {code:g} for {name!r}; "
                "codes are 0 (train), 1 (validation), 2 (test)"
            )
    return rows


def read_identities(file: PathLike) -> tuple[Rows, NDArray[np.str_]]:
    """Read ``identity_CelebA.txt``: the person in each image.

    Returns:
        The rows, whose values are row numbers, and ``(N,)`` identities as written.
    """
    names: list[str] = []

    def take(values: list[bytes]) -> None:
        names.append(values[0].decode())

    header = Path(file).suffix == ".csv"
    path, columns, lines = _read(
        file, take, counted=False, header=header, names=("identity",), expected="an identity is one word"
    )
    order = np.arange(len(names), dtype=np.float32)[:, None]
    return Rows(path, columns, lines, order), np.asarray(names, np.str_)


def _numbers(file: PathLike, *, counted: bool, header: bool, names: tuple[str, ...]) -> Rows:
    numbers = array("f")

    def take(values: list[bytes]) -> None:
        numbers.extend(map(float, values))

    expected = f"{len(names)} numbers per image"
    path, columns, lines = _read(file, take, counted=counted, header=header, names=names, expected=expected)
    values = np.frombuffer(numbers, np.float32).reshape(len(lines), len(names))
    if not np.isfinite(values).all():
        image = list(lines)[int(np.nonzero(~np.isfinite(values))[0][0])]
        raise InputError(f"{path}:{lines[image]}: a value of {image!r} is not a finite number")
    return Rows(path, columns, lines, values)


def _read(
    file: PathLike,
    take: Callable[[list[bytes]], None],
    *,
    counted: bool,
    header: bool,
    names: tuple[str, ...] | None = None,
    expected: str,
) -> tuple[Path, tuple[str, ...], dict[str, int]]:
    """Read a label file in one pass, in constant memory except for what ``take`` stores.

    Args:
        file: The file.
        take: Called with the values of each row; raises KeyError or ValueError for an invalid one.
        counted: The text form begins with the number of images.
        header: The file has a line of column names.
        names: The value columns, in the order in which ``take`` gets them; None for those that the file names.
        expected: Description of valid values, for the error message.

    Returns:
        The path, the column names, and image name to line number.
    """
    path = regular(file)
    comma = path.suffix == ".csv"
    lines: dict[str, int] = {}
    columns = names or ()
    at: Sequence[int] = range(len(columns) + 1)  # the places of the image's name and of the values
    try:
        with path.open("rb") as stream:
            numbered = enumerate(stream, 1)
            count = _count(path, numbered) if counted and not comma else None
            if header:
                columns, at = _columns(path, numbered, names, comma=comma)
            in_order = list(at) == list(range(len(at)))
            number = 0
            for number, line in numbered:
                cells = [cell.strip() for cell in line.split(b",")] if comma else line.split()
                if not cells or cells == [b""]:
                    continue
                if len(cells) != len(at):
                    raise InputError(
                        f"{path}:{number}: {len(cells) - 1} values after the image's name, expected {len(columns)}"
                    )
                if not in_order:
                    cells = [cells[place] for place in at]
                name = _text(path, number, cells[0].removeprefix(b"\xef\xbb\xbf") if number == 1 else cells[0])
                if name in lines:
                    raise InputError(f"{path}:{number}: image {name!r} is already in line {lines[name]}")
                lines[name] = number
                try:
                    take(cells[1:])
                except (KeyError, ValueError) as error:
                    value = error.args[0]
                    shown = value.decode(errors="replace") if isinstance(value, bytes) else value
                    raise InputError(f"{path}:{number}: {shown!r} for image {name!r}; {expected}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if count is not None and count != len(lines):
        raise InputError(
            f"{path}:1: the count line states {count} images, but {len(lines)} follow (up to line {number})"
        )
    if not lines:
        raise InputError(f"{path}: no images in it")
    return path, columns, lines


def _count(path: Path, numbered: Iterator[tuple[int, bytes]]) -> int:
    number, line = next(numbered, (1, b""))
    text = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not text.isdigit() or len(text) > 18:
        raise InputError(f"{path}:{number}: expected the number of images, got {text[:40].decode(errors='replace')!r}")
    return int(text)


def _columns(
    path: Path, numbered: Iterator[tuple[int, bytes]], expected: tuple[str, ...] | None, *, comma: bool
) -> tuple[tuple[str, ...], Sequence[int]]:
    """Read the line of column names: those of the values, and the places of the image's name and of each value."""
    number, line = next(numbered, (2, b""))
    text = _text(path, number, line.removeprefix(b"\xef\xbb\xbf"))
    there = [name.strip() for name in text.strip().split(",")] if comma else text.split()
    if not comma and IMAGE not in there:
        there = [IMAGE, *there]
    for name, times in Counter(there).items():
        if times > 1:
            raise InputError(f"{path}:{number}: column {name!r} occurs twice")
    columns = tuple(name for name in there if name != IMAGE) if expected is None else expected
    for name in (IMAGE, *columns):
        if name not in there:
            raise InputError(
                f"{path}:{number}: no column {name!r}{nearest(name, there)}; columns are read by their names: name it "
                "so, if it is there under another name"
            )
    if not columns:
        raise InputError(f"{path}:{number}: expected a line of column names")
    if further := [name for name in there if name not in (IMAGE, *columns)]:
        raise InputError(f"{path}:{number}: unknown column {further[0]!r}; expected {', '.join((IMAGE, *columns))}")
    return columns, [there.index(name) for name in (IMAGE, *columns)]


def _text(path: Path, number: int, cell: bytes) -> str:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path}:{number}: not UTF-8: {cell[:40]!r}") from None
