"""CelebA's folder layout as its authors, torchvision and Kaggle distribute it: reader and writer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.describe import SPLITS
from bincam.data.readers import celeba_labels
from bincam.errors import InputError

Variant = Literal["aligned", "wild"]

_FOLDERS = {"aligned": "img_align_celeba", "wild": "img_celeba"}
_LANDMARKS = {"aligned": "list_landmarks_align_celeba", "wild": "list_landmarks_celeba"}
# CelebA itself has boxes for the original photographs only; boxes of aligned images get another file name.
_BOXES = {"aligned": "list_bbox_align_celeba", "wild": "list_bbox_celeba"}
# Anno, Eval and Img are the folders of the authors' archive; torchvision unpacks into celeba/.
_PLACES = ("", "celeba", "Anno", "Eval", "Img")


def celeba(root: str | os.PathLike[str], *, variant: Variant | None = None) -> AttributeTable:
    """Read a folder in CelebA's layout.

    The attribute list and the images are required; partition, landmarks, boxes and identities are optional. Each file
    may be in ``root`` itself, in ``root/celeba`` (torchvision), or in ``root/Anno``, ``root/Eval`` and ``root/Img``
    (the authors' archive), as ``.txt`` or as Kaggle's ``.csv``.

    Args:
        root: The folder.
        variant: ``"aligned"`` for ``img_align_celeba`` with the landmarks of the aligned images, ``"wild"`` for
            ``img_celeba`` with the landmarks and boxes of the original photographs; None for the one that exists.

    Returns:
        The table, with the official splits if the partition file exists. CelebA's own boxes belong to the original
        photographs and are read for ``"wild"`` only; boxes of aligned images are in bincam's
        ``list_bbox_align_celeba.txt``.

    Raises:
        InputError: Something is missing or malformed, with file and line.

    Example:
        ``write_celeba`` has an example that writes a folder and reads it back.
    """
    base = Path(root)
    if not base.is_dir():
        raise InputError(f"{base}: no such folder")
    variant = variant or ("wild" if _images(base, "aligned") is None and _images(base, "wild") else "aligned")
    images = _images(base, variant)
    if images is None:
        raise InputError(
            f"{base}: no folder {_FOLDERS[variant]!r} with images; data/README.md describes where to place CelebA"
        )
    attribute_file = _find(base, "list_attr_celeba")
    if attribute_file is None:
        raise InputError(
            f"{base}: neither list_attr_celeba.txt nor list_attr_celeba.csv; data/README.md describes where to get it"
        )
    attributes = celeba_labels.read_attributes(attribute_file)
    ids = tuple(attributes.lines)
    present = {entry.name for entry in os.scandir(images)}
    for name, line in attributes.lines.items():
        if name not in present and not (images / name).is_file():
            raise InputError(f"{attribute_file}:{line}: image {name!r} is not in {images}")

    optional: dict[str, Any] = {}
    if file := _find(base, "list_eval_partition"):
        codes = celeba_labels.read_partition(file).aligned(ids, attribute_file.name)[:, 0].astype(np.intp)
        optional["splits"] = np.asarray(SPLITS)[codes]
    if file := _find(base, "identity_CelebA"):
        rows, names = celeba_labels.read_identities(file)
        optional["identities"] = names[rows.aligned(ids, attribute_file.name)[:, 0].astype(np.intp)]
    if file := _find(base, _LANDMARKS[variant]):
        optional["landmarks"] = celeba_labels.read_landmarks(file).aligned(ids, attribute_file.name).reshape(-1, 5, 2)
    if file := _find(base, _BOXES[variant]):
        optional["boxes"] = celeba_labels.read_boxes(file).aligned(ids, attribute_file.name)
    return AttributeTable(attributes.columns, attributes.values, ids, images, source=str(base), **optional)


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
    celeba_labels.write_attributes(base / "list_attr_celeba.txt", ids, table.names, table.labels)
    if (table.splits != "").any():
        celeba_labels.write_partition(base / "list_eval_partition.txt", ids, table.splits.tolist())
    if table.identities is not None:
        celeba_labels.write_identities(base / "identity_CelebA.txt", ids, table.identities.tolist())
    if table.landmarks is not None:
        celeba_labels.write_landmarks(base / f"{_LANDMARKS[variant]}.txt", ids, table.landmarks)
    if table.boxes is not None:
        celeba_labels.write_boxes(base / f"{_BOXES[variant]}.txt", ids, table.boxes)


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
    folder = Path(root) / _FOLDERS[variant]
    folder.mkdir(parents=True, exist_ok=True)
    pending = iter(images)
    for row, name in enumerate(table.ids):
        try:
            picture = next(pending)
        except StopIteration:
            raise InputError(f"{row} images for a table of {len(table)} rows; there is none for {name!r}") from None
        _write_image(folder / name, picture)
    if next(pending, None) is not None:
        raise InputError(f"more images than the table's {len(table)} rows")
    write_labels(table, root, variant=variant)
    return celeba(root, variant=variant)


def _write_image(file: Path, picture: Any) -> None:
    from PIL import Image

    from bincam.files import atomic

    with atomic(file) as part:
        if isinstance(picture, bytes):
            part.write_bytes(picture)
        elif isinstance(picture, str | os.PathLike):
            part.write_bytes(Path(picture).read_bytes())
        else:
            image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
            image.save(part, quality=95)


def _find(base: Path, stem: str) -> Path | None:
    for place in _PLACES:
        for suffix in (".txt", ".csv"):
            if (file := base / place / f"{stem}{suffix}").is_file():
                return file
    return None


def _images(base: Path, variant: Variant) -> Path | None:
    name = _FOLDERS[variant]
    for place in _PLACES:
        folder = base / place / name
        if folder.is_dir():
            inner = folder / name  # Kaggle's archive has one folder level more
            return inner if inner.is_dir() else folder
    return None
