"""Reader of CelebA's folder layout as its authors, torchvision and Kaggle distribute it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.class_sets import add_sets
from bincam.data.describe import SPLITS
from bincam.data.readers import celeba_labels
from bincam.data.readers.arguments import keeping_arguments
from bincam.data.stated_sets import Invalid, StatedSets
from bincam.errors import InputError
from bincam.files import names_in

Variant = Literal["aligned", "wild"]

FOLDERS = {"aligned": "img_align_celeba", "wild": "img_celeba"}
LANDMARK_FILES = {"aligned": "list_landmarks_align_celeba", "wild": "list_landmarks_celeba"}
# CelebA itself has boxes for the original photographs only; boxes of aligned images get another file name.
BOX_FILES = {"aligned": "list_bbox_align_celeba", "wild": "list_bbox_celeba"}
# Anno, Eval and Img are the folders of the authors' archive; torchvision unpacks into celeba/.
_PLACES = ("", "celeba", "Anno", "Eval", "Img")


@keeping_arguments
def celeba(
    root: str | os.PathLike[str],
    *,
    variant: Variant | None = None,
    one_of: Mapping[str, Sequence[str]] | None = None,
    one_of_rest: Mapping[str, str] | None = None,
    one_of_invalid: Invalid = "refuse",
) -> AttributeTable:
    r"""Read a folder in CelebA's layout; ``write_celeba`` writes one.

    The attribute list and the images are required; partition, landmarks, boxes and identities are optional. Each file
    may be in ``root`` itself, in ``root/celeba`` (torchvision), or in ``root/Anno``, ``root/Eval`` and ``root/Img``
    (the authors' archive), as ``.txt`` or as Kaggle's ``.csv``.

    Args:
        root: The folder.
        variant: ``"aligned"`` for ``img_align_celeba`` with the landmarks of the aligned images, ``"wild"`` for
            ``img_celeba`` with the landmarks and boxes of the original photographs; None for the one that exists.
        one_of: Sets of attributes of which exactly one is true in every image, by the name of the set; see ``table``.
        one_of_rest: Name of a set to the name of a further output, true in images in which none of its attributes is.
        one_of_invalid: ``"refuse"`` images in which a set has no true label or several, or read all labels of the set
            there as ``"unknown"``, with a warning that counts them.

    Returns:
        The table, with the official splits if the partition file exists. CelebA's own boxes belong to the original
        photographs and are read for ``"wild"`` only; boxes of aligned images are in bincam's
        ``list_bbox_align_celeba.txt``.

    Raises:
        InputError: Something is missing or malformed, with file and line.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> with TemporaryDirectory() as folder:
        ...     images = Path(folder, "img_align_celeba")
        ...     images.mkdir()
        ...     (images / "000001.jpg").touch()
        ...     _ = Path(folder, "list_attr_celeba.txt").write_text("1\nBald Male\n000001.jpg -1  1\n")
        ...     faces = data.celeba(folder)
        >>> faces.names, faces.labels.tolist()
        (('Bald', 'Male'), [[0.0, 1.0]])
    """
    base = Path(root)
    if not base.is_dir():
        raise InputError(f"{base}: no such folder")
    variant = variant or ("wild" if _images(base, "aligned") is None and _images(base, "wild") else "aligned")
    images = _images(base, variant)
    if images is None:
        raise InputError(
            f"{base}: no folder {FOLDERS[variant]!r} with images; data/README.md describes where to place CelebA"
        )
    attribute_file = _find(base, "list_attr_celeba")
    if attribute_file is None:
        raise InputError(
            f"{base}: neither list_attr_celeba.txt nor list_attr_celeba.csv; data/README.md describes where to get it"
        )
    stated = StatedSets.of(one_of, None, one_of_rest, one_of_invalid)
    attributes = celeba_labels.read_attributes(attribute_file)
    ids = tuple(attributes.lines)
    present = set(names_in(images))
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
    if file := _find(base, LANDMARK_FILES[variant]):
        optional["landmarks"] = celeba_labels.read_landmarks(file).aligned(ids, attribute_file.name).reshape(-1, 5, 2)
    if file := _find(base, BOX_FILES[variant]):
        optional["boxes"] = celeba_labels.read_boxes(file).aligned(ids, attribute_file.name)
    columns, labels = attributes.columns, attributes.values
    if stated:
        columns, labels, optional["one_of"] = add_sets(
            stated, columns, labels, {}, lambda row: f"{attribute_file}:{attributes.lines[ids[row]]}", str(base)
        )
    meaning = ("labels: -1 = no, 1 = yes",)
    return AttributeTable(columns, labels, ids, images, source=str(base), meaning=meaning, **optional)


def _find(base: Path, stem: str) -> Path | None:
    for place in _PLACES:
        for suffix in (".txt", ".csv"):
            if (file := base / place / f"{stem}{suffix}").is_file():
                return file
    return None


def _images(base: Path, variant: Variant) -> Path | None:
    name = FOLDERS[variant]
    for place in _PLACES:
        folder = base / place / name
        if folder.is_dir():
            inner = folder / name  # Kaggle's archive has one folder level more
            return inner if inner.is_dir() else folder
    return None
