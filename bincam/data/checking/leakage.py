"""People and pictures that are in several splits, by which a test measures what was memorised."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.containers.address import read_bytes, split
from bincam.data.describe import crossing
from bincam.display import counted
from bincam.errors import InputError
from bincam.one_of import true_outputs
from bincam.progress import track

_MANY = 5_000
_SPOT = 512
"""Bytes in the middle of a file by which most files are told apart without reading them whole."""


def split_leaks(
    table: AttributeTable,
    splits: Sequence[str],
    *,
    progress: Callable[[Iterable[int]], Iterable[int]] | None = None,
) -> list[str]:
    """Say in a sentence each if people, and if pictures, are in several of these splits.

    Args:
        table: The data set.
        splits: The splits that are used.
        progress: Wraps the iteration over the images, of which size and a few bytes are read; by default a progress bar
            where there are more than a few thousand.

    Returns:
        No sentence, one or two. Pictures are the same if their files are; ``bincam.data.check`` compares pixels.

    Example:
        >>> import numpy as np
        >>> from bincam.data import AttributeTable
        >>> faces = AttributeTable(
        ...     ("Bald",), np.ones((3, 1)), ("a.png", "b.png", "c.png"), "photos",
        ...     splits=np.array(["train", "test", "validation"]), identities=np.array(["ann", "ann", "ben"]),
        ... )
        >>> split_leaks(faces, ["train", "test"])
        ["photos: 1 person is in several of the splits train and test, so that faces may be recognised ...]
        >>> split_leaks(faces, ["train", "validation"])
        []
    """
    used = [name for name in dict.fromkeys(splits) if name]
    here = table.take(np.isin(table.splits, used))
    of = f"in several of the splits {', '.join(used[:-1])} and {used[-1]}" if len(used) > 1 else ""
    found: list[str] = []
    people = {} if people_are_classes(here) or not of else crossing(here.splits, here.identities)
    if people:
        found.append(
            f"{counted(len(people), 'person', 'people')} {'is' if len(people) == 1 else 'are'} {of}, so that faces may "
            "be recognised instead of attributes"  # without a name, because notes stand in reports
        )
    if progress is None:
        progress = (lambda rows: track(rows, "pictures in several splits")) if len(here) > _MANY else iter
    pictures = shared_pictures(here, progress) if of else []
    if pictures:
        first = " and ".join(repr(here.ids[row]) for row in pictures[0][:2])
        found.append(
            f"{counted(len(pictures), 'picture')} {'is' if len(pictures) == 1 else 'are'} {of} (first: {first}), so "
            "that answers may be remembered"
        )
    source = table.source or str(table.root)
    return [f"{source}: {text}; 'bincam data check {source}' lists all" for text in found]


def people_are_classes(table: AttributeTable) -> bool:
    """Return True if the classes of a set are the identities, which a model then has to know from training."""
    return any(_are_classes(table, members) for members in table.one_of.values())


def _are_classes(table: AttributeTable, members: tuple[str, ...]) -> bool:
    if table.identities is None:
        return False
    classes = true_outputs(table.labels[:, [table.index(member) for member in members]])
    known = (classes >= 0) & (table.identities != "")
    pairs = set(zip(classes[known].tolist(), table.identities[known].tolist(), strict=True))
    return len(pairs) == len({code for code, _ in pairs}) == len({identity for _, identity in pairs}) > 1


def shared_pictures(
    table: AttributeTable, progress: Callable[[Iterable[int]], Iterable[int]] = iter
) -> list[list[int]]:
    """Find files of equal content in several splits: a list of rows for each content.

    Files that cannot be read are told where they are needed.
    """
    alike: dict[Any, list[int]] = {}
    for row in progress(range(len(table))):
        if (spot := _spot(table.path(row))) is not None:
            alike.setdefault(spot, []).append(row)
    shared = []
    for rows in alike.values():
        if len({str(table.splits[row]) for row in rows}) > 1:
            equal: dict[bytes, list[int]] = {}
            for row in rows:
                equal.setdefault(hashlib.sha256(read_bytes(table.path(row))).digest(), []).append(row)
            shared += [same for same in equal.values() if len({str(table.splits[row]) for row in same}) > 1]
    return shared


def _spot(file: Path) -> tuple[int, int] | None:
    """Size of a file and a checksum of its middle; None if it cannot be read."""
    try:
        if split(file) is not None:
            content_of_member = read_bytes(file)
            middle = max(0, len(content_of_member) // 2 - _SPOT // 2)
            return len(content_of_member), crc32(content_of_member[middle : middle + _SPOT])
        with file.open("rb") as content:
            size = content.seek(0, 2)
            content.seek(max(0, size // 2 - _SPOT // 2))
            return size, crc32(content.read(_SPOT))
    except (OSError, InputError):
        return None
