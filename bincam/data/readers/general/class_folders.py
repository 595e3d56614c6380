"""Reader of folders of images whose names are classes, with or without folders of splits above them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.class_sets import by_size, one_hot
from bincam.data.readers.arguments import reader_of
from bincam.data.readers.general.image_files import LOOKED_AT, Aside, entries_of, first_of, images_below, is_image
from bincam.data.readers.table_cells import split_name
from bincam.data.stated_sets import output_name
from bincam.errors import InputError, nearest

_NO_CLASSES = {"annotations", "images", "img", "imgs", "jpegimages", "labels", "masks"}
"""Folders that other layouts have within a split."""


@reader_of("class_folders")
def class_folders(
    root: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = None,
    set_name: str = "class",
    splits: bool | None = None,
) -> AttributeTable:
    r"""Read ``split/class/image`` or ``class/image``; what is deeper in the folder of a class belongs to that class.

    The classes are one set of outputs, sorted by name, with numbers in names by size. An image's name is its path below
    ``root``. Files that are no images by their ending are left aside, with a warning that counts them; names that begin
    with a dot are not looked at.

    Args:
        root: The folder.
        classes: The classes, in order. Without them they are the folders of training, or of everything where there are
            no splits; every class then has an image, and no other split has another class.
        set_name: Name of the set.
        splits: Whether the uppermost folders are splits; None if each of them is named like one: ``train``,
            ``training``, ``val``, ``valid``, ``validation`` or ``test``.

    Raises:
        InputError: An image lies in no folder of a class, two classes differ in the case of letters alone, or classes
            are not as ``classes`` says.

    Warns:
        BincamWarning: Files are left aside.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam import data
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("train/cat/1.jpg", "train/dog/1.jpg", "test/dog/old/2.jpg"):
        ...         Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        ...         Path(folder, name).touch()
        ...     pets = data.load(folder)
        >>> pets.one_of, pets.counts(), pets.ids[-1]
        ({'class': ('class=cat', 'class=dog')}, {'train': 2, 'test': 1}, 'train/dog/1.jpg')
    """
    base = Path(root)
    if not base.is_dir():
        raise InputError(f"{base}: no folder; class_folders reads folders of images")
    top = [entry.name for entry in entries_of(str(base)) if entry.is_dir()]
    in_splits = bool(top) and all(split_name(name) for name in top) if splits is None else splits
    found: dict[tuple[str, str], list[str]] = {}
    aside = Aside()
    for name in top if in_splits else [""]:
        split = split_name(name) if in_splits else ""
        if split is None:
            raise InputError(
                f"{base / name}: is not named like a split (train, val, test), but the uppermost folders are stated to "
                "be splits; rename it, or leave out splits"
            )
        for label, images in _classes(base, name, aside):
            found.setdefault((split or "", label), []).extend(images)
    aside.add([e.name for e in entries_of(str(base)) if in_splits and not e.is_dir()], base)
    names = _order(base, found, classes, in_splits)
    aside.tell(base)
    code = {name: position for position, name in enumerate(names)}
    parts = [(split, code[label], images) for (split, label), images in found.items() if images]
    counts = [len(images) for _, _, images in parts]
    outputs = tuple(output_name(set_name, name) for name in names)
    extra: dict[str, Any] = {}
    if in_splits:
        extra["splits"] = np.repeat(np.array([split for split, _, _ in parts], np.str_), counts)
    return AttributeTable(
        names=outputs,
        labels=one_hot(np.repeat([position for _, position, _ in parts], counts), len(names)),
        ids=tuple(chain.from_iterable(images for _, _, images in parts)),
        root=base,
        one_of={set_name: outputs},
        source=str(base),
        meaning=(f"{set_name}: the folder that an image is in{', below that of its split' if in_splits else ''}",),
        **extra,
    )


def recognise(path: Path) -> bool:
    """True of a folder of splits, ``train`` among them, in which there are only folders, the first with images."""
    if not path.is_dir():
        return False
    top = [entry for entry in entries_of(str(path)) if entry.is_dir()]
    if not 1 <= len(top) <= LOOKED_AT or "train" not in [split_name(entry.name) for entry in top]:
        return False
    if not all(split_name(entry.name) and _holds_folders(first_of(entry.path)) for entry in top):
        return False
    return any(_holds_classes(entry.path) for entry in top if split_name(entry.name) == "train")


def holds_classes(path: Path) -> bool:
    """True of a folder that may be one of classes: only folders are in it, the first few of them with images."""
    return path.is_dir() and _holds_classes(str(path))


def _holds_classes(folder: str) -> bool:
    entries = first_of(folder)
    inner = [entry for entry in entries if entry.is_dir()]
    return _holds_folders(entries) and any(is_image(entry.name) for one in inner[:3] for entry in first_of(one.path))


def _holds_folders(entries: Sequence[os.DirEntry[str]]) -> bool:
    """True of entries with folders that may be of classes, and no images."""
    inner = {entry.name.lower() for entry in entries if entry.is_dir()}
    return bool(inner) and not inner & _NO_CLASSES and not any(is_image(entry.name) for entry in entries)


def _classes(base: Path, below: str, aside: Aside) -> Iterator[tuple[str, list[str]]]:
    """The class folders in a folder, each with the names of its images relative to ``base``."""
    folder = base / below
    others = []
    for entry in entries_of(str(folder)):
        if entry.is_dir():
            prefix = f"{below}/{entry.name}/" if below else f"{entry.name}/"
            yield entry.name, images_below(entry.path, prefix, aside)
        elif is_image(entry.name):
            raise InputError(
                f"{entry.path}: an image in no folder of a class; class_folders reads class/image and split/class/image"
            )
        else:
            others.append(entry.name)
    aside.add(others, folder)


def _order(
    base: Path, found: dict[tuple[str, str], list[str]], classes: Sequence[str] | None, in_splits: bool
) -> list[str]:
    """The classes in order.

    Raises:
        InputError: A class is missing, has no image, or is one too many.
    """
    if not any(found.values()):
        raise InputError(f"{base}: no images in {'split/class/image' if in_splits else 'class/image'}")
    present = list(dict.fromkeys(label for _, label in found))
    by_lower: dict[str, str] = {}
    for label in present:
        if (other := by_lower.setdefault(label.casefold(), label)) != label:
            raise InputError(
                f"{base}: the classes {other!r} and {label!r} differ in the case of letters alone; rename the folder "
                "of one of them"
            )
    if classes is not None:
        for label in present:
            if label not in classes:
                raise InputError(f"{base}: folder {label!r} is none of the classes stated{nearest(label, classes)}")
        if len(set(classes)) < max(2, len(classes)):
            raise InputError(f"{base}: classes {', '.join(classes)}: expected at least two, each once")
        return list(classes)
    state = "state the classes (classes=, --data-option classes=A,B,...)"
    used = {split for split, _ in found}
    known = {label for split, label in found if split == ("train" if "train" in used else split)}
    for (split, label), images in found.items():
        if label not in known:
            raise InputError(
                f"{base}: split {split!r} has the class {label!r}, which training lacks{nearest(label, known)}; rename "
                f"or remove the folder, or {state}"
            )
        if not images and (split in ("train", "") or "train" not in used):
            where = f"split {split!r}: " if split else ""
            raise InputError(f"{base}: {where}class {label!r} has no image; remove its folder, or {state}")
    if len(known) < 2:
        raise InputError(f"{base}: the single class {min(known)!r}; of a set there are at least two: {state}")
    return list(by_size(known))
