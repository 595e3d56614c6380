"""Addresses of images: a file of its own, or ``FILE#MEMBER`` in a file that holds many.

``a.tar#cat/1.jpg`` is a member of a tar file, ``a.parquet#12`` the row 12, from 0, of the one column of images of a
Parquet or Arrow file, and ``a.parquet#face/12`` that of the column ``face``. ``a.dcm#40,400`` is a DICOM file at a
window. An address is a path, so that a folder and a name lead to any image alike, in every process, and nothing but
text is handed from one to another.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bincam.errors import InputError
from bincam.files import regular

_CONTAINER = re.compile(r"(.+?\.(parquet|arrow|tar|dcm))#(.+)", re.DOTALL)
OPEN = 32
"""Containers that a process keeps open."""


class Container(Protocol):
    """A file that holds many images."""

    def __init__(self, file: Path) -> None: ...

    def read(self, member: str) -> bytes:
        """The bytes of an image."""

    def __contains__(self, member: str) -> bool: ...


def split(path: str | os.PathLike[str]) -> tuple[Path, str] | None:
    """Split an address into its container and the member; None of a file of its own, whatever its name is.

    >>> split("set/a.parquet#12")[1], split("a#b.png")
    ('12', None)
    """
    text = os.fspath(path)
    if "#" not in text or (found := _CONTAINER.fullmatch(text)) is None or Path(text).is_file():
        return None
    return Path(found[1]), found[3]


def member_wanted(path: str | os.PathLike[str]) -> str:
    """Say how an image in a container is named, of the container itself; empty of other files.

    >>> member_wanted("set/a.tar"), member_wanted("a.png")
    ('; it holds many images: name one, such as a.tar#cats/1.jpg', '')
    """
    file = Path(path)
    members = {".tar": "cats/1.jpg", ".parquet": "0", ".arrow": "0", ".dcm": "40,400"}
    if file.suffix not in members:
        return ""
    one = "state its window" if file.suffix == ".dcm" else "it holds many images: name one"
    return f"; {one}, such as {file.name}#{members[file.suffix]}"


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read the bytes of an image, of a file or of a member of a container.

    Raises:
        InputError: It is no regular file, or the container has no such member.
        OSError: It cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> import tarfile
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "1.txt").write_text("one")
    ...     with tarfile.open(f"{folder}/a.tar", "w") as file:
    ...         file.add(f"{folder}/1.txt", "x/1.txt")
    ...     read_bytes(f"{folder}/a.tar#x/1.txt"), exists(f"{folder}/a.tar#y")
    (b'one', False)
    """
    found = split(path)
    if found is None:
        return regular(path).read_bytes()
    return _opened(regular(found[0])).read(found[1])


def exists(path: str | os.PathLike[str]) -> bool:
    """True if there is an image at an address, as far as the file and its list of members tell."""
    found = split(path)
    if found is None:
        return Path(path).is_file()
    try:
        return found[0].is_file() and found[1] in _opened(found[0])
    except InputError:
        return False


def _arrow(file: Path) -> Container:
    from bincam.data.containers.columns import ArrowImages

    return ArrowImages(file)


def _parquet(file: Path) -> Container:
    from bincam.data.containers.columns import ParquetImages

    return ParquetImages(file)


def _tar(file: Path) -> Container:
    from bincam.data.containers.tar import TarImages

    return TarImages(file)


def _dicom(file: Path) -> Container:
    from bincam.data.containers.dicom import DicomImage

    return DicomImage(file)


_KINDS: dict[str, Callable[[Path], Container]] = {
    ".arrow": _arrow,
    ".dcm": _dicom,
    ".parquet": _parquet,
    ".tar": _tar,
}
_open: OrderedDict[tuple[int, str, int, int], Container] = OrderedDict()
_lock = threading.Lock()


def _opened(file: Path) -> Container:
    """The container, opened anew in every process and after every change of its file."""
    state = file.stat()
    key = (os.getpid(), str(file), state.st_mtime_ns, state.st_size)
    with _lock:
        if (known := _open.get(key)) is None:
            known = _open[key] = _KINDS[file.suffix](file)
            while len(_open) > OPEN:
                _open.popitem(last=False)
        _open.move_to_end(key)
    return known


def _after_fork() -> None:
    """Begin anew in a forked process: another thread of its parent may have held the lock."""
    global _lock  # noqa: PLW0603  # there is one for each process
    _lock = threading.Lock()
    _open.clear()


if hasattr(os, "register_at_fork"):  # of systems that fork
    os.register_at_fork(after_in_child=_after_fork)
