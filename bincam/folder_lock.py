"""Locks of folders: one process at a time writes a folder, and a process that is killed leaves no lock behind.

The lock is the operating system's, on the folder itself (``flock``), and ends with the process. Where the system or the
file system has none (Windows, some network drives), folders are not locked.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from bincam.errors import InputError
from bincam.storage.address import refuse_address

_LEFT = re.compile(r"\.(?P<stem>.+)-[a-z0-9_]{8}(?P<suffix>\.[^.]*)?")
"""Names that ``bincam.files.atomic`` gives to a file that is being written."""
_guard = threading.RLock()
_held: dict[tuple[int, int], tuple[int, int]] = {}
"""Device and inode of a folder to the descriptor that locks it and how often this process has taken it."""


class TakenError(InputError):
    """Another process has taken a folder."""


class FolderLock:
    """A folder that this process has taken; ``take`` makes one. Leaving the block, or ``release``, gives it back.

    A folder that was made for the lock and is still empty is removed then. One process may take a folder several times.
    """

    def __init__(self, folder: Path, key: tuple[int, int] | None, made: Sequence[Path]) -> None:
        """Hold a folder.

        Args:
            folder: The folder.
            key: Its device and inode; None where the system locks no folders.
            made: Folders that were made for it, the innermost first.
        """
        self.folder, self._key, self._made = folder, key, made

    def release(self) -> None:
        """Give the folder back; nothing happens the second time."""
        with _guard:
            key, self._key = self._key, None
            if key is None or key not in _held:  # a forked process holds nothing of its parent's
                return
            descriptor, times = _held.pop(key)
            if times > 1:
                _held[key] = descriptor, times - 1
            else:
                with suppress(OSError):
                    for folder in self._made:
                        folder.rmdir()
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()


def take(folder: str | os.PathLike[str], *, writes: Sequence[str] = ()) -> FolderLock:
    """Take a folder, so that no other process writes it, and clear away what a killed one was writing there.

    Args:
        folder: The folder; it is made if it is missing.
        writes: Patterns of the files, relative to the folder, that whoever takes it writes through
            ``bincam.files.atomic``: of these, temporary files that a killed process left are removed.

    Raises:
        TakenError: Another process has taken it.
        InputError: It cannot be made or read, or is on object storage.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from bincam.folder_lock import take
        >>> with TemporaryDirectory() as base:
        ...     left = Path(base, ".notes-ab12cd34.txt")
        ...     left.touch()
        ...     with take(base, writes=["notes.txt"]):
        ...         left.exists()
        False
    """
    place = Path(folder)
    while True:
        made = _make(place)
        with _guard:
            try:
                descriptor = os.open(place, os.O_RDONLY)
            except FileNotFoundError:
                continue  # whoever had made it has removed it
            except OSError as error:
                if os.name == "nt":  # it opens no folders
                    return FolderLock(place, None, made)
                raise InputError(f"{place}: cannot be read: {error.strerror}") from None
            state = os.fstat(descriptor)
            key = (state.st_dev, state.st_ino)
            if key in _held:
                os.close(descriptor)
                own, times = _held[key]
                _held[key] = own, times + 1
                return FolderLock(place, key, ())
            if not _lock(descriptor):
                os.close(descriptor)
                raise TakenError(
                    f"{place}: another process is writing this folder; wait until it has ended, or choose another one"
                )
            if not _is_at(place, key):  # it was removed, and perhaps made anew, before it was locked
                os.close(descriptor)
                continue
            _held[key] = descriptor, 1
        lock = FolderLock(place, key, made)
        for pattern in writes:
            _clear(place, pattern)
        return lock


def _make(place: Path) -> list[Path]:
    """Make a folder with its parents; return those that were missing, the innermost first."""
    refuse_address(place)
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    try:
        place.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{place} is a file, not a folder; choose another place") from None
    except OSError as error:
        raise InputError(f"{place}: cannot be written: {error.strerror}: {error.filename}") from None
    return missing


def _lock(descriptor: int) -> bool:
    """Lock an open folder; False if another process has."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # the file system has no locks
    return True


def _is_at(place: Path, key: tuple[int, int]) -> bool:
    try:
        state = place.stat()
    except OSError:
        return False
    return (state.st_dev, state.st_ino) == key


def _clear(place: Path, pattern: str) -> None:
    """Remove the temporary files of files that match a pattern."""
    room, _, name = pattern.rpartition("/")
    for folder in place.glob(room) if room else [place]:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                left = _LEFT.fullmatch(entry.name)
                if left and fnmatchcase(left["stem"] + (left["suffix"] or ""), name):
                    Path(entry.path).unlink(missing_ok=True)


def _forget_in_child() -> None:
    """Close the descriptors in a forked process, which would otherwise keep the lock of a parent that is killed."""
    global _guard  # noqa: PLW0603  # it may have been held by a thread that the child does not have
    _guard = threading.RLock()
    for descriptor, _ in _held.values():
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


_register: Any = getattr(os, "register_at_fork", None)
if _register is not None:
    _register(after_in_child=_forget_in_child)
