"""Folders whose changes are followed, as those of a local copy whose original is elsewhere.

Every file of bincam is written by ``bincam.files.atomic``, and those that a later reader may look for are removed by
``remove`` or ``remove_tree``: all three tell the follower.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

_followers: dict[Path, Follower] = {}


class Follower(Protocol):
    """Who is told of changes in a folder; an error that it raises is that of whoever made the change."""

    def written(self, file: Path) -> None:
        """A file was written, or written anew."""

    def removed(self, place: Path) -> None:
        """A file, or a folder with all that was in it, was removed."""


def follow(folder: Path, follower: Follower) -> None:
    """Have a follower told of all changes in a folder from now on, in place of a former one.

    Example:
        >>> from tempfile import mkdtemp
        >>> from bincam.files import atomic
        >>> class Teller:
        ...     def written(self, file):
        ...         print("written:", file.name)
        ...     def removed(self, place):
        ...         print("removed:", place.name)
        >>> folder = Path(mkdtemp())
        >>> follow(folder, Teller())
        >>> with atomic(folder / "notes.txt") as part:
        ...     _ = part.write_text("complete")
        written: notes.txt
        >>> remove(folder / "notes.txt")
        removed: notes.txt
    """
    _followers[_absolute(folder)] = follower


def follower_of(place: Path) -> Follower | None:
    """Find who follows the folder that a file or folder is in, or is."""
    if not _followers:
        return None
    own = _absolute(place)
    return next((_followers[folder] for folder in (own, *own.parents) if folder in _followers), None)


def followers() -> list[Follower]:
    """All who follow a folder of this process."""
    return list(_followers.values())


def tell_written(file: Path) -> None:
    """Tell the follower of a file that it was written; whom it cannot be told to has no such file either."""
    if (follower := follower_of(file)) is None:
        return
    try:
        follower.written(file)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def remove(file: Path) -> None:
    """Remove a file, if it is there, and tell its follower."""
    if not os.path.lexists(file):
        return
    file.unlink()
    if (follower := follower_of(file)) is not None:
        follower.removed(file)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as it can be removed, and tell its follower."""
    if not folder.is_dir():
        return
    shutil.rmtree(folder, ignore_errors=True)
    if (follower := follower_of(folder)) is not None:
        follower.removed(folder)


def _absolute(place: Path) -> Path:
    return Path(os.path.abspath(place))  # noqa: PTH100  # without a look at the disk, which resolve() takes
