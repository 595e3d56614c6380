"""Listing of image files in a folder and below it, by their endings."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

from bincam.display import counted
from bincam.errors import BincamWarning, InputError

IMAGES = frozenset({".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".npy", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Endings of image files, in small letters."""
_SHORT = frozenset(ending for ending in IMAGES if len(ending) == 4)
LOOKED_AT = 50
"""Entries of a folder by which its layout is known."""


class Aside:
    """Files that are no images: their number, and the first of them."""

    def __init__(self) -> None:
        self.count, self.first = 0, ""

    def add(self, names: Sequence[str], folder: object) -> None:
        """Count files of a folder."""
        if names and not self.count:
            self.first = os.path.join(str(folder), min(names))  # noqa: PTH118  # of texts, as everything here
        self.count += len(names)

    def tell(self, source: object) -> None:
        """Warn of them, if there are any."""
        if self.count:
            warnings.warn(
                f"{source}: {counted(self.count, 'file')} left aside, because their names do not end like those of "
                f"images (first: {self.first})",
                BincamWarning,
                stacklevel=5,
            )


def entries_of(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, by name; nothing that begins with a dot."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from None


def is_image(name: str) -> bool:
    """True of a file that is an image by its ending.

    >>> is_image("a.JPG"), is_image("Thumbs.db")
    (True, False)
    """
    return name[name.rfind(".") :].lower() in IMAGES


def first_of(folder: str) -> list[os.DirEntry[str]]:
    """The first entries of a folder, in no order; nothing that begins with a dot."""
    with os.scandir(folder) as entries:
        return [entry for entry, _ in zip(entries, range(LOOKED_AT), strict=False) if not entry.name.startswith(".")]


def images_below(folder: str, prefix: str, aside: Aside, above: tuple[tuple[int, int], ...] = ()) -> list[str]:
    """The names of the images in a folder and in those below it, sorted, each with the prefix before it."""
    try:
        every = os.listdir(folder)  # noqa: PTH208  # a third of the time of entries, of which images need nothing more
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from None
    names = [prefix + name for name in every if (name[-4:] in _SHORT or is_image(name)) and name[0] != "."]
    others = [name for name in every if not is_image(name) and name[0] != "."] if len(names) < len(every) else []
    inner = [name for name in others if os.path.isdir(f"{folder}/{name}")]  # noqa: PTH112
    others = sorted({*others}.difference(inner))
    names.sort()
    aside.add(others, folder)
    if inner:
        state = os.stat(folder)  # noqa: PTH116
        here = (state.st_dev, state.st_ino)
        if here in above:
            raise InputError(f"{folder}: a link to a folder above it; remove it")
        for name in sorted(inner):
            names += images_below(f"{folder}/{name}", f"{prefix}{name}/", aside, (*above, here))
    return names
