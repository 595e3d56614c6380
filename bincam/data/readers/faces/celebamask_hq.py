"""Reader of CelebAMask-HQ: 30,000 faces of CelebA in 1024 x 1024 pixels, with masks of their parts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.attribute_table import AttributeTable
from bincam.data.readers import celeba_labels
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.coding import Coding
from bincam.data.readers.sources.lines import PathLike, fields_of, first_file
from bincam.data.regions.part_files import PartFiles
from bincam.data.regions.regions import Regions
from bincam.errors import InputError

LABELS = "CelebAMask-HQ-attribute-anno.txt"
IMAGES = "CelebA-HQ-img"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
MASKS = "CelebAMask-HQ-mask-anno"
_HAIR = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Straight_Hair", "Wavy_Hair", "Bangs")
_LIPS = ("u_lip", "l_lip")
PARTS: dict[str, tuple[str, ...]] = {
    "Eyeglasses": ("eye_g",),
    "Wearing_Hat": ("hat",),
    "Wearing_Earrings": ("ear_r",),
    "Wearing_Necklace": ("neck_l",),
    **dict.fromkeys(("Smiling", "Mouth_Slightly_Open"), ("mouth", *_LIPS)),
    **dict.fromkeys(("Big_Lips", "Wearing_Lipstick"), _LIPS),
    **dict.fromkeys(("Big_Nose", "Pointy_Nose"), ("nose",)),
    **dict.fromkeys(("Arched_Eyebrows", "Bushy_Eyebrows"), ("l_brow", "r_brow")),
    "Narrow_Eyes": ("l_eye", "r_eye"),
    **dict.fromkeys(_HAIR, ("hair",)),
    "Pale_Skin": ("skin", "nose"),
}
"""The parts in which an attribute is seen; those of the others, such as beards and cheeks, are not drawn."""
_TRAINED, _VALIDATED, _ALL = 162770, 182637, 202599
"""Last number of a file of CelebA in its training, validation and test split."""


@reader_of("celebamask_hq")
def celebamask_hq(root: str | os.PathLike[str], *, identities: str | os.PathLike[str] | None = None) -> AttributeTable:
    """Read a folder ``CelebAMask-HQ``; the splits are CelebA's, through the mapping of the images.

    Args:
        root: The folder, with ``CelebAMask-HQ-attribute-anno.txt`` and ``CelebA-HQ-img``; without
            ``CelebA-HQ-to-CelebA-mapping.txt`` there are no splits.
        identities: CelebA's ``identity_CelebA.txt``; the mapping says which person each image shows.

    Returns:
        The table. The masks of parts are ``--regions parts``.

    Raises:
        InputError: A file is missing or malformed, or the mapping contradicts itself, with file and line.
    """
    file = first_file(root, [LABELS], LABELS)
    images = first_file(root, [IMAGES], "folder of images")
    rows = celeba_labels.read_attributes(file)
    ids = tuple(rows.lines)
    extra: dict[str, Any] = {}
    mapping = Path(root) / MAPPING
    if mapping.is_file():
        numbers = _numbers_in_celeba(mapping, ids)
        extra["splits"] = np.where(
            numbers <= _TRAINED, "train", np.where(numbers <= _VALIDATED, "validation", "test")
        ).astype("U10")
        if identities is not None:
            people, names = celeba_labels.read_identities(identities)
            originals = [f"{number:06d}.jpg" for number in numbers.tolist()]
            extra["identities"] = names[people.aligned(originals, MAPPING)[:, 0].astype(np.intp)]
    elif identities is not None:
        raise InputError(f"{root}: no {MAPPING}, without which identities= cannot be assigned")
    return AttributeTable(
        rows.columns,
        rows.values,
        ids,
        images,
        source=str(root),
        meaning=(f"labels: {Coding.of('-1/1')}", *(("splits: those of CelebA",) if "splits" in extra else ())),
        **extra,
    )


def part_masks(root: str | os.PathLike[str]) -> Regions:
    """Take the masks of parts as regions of attributes: 512 x 512 pixels, stretched over images of 1024 x 1024.

    Args:
        root: The folder ``CelebAMask-HQ``, with ``CelebAMask-HQ-mask-anno``.

    Raises:
        InputError: There is no such folder.
    """
    folder = first_file(root, [MASKS], "folder of masks")
    return Regions({"": PartFiles(folder, PARTS, 2000)}, {}, str(folder), per_image=True)


def _numbers_in_celeba(file: PathLike, ids: tuple[str, ...]) -> NDArray[np.intp]:
    """The number of each image's file in CelebA, from 1; ``orig_idx`` counts from 0."""
    number_of: dict[str, int] = {}
    for place, cells in fields_of(file, 3, None, "idx, orig_idx and orig_file"):
        if cells == ["idx", "orig_idx", "orig_file"]:
            continue
        own, original, name = cells
        if not own.isdigit() or not original.isdigit() or name != f"{int(original) + 1:06d}.jpg":
            raise InputError(
                f"{place}: idx {own!r}, orig_idx {original!r} and orig_file {name!r} do not fit: orig_file is "
                "orig_idx + 1 in six digits"
            )
        if int(original) >= _ALL:
            raise InputError(f"{place}: CelebA has no image {name}; its last is {_ALL:06d}.jpg")
        number_of[f"{int(own)}.jpg"] = int(original) + 1
    if missing := next((name for name in ids if name not in number_of), None):
        raise InputError(f"{file}: no line for image {missing!r}, which {LABELS} lists")
    return np.array([number_of[name] for name in ids], np.intp)
