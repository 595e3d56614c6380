"""The local copy of a folder on object storage, which is what all of bincam reads and writes.

A copy is made up to date when it is opened, and every file that is written into it is uploaded as soon as it is whole.
The original decides: what it lacks is no part of the copy either. A file is taken for the same as the original if it
has its size and its time of change, to the second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bincam.errors import InputError
from bincam.files import atomic
from bincam.folder_lock import TakenError, take
from bincam.followed import follow, follower_of, followers
from bincam.progress import track
from bincam.storage.address import Remote, Store, is_address, normal, open_store, refuse_scheme

CACHE = "BINCAM_CACHE"
"""Environment variable that names the folder of copies; ``~/.cache/bincam`` by default."""
_ODD = re.compile(r"[^A-Za-z0-9_.@=-]")
"""Characters of a name that a file system may refuse, or that tell folders apart here."""
_THREADS = 8  # requests wait for the network


def local_folder(place: str | os.PathLike[str], *, writes: bool = False, only: Collection[str] | None = None) -> Path:
    """Return a folder on this machine: the place itself, or a copy of it where it is an address on object storage.

    For the rest of the process, files that bincam writes into the copy are uploaded as soon as each is whole.

    Args:
        place: A path, or an address such as ``s3://bucket/audits/mine``.
        writes: See at once if the store can be written to.
        only: Names of the files to copy, relative to the folder; all by default.

    Raises:
        InputError: The store cannot be read, or not be written to; or the address is of no known kind.

    Example:
        >>> local_folder("audits/mine")
        PosixPath('audits/mine')
    """
    if not is_address(place):
        refuse_scheme(place)
        return Path(place)
    store = open_store(normal(place))
    mirror = Mirror(store, cached(store.address))
    if writes:
        mirror.check_writable()
    mirror.pull(only)
    follow(mirror.folder, mirror)
    return mirror.folder


def cached(address: str) -> Path:
    """The folder of an address's copy, which has the original's name; no copy is within another.

    >>> cached("s3://bucket/audits/mine").parts[-3:]
    ('s3', 'bucket+audits', 'mine')
    """
    base = os.environ.get(CACHE) or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "bincam")
    path, _, query = address.partition("?")
    scheme, _, rest = path.partition("://")
    *folders, last = (_ODD.sub("-", part) for part in rest.split("/"))
    unlike = query or _ODD.search(rest.replace("/", ""))
    told_apart = f"+{sha256(address.encode()).hexdigest()[:8]}" if unlike else ""
    return Path(base, scheme, f"{'+'.join(folders) or '+'}{told_apart}", last).absolute()


def address_of(place: Path) -> str | None:
    """The address of which a folder is the copy, or is within the copy; None of other folders."""
    mirror = _mirror_of(place)
    if mirror is None:
        return None
    name = mirror.name_of(place)
    return mirror.store.address if name == "." else mirror.store.of(name)


def shown(place: Path) -> str:
    """Name a folder as its user does: by the address of which it is a copy, or by its path.

    >>> shown(Path("audits/mine"))
    'audits/mine'
    """
    return address_of(place) or str(place)


def named(line: str) -> str:
    """Name in a line of text the addresses of which folders are the copies.

    >>> named("audits/mine: unfinished audit")
    'audits/mine: unfinished audit'
    """
    for follower in followers():
        if isinstance(follower, Mirror):
            line = line.replace(str(follower.folder), follower.store.address)
    return line


def refresh(place: Path) -> None:
    """Make a file up to date, or a folder with all that is in it, which others may have written or removed.

    Nothing happens where it is not in a copy.

    Raises:
        InputError: The store cannot be read.
    """
    mirror = _mirror_of(place)
    if mirror is None:
        return
    if place.is_dir():
        mirror.pull(None, within=mirror.name_of(place))
    else:
        mirror.pull([mirror.name_of(place)])


def _mirror_of(place: Path) -> Mirror | None:
    follower = follower_of(place)
    return follower if isinstance(follower, Mirror) else None


@dataclass(frozen=True)
class Mirror:
    """A folder on object storage and its copy.

    Attributes:
        store: The original.
        folder: The copy.
    """

    store: Store
    folder: Path

    def name_of(self, place: Path) -> str:
        """The path of a file or folder in the folder."""
        return Path(os.path.relpath(place, self.folder)).as_posix()

    def written(self, file: Path) -> None:
        """Upload a file."""
        _stamp(file, self.store.write(self.name_of(file), file.read_bytes()))

    def removed(self, place: Path) -> None:
        """Remove a file or a folder from the store."""
        self.store.remove(self.name_of(place))

    def check_writable(self) -> None:
        """Write and remove a file.

        Raises:
            InputError: The store refuses it.
        """
        name = f".begun-{os.getpid()}"
        self.store.write(name, b"bincam")
        self.store.remove(name)

    def pull(self, only: Collection[str] | None = None, *, within: str = ".") -> None:
        """Download what differs, and remove what is not in the store.

        Where another process of this machine is writing the copy, what is there is left to it.

        Args:
            only: Names of files; all by default.
            within: Of the folder to make up to date.
        """
        if only is None:
            there = {name: one for name, one in self.store.listed().items() if _within(name, within)}
        else:
            there = {name: one for name in only if (one := self.store.state(name)) is not None}
        try:
            lock = take(self.folder)
        except TakenError:
            self._download({name: one for name, one in there.items() if not (self.folder / name).is_file()})
            return
        with lock:
            for name in self._local(within) if only is None else only:
                if name not in there:
                    (self.folder / name).unlink(missing_ok=True)
            self._download({name: one for name, one in there.items() if not _same(self.folder / name, one)})

    def _local(self, within: str) -> list[str]:
        return [self.name_of(file) for file in sorted((self.folder / within).rglob("*")) if file.is_file()]

    def _download(self, wanted: dict[str, Remote]) -> None:
        if not wanted:
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            steps: Iterator[None] = pool.map(self._get, wanted, wanted.values())
            for _ in track(steps, f"copy of {self.store.address}", total=len(wanted), unit="files"):
                pass

    def _get(self, name: str, there: Remote) -> None:
        file = self.folder / name
        content = self.store.read(name)
        if len(content) != there.size:
            raise InputError(f"{self.store.of(name)}: has changed while it was read; run the command again")
        with atomic(file, told=False) as part:
            part.write_bytes(content)
        _stamp(file, there)


def _within(name: str, folder: str) -> bool:
    return folder == "." or name.startswith(f"{folder}/")


def _stamp(file: Path, there: Remote) -> None:
    os.utime(file, (there.seconds, there.seconds))


def _same(file: Path, there: Remote) -> bool:
    try:
        state = file.stat()
    except FileNotFoundError:
        return False
    return state.st_size == there.size and int(state.st_mtime) == there.seconds
