"""CelebA's label files, line by line: readers that name file and line, writers that give the same bytes again.

A text file has, where its authors gave it one, a line with the number of images, then a line of column names, then one
line per image: the image's name and its values, between blanks. The CSV forms (Kaggle's) have a header and commas.
Written files carry the layout of the originals: labels right-aligned to two columns, points and boxes to three.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import LANDMARKS
from bincam.data.describe import SPLITS
from bincam.errors import InputError
from bincam.files import atomic

PathLike = str | os.PathLike[str]

LANDMARK_COLUMNS: tuple[str, ...] = tuple(f"{point}_{axis}" for point in LANDMARKS for axis in "xy")
BOX_COLUMNS: tuple[str, ...] = ("x_1", "y_1", "width", "height")
_LABELS = {b"1": b"\x01", b"-1": b"\x00"}


@dataclass(frozen=True)
class Rows:
    """What one label file says.

    Attributes:
        file: The file.
        columns: The value columns' names; empty where the file has no header.
        lines: Image name to line number, in the file's order.
        values: One row per image, in that order.
    """

    file: Path
    columns: tuple[str, ...]
    lines: dict[str, int]
    values: NDArray[np.float32]

    def aligned(self, ids: Sequence[str], asked_by: str) -> NDArray[np.float32]:
        """The rows of these images, in their order; further rows are left out.

        Raises:
            InputError: An image has no line.
        """
        if len(ids) == len(self.lines) and all(map(str.__eq__, ids, self.lines)):
            return self.values
        place = {name: i for i, name in enumerate(self.lines)}
        for name in ids:
            if name not in place:
                raise InputError(f"{self.file}: no line for image {name!r}, which {asked_by} names")
        return self.values[[place[name] for name in ids]]


def read_attributes(file: PathLike) -> Rows:
    """Read ``list_attr_celeba.txt`` or ``.csv``; values become 1 and 0.

    Raises:
        InputError: A wrong count, a row of another length, a label that is not -1 or 1, a name given twice, or text
            that is not UTF-8, with file and line.
    """
    flags = bytearray()

    def take(values: list[bytes]) -> None:
        flags.extend(b"".join(map(_LABELS.__getitem__, values)))

    path, columns, lines = _read(file, take, counted=True, header=True, width=None, expected="a label is -1 or 1")
    labels = np.frombuffer(flags, np.uint8).reshape(len(lines), len(columns)).astype(np.float32)
    return Rows(path, columns, lines, labels)


def read_landmarks(file: PathLike) -> Rows:
    """Read ``list_landmarks_align_celeba.txt``, ``list_landmarks_celeba.txt`` or the CSV: ten numbers per image."""
    return _numbers(file, counted=True, header=True, names=LANDMARK_COLUMNS)


def read_boxes(file: PathLike) -> Rows:
    """Read ``list_bbox_celeba.txt`` or the CSV: x, y, width, height."""
    return _numbers(file, counted=True, header=True, names=("image_id", *BOX_COLUMNS))


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
    """Read ``identity_CelebA.txt``: who is in each image.

    Returns:
        The rows, whose values are row numbers, and ``(N,)`` identities as written.
    """
    names: list[str] = []

    def take(values: list[bytes]) -> None:
        names.append(values[0].decode())

    path, columns, lines = _read(
        file, take, counted=False, header=Path(file).suffix == ".csv", width=1, expected="an identity is one word"
    )
    order = np.arange(len(names), dtype=np.float32)[:, None]
    return Rows(path, columns, lines, order), np.asarray(names, np.str_)


def write_attributes(file: PathLike, ids: Iterable[str], names: Sequence[str], labels: NDArray[np.float32]) -> None:
    """Write ``list_attr_celeba.txt``.

    Args:
        file: Where to.
        ids: N image names.
        names: The A attributes.
        labels: ``(N, A)``: 1 or 0.

    Raises:
        InputError: A label is unknown (the format has no place for that), or a name contains a blank.
    """
    rows = list(ids)
    for name in names:
        _word("attribute", name)
    known = np.asarray(labels)
    if known.shape != (len(rows), len(names)):
        raise InputError(f"labels of {len(rows)} images and {len(names)} attributes have shape {known.shape}")
    if not np.isin(known, (0, 1)).all():
        row, column = (int(i[0]) for i in np.nonzero(~np.isin(known, (0, 1))))
        raise InputError(
            f"{file}: label {names[column]!r} of {rows[row]!r} is {known[row, column]}; CelebA's format has -1 and 1 "
            "only: keep unknown labels in a CSV or Parquet table and read it with bincam.data.table"
        )
    values = ("".join(" %2d" % (1 if v else -1) for v in row) for row in known)  # noqa: UP031  # one width, one place
    _write(file, rows, values, head=[str(len(rows)), " ".join(names) + " "])


def write_partition(file: PathLike, ids: Iterable[str], splits: Iterable[str]) -> None:
    """Write ``list_eval_partition.txt``; every image must be in one of the three splits."""
    codes = {name: f" {code}" for code, name in enumerate(SPLITS)}
    rows, names = list(ids), list(splits)
    for name, split in zip(rows, names, strict=True):
        if split not in codes:
            raise InputError(f"{file}: image {name!r} is in split {split!r}; CelebA's format has {', '.join(SPLITS)}")
    _write(file, rows, (codes[split] for split in names))


def write_identities(file: PathLike, ids: Iterable[str], identities: Iterable[object]) -> None:
    """Write ``identity_CelebA.txt``; an identity is a number or one word."""
    rows, names = list(ids), [str(one) for one in identities]
    for name in names:
        _word("identity", name)
    _write(file, rows, (f" {name}" for name in names))


def write_landmarks(file: PathLike, ids: Iterable[str], points: NDArray[np.floating]) -> None:
    """Write ``list_landmarks_align_celeba.txt``.

    Args:
        file: Where to.
        ids: N image names.
        points: ``(N, 5, 2)`` x, y in pixels, in the order of ``LANDMARKS``; rounded to whole pixels, as CelebA's are.
    """
    flat = np.asarray(points, np.float64).reshape(-1, len(LANDMARK_COLUMNS))
    _write_numbers(file, list(ids), flat, " ".join(LANDMARK_COLUMNS) + " ")


def write_boxes(file: PathLike, ids: Iterable[str], boxes: NDArray[np.floating]) -> None:
    """Write ``list_bbox_celeba.txt``: ``(N, 4)`` x, y, width, height, rounded to whole pixels."""
    _write_numbers(file, list(ids), np.asarray(boxes, np.float64), " ".join(("image_id", *BOX_COLUMNS)))


def _numbers(file: PathLike, *, counted: bool, header: bool, names: tuple[str, ...]) -> Rows:
    numbers = array("f")

    def take(values: list[bytes]) -> None:
        numbers.extend(map(float, values))

    width = len(names) - (names[0] == "image_id")
    path, columns, lines = _read(
        file, take, counted=counted, header=header, width=width, expected=f"{width} numbers per image"
    )
    values = np.frombuffer(numbers, np.float32).reshape(len(lines), width)
    if not np.isfinite(values).all():
        bad = list(lines)[int(np.nonzero(~np.isfinite(values))[0][0])]
        raise InputError(f"{path}:{lines[bad]}: a value of {bad!r} is not a finite number")
    return Rows(path, columns, lines, values)


def _read(
    file: PathLike,
    take: Callable[[list[bytes]], None],
    *,
    counted: bool,
    header: bool,
    width: int | None,
    expected: str,
) -> tuple[Path, tuple[str, ...], dict[str, int]]:
    """Walk a label file once, in constant memory beside what ``take`` keeps."""
    path = Path(file)
    comma = path.suffix == ".csv"
    lines: dict[str, int] = {}
    columns: tuple[str, ...] = ()
    try:
        with path.open("rb") as stream:
            numbered = enumerate(stream, 1)
            count = _count(path, numbered) if counted and not comma else None
            if header:
                columns = _header(path, numbered, comma)
                width = len(columns) if width is None else width
            number = 0
            for number, line in numbered:
                cells = [cell.strip() for cell in line.split(b",")] if comma else line.split()
                if not cells or cells == [b""]:
                    continue
                if len(cells) - 1 != width:
                    raise InputError(
                        f"{path}:{number}: {len(cells) - 1} values after the image's name, expected {width}"
                    )
                name = _text(path, number, cells[0].removeprefix(b"\xef\xbb\xbf") if number == 1 else cells[0])
                if name in lines:
                    raise InputError(f"{path}:{number}: image {name!r} already stands in line {lines[name]}")
                lines[name] = number
                try:
                    take(cells[1:])
                except (KeyError, ValueError) as error:
                    what = error.args[0]
                    shown = what.decode(errors="replace") if isinstance(what, bytes) else what
                    raise InputError(f"{path}:{number}: {shown!r} for image {name!r}; {expected}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if count is not None and count != len(lines):
        raise InputError(f"{path}:1: the count line says {count} images, but {len(lines)} follow (to line {number})")
    if not lines:
        raise InputError(f"{path}: no images in it")
    return path, columns, lines


def _count(path: Path, numbered: Iterator[tuple[int, bytes]]) -> int:
    number, line = next(numbered, (1, b""))
    text = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not text.isdigit():
        raise InputError(f"{path}:{number}: expected the number of images, got {text[:40].decode(errors='replace')!r}")
    return int(text)


def _header(path: Path, numbered: Iterator[tuple[int, bytes]], comma: bool) -> tuple[str, ...]:
    number, line = next(numbered, (2, b""))
    text = _text(path, number, line.removeprefix(b"\xef\xbb\xbf"))
    names = [name.strip() for name in text.strip().split(",")][1:] if comma else text.split()
    if not names:
        raise InputError(f"{path}:{number}: expected a line of column names")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}:{number}: column {name!r} occurs twice")
    return tuple(names)


def _text(path: Path, number: int, cell: bytes) -> str:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path}:{number}: not UTF-8: {cell[:40]!r}") from None


def _word(what: str, name: str) -> None:
    if not name or name.split() != [name]:
        raise InputError(f"{what} {name!r} cannot be written in CelebA's format, which separates names by blanks")


def _write_numbers(file: PathLike, ids: list[str], values: NDArray[np.float64], header: str) -> None:
    if len(values) != len(ids):
        raise InputError(f"{file}: {len(ids)} images but {len(values)} rows")
    if not np.isfinite(values).all():
        row = int(np.nonzero(~np.isfinite(values))[0][0])
        raise InputError(f"{file}: a value of {ids[row]!r} is unknown; CelebA's format has a number for every image")
    whole = np.rint(values).astype(np.int64)
    rows = ("".join(" %3d" % v for v in row) for row in whole.tolist())  # noqa: UP031  # one width, one place
    _write(file, ids, rows, head=[str(len(ids)), header])


def _write(file: PathLike, ids: Sequence[str], values: Iterable[str], head: Sequence[str] = ()) -> None:
    for name in ids:
        _word("image name", name)
    with atomic(file) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{line}\n" for line in head)
        stream.writelines(f"{name}{row}\n" for name, row in zip(ids, values, strict=True))
