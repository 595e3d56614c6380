"""CelebA as its authors ship it, as torchvision unpacks it, and as the Kaggle CSVs; and folders written alike."""

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
# CelebA itself has boxes for the original photographs only; those of aligned images get a name of their own.
_BOXES = {"aligned": "list_bbox_align_celeba", "wild": "list_bbox_celeba"}
# The authors' own archive sorts the files into these; torchvision unpacks into celeba/.
_PLACES = ("", "celeba", "Anno", "Eval", "Img")


def celeba(root: str | os.PathLike[str], *, variant: Variant | None = None) -> AttributeTable:
    """Read a folder in CelebA's layout.

    The attribute list and the images must be there; partition, landmarks, boxes and identities are read where they
    are. Every file may lie in ``root`` itself, in ``root/celeba`` (torchvision), in ``root/Anno``, ``root/Eval`` and
    ``root/Img`` (the authors' archive), as ``.txt`` or as Kaggle's ``.csv``.

    Args:
        root: The folder.
        variant: ``"aligned"`` for ``img_align_celeba`` with the landmarks of the aligned images, ``"wild"`` for
            ``img_celeba`` with the landmarks and boxes of the original photographs; None takes the one that is there.

    Returns:
        The table, with the official splits where the partition is there. CelebA's own boxes belong to the original
        photographs and are read for ``"wild"`` only; ``list_bbox_align_celeba.txt`` (bincam's) has those of aligned
        images.

    Raises:
        InputError: Something is missing or malformed, with file and line.
    """
    base = Path(root)
    if not base.is_dir():
        raise InputError(f"{base}: no such folder")
    variant = variant or ("wild" if _images(base, "aligned") is None and _images(base, "wild") else "aligned")
    images = _images(base, variant)
    if images is None:
        raise InputError(
            f"{base}: no folder {_FOLDERS[variant]!r} with images; data/README.md says how to place CelebA"
        )
    listed = _find(base, "list_attr_celeba")
    if listed is None:
        raise InputError(
            f"{base}: neither list_attr_celeba.txt nor list_attr_celeba.csv; data/README.md says where from"
        )
    attributes = celeba_labels.read_attributes(listed)
    ids = tuple(attributes.lines)
    present = {entry.name for entry in os.scandir(images)}
    for name, line in attributes.lines.items():
        if name not in present and not (images / name).is_file():
            raise InputError(f"{listed}:{line}: image {name!r} is not in {images}")

    found: dict[str, Any] = {}
    if file := _find(base, "list_eval_partition"):
        codes = celeba_labels.read_partition(file).aligned(ids, listed.name)[:, 0].astype(np.intp)
        found["splits"] = np.asarray(SPLITS)[codes]
    if file := _find(base, "identity_CelebA"):
        rows, names = celeba_labels.read_identities(file)
        found["identities"] = names[rows.aligned(ids, listed.name)[:, 0].astype(np.intp)]
    if file := _find(base, _LANDMARKS[variant]):
        found["landmarks"] = celeba_labels.read_landmarks(file).aligned(ids, listed.name).reshape(-1, 5, 2)
    if file := _find(base, _BOXES[variant]):
        found["boxes"] = celeba_labels.read_boxes(file).aligned(ids, listed.name)
    return AttributeTable(attributes.columns, attributes.values, ids, images, source=str(base), **found)


def write_labels(table: AttributeTable, root: str | os.PathLike[str], *, variant: Variant = "aligned") -> None:
    """Write a table's label files in CelebA's layout; what the table does not have is not written.

    Landmarks and boxes are rounded to whole pixels, as CelebA's are.

    Raises:
        InputError: The format cannot hold something: an unknown label, an image in no split while others are in one, a
            missing landmark, a name with a blank, group columns.
    """
    base, ids = Path(root), table.ids
    if table.groups:
        raise InputError(f"CelebA's layout has no group columns ({', '.join(table.groups)}); write a CSV beside it")
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
    """Make a folder in CelebA's layout: images first, one at a time, then the label files.

    Args:
        table: What to write; ``celeba(root)`` gives it again.
        images: One per row, in order; each a file's path or its bytes (copied as they are), an ``(H, W)`` or
            ``(H, W, 3)`` uint8 array, or a pillow image (encoded by the suffix of the row's id, JPEG at quality 95).
        root: The folder; made if need be.
        variant: Which of CelebA's two image folders and landmark files to write.

    Returns:
        The table as read back from ``root``.

    Raises:
        InputError: There are fewer or more images than rows, or ``write_labels`` refuses the table.
    """
    folder = Path(root) / _FOLDERS[variant]
    folder.mkdir(parents=True, exist_ok=True)
    waiting = iter(images)
    for row, name in enumerate(table.ids):
        try:
            picture = next(waiting)
        except StopIteration:
            raise InputError(f"{row} images for a table of {len(table)}; {name!r} has none") from None
        _put(folder / name, picture)
    if next(waiting, None) is not None:
        raise InputError(f"more images than the table's {len(table)} rows")
    write_labels(table, root, variant=variant)
    return celeba(root, variant=variant)


def _put(file: Path, picture: Any) -> None:
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
            inner = folder / name  # Kaggle's archive unpacks one folder too deep
            return inner if inner.is_dir() else folder
    return None
