"""Writer of CelebA's folder layout, in the exact text format of the original label files.

Labels are right-aligned to two columns, landmarks and boxes to three.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.describe import SPLITS
from bincam.data.readers.celeba_labels import BOX_COLUMNS, LANDMARK_COLUMNS, PathLike
from bincam.data.readers.faces.celeba import BOX_FILES, FOLDERS, LANDMARK_FILES, Variant, celeba
from bincam.display import counted
from bincam.errors import InputError
from bincam.files import atomic


def write_labels(table: AttributeTable, root: str | os.PathLike[str], *, variant: Variant = "aligned") -> None:
    """Write the label files of a table in CelebA's layout; columns that the table does not have are omitted.

    Landmarks and boxes are rounded to whole pixels, as CelebA's are.

    Args:
        table: The table.
        root: The folder.
        variant: Whether landmarks and boxes belong to the aligned images or to the original photographs (``"wild"``).

    Raises:
        InputError: The format cannot represent the table: an unknown label, an image in no split while others are in
            one, a missing landmark, a name with a blank, group columns.

    Example:
        >>> import os
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from bincam.data import AttributeTable, write_labels
        >>> faces = AttributeTable(("Smiling",), np.array([[1], [0]]), ("a.jpg", "b.jpg"), "photos")
        >>> with TemporaryDirectory() as folder:
        ...     write_labels(faces, folder)
        ...     os.listdir(folder)
        ['list_attr_celeba.txt']
    """
    base, ids = Path(root), table.ids
    if table.groups:
        raise InputError(
            f"CelebA's layout has no group columns ({', '.join(table.groups)}); write them to a separate CSV file"
        )
    write_attributes(base / "list_attr_celeba.txt", ids, table.names, table.labels)
    if (table.splits != "").any():
        write_partition(base / "list_eval_partition.txt", ids, table.splits.tolist())
    if table.identities is not None:
        write_identities(base / "identity_CelebA.txt", ids, table.identities.tolist())
    if table.landmarks is not None:
        write_landmarks(base / f"{LANDMARK_FILES[variant]}.txt", ids, table.landmarks)
    if table.boxes is not None:
        write_box_table(base / f"{BOX_FILES[variant]}.txt", ids, table.boxes)


def write_celeba(
    table: AttributeTable, images: Iterable[Any], root: str | os.PathLike[str], *, variant: Variant = "aligned"
) -> AttributeTable:
    """Write a folder in CelebA's layout: the images one at a time, then the label files.

    Args:
        table: The table; ``celeba(root)`` reads it back.
        images: One per row, in order: a file's path or its bytes (copied unchanged), an ``(H, W)`` or ``(H, W, 3)``
            uint8 array, or a pillow image (encoded by the suffix of the row's id, JPEG at quality 95).
        root: The folder; created if missing.
        variant: Which of CelebA's two image folders and landmark files to write.

    Returns:
        The table as read back from ``root``.

    Raises:
        InputError: There are fewer or more images than rows, or ``write_labels`` refuses the table.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from bincam.data import AttributeTable, celeba, write_celeba
        >>> faces = AttributeTable(("Smiling",), np.array([[1], [0]]), ("a.jpg", "b.jpg"), "photos")
        >>> images = np.zeros((2, 218, 178, 3), np.uint8)
        >>> with TemporaryDirectory() as folder:
        ...     _ = write_celeba(faces, images, folder)
        ...     celeba(folder).labels.tolist()
        [[1.0], [0.0]]
    """
    folder = Path(root) / FOLDERS[variant]
    folder.mkdir(parents=True, exist_ok=True)
    pending = iter(images)
    for row, name in enumerate(table.ids):
        try:
            picture = next(pending)
        except StopIteration:
            raise InputError(
                f"{counted(row, 'image')} for a table of {counted(len(table), 'row')}; there is none for {name!r}"
            ) from None
        _write_image(folder / name, picture)
    if next(pending, None) is not None:
        raise InputError(f"more images than the table's {len(table)} rows")
    write_labels(table, root, variant=variant)
    return celeba(root, variant=variant)


def write_attributes(file: PathLike, ids: Iterable[str], names: Sequence[str], labels: NDArray[np.float32]) -> None:
    """Write ``list_attr_celeba.txt``.

    Args:
        file: The file.
        ids: N image names.
        names: The A attributes.
        labels: ``(N, A)``: 1 or 0.

    Raises:
        InputError: A label is unknown, which the format cannot represent, or a name contains a blank.
    """
    rows = list(ids)
    for name in names:
        _check_word("attribute", name)
    values = np.asarray(labels)
    if values.shape != (len(rows), len(names)):
        raise InputError(
            f"labels of {counted(len(rows), 'image')} and {counted(len(names), 'attribute')} have shape "
            f"{(len(rows), len(names))}, "
            f"got {values.shape}"
        )
    if not np.isin(values, (0, 1)).all():
        row, column = (int(i[0]) for i in np.nonzero(~np.isin(values, (0, 1))))
        raise InputError(
            f"{file}: label {names[column]!r} of {rows[row]!r} is {values[row, column]}; CelebA's format has -1 and 1 "
            "only: store unknown labels in a CSV or Parquet table and read it with bincam.data.table"
        )
    cells = ("".join(" %2d" % (1 if v else -1) for v in row) for row in values)  # noqa: UP031  # the field width is clear
    _write(file, rows, cells, head=[str(len(rows)), " ".join(names) + " "])


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
    rows, names = list(ids), [str(identity) for identity in identities]
    for name in names:
        _check_word("identity", name)
    _write(file, rows, (f" {name}" for name in names))


def write_landmarks(file: PathLike, ids: Iterable[str], points: NDArray[np.floating]) -> None:
    """Write ``list_landmarks_align_celeba.txt``.

    Args:
        file: The file.
        ids: N image names.
        points: ``(N, 5, 2)`` x, y in pixels, in the order of ``LANDMARKS``; rounded to whole pixels, as CelebA's are.
    """
    flat = np.asarray(points, np.float64).reshape(-1, len(LANDMARK_COLUMNS))
    _write_numbers(file, list(ids), flat, " ".join(LANDMARK_COLUMNS) + " ")


def write_box_table(file: PathLike, ids: Iterable[str], boxes: NDArray[np.floating]) -> None:
    """Write ``list_bbox_celeba.txt``: ``(N, 4)`` x, y, width, height, rounded to whole pixels."""
    _write_numbers(file, list(ids), np.asarray(boxes, np.float64), " ".join(("image_id", *BOX_COLUMNS)))


def _write_image(file: Path, picture: Any) -> None:
    from PIL import Image

    with atomic(file) as part:
        if isinstance(picture, bytes):
            part.write_bytes(picture)
        elif isinstance(picture, str | os.PathLike):
            part.write_bytes(Path(picture).read_bytes())
        else:
            image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
            image.save(part, quality=95)


def _write_numbers(file: PathLike, ids: list[str], values: NDArray[np.float64], header: str) -> None:
    if len(values) != len(ids):
        raise InputError(f"{file}: {counted(len(ids), 'image')} but {counted(len(values), 'row')}")
    if not np.isfinite(values).all():
        row = int(np.nonzero(~np.isfinite(values))[0][0])
        raise InputError(f"{file}: a value of {ids[row]!r} is unknown; CelebA's format needs a number for every image")
    pixels = np.rint(values).astype(np.int64)
    rows = ("".join(" %3d" % v for v in row) for row in pixels.tolist())  # noqa: UP031  # likewise
    _write(file, ids, rows, head=[str(len(ids)), header])


def _write(file: PathLike, ids: Sequence[str], values: Iterable[str], head: Sequence[str] = ()) -> None:
    for name in ids:
        _check_word("image name", name)
    with atomic(file) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{line}\n" for line in head)
        stream.writelines(f"{name}{row}\n" for name, row in zip(ids, values, strict=True))


def _check_word(kind: str, name: str) -> None:
    if not name or name.split() != [name]:
        raise InputError(f"{kind} {name!r} cannot be written in CelebA's format, which separates names by blanks")
