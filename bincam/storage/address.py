"""Addresses on object storage, such as ``s3://bucket/audits/mine``, and the store that one leads to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bincam.errors import InputError, in_a_line

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss")
"""Those of pyarrow's file systems for object storage: Amazon's protocol, Google's and Azure's."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}([^/].*)?")
"""One slash is left where the text was made a ``Path`` on its way."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://")
_PATIENCE = "retry_limit_seconds"
"""Option of Google's addresses: for how long requests that fail are repeated."""
_REQUEST = re.compile(r" \(Request ID: .*?\)|\. Detail: .*", re.DOTALL)


def is_address(place: str | os.PathLike[str]) -> bool:
    """True of an address on object storage, also of one that was made a ``Path``.

    >>> from pathlib import Path
    >>> is_address("s3://bucket/mine"), is_address(Path("s3://bucket/mine")), is_address("audits/s3")
    (True, True, False)
    """
    found = _ADDRESS.fullmatch(os.fspath(place))
    return found is not None and found[1] in SCHEMES


def refuse_scheme(place: str | os.PathLike[str]) -> None:
    """Refuse text that is an address of another kind, which would else be taken for a path.

    Raises:
        InputError: It is one.

    >>> refuse_scheme("audits/mine")
    >>> refuse_scheme("hdfs://server/mine")
    Traceback (most recent call last):
    bincam.errors.InputError: hdfs://server/mine: expected a path, or an address of s3://, gs://, gcs://, abfs:// or abfss://
    """
    if not is_address(place) and _SCHEME.match(os.fspath(place)):
        *others, last = (f"{scheme}://" for scheme in SCHEMES)
        raise InputError(f"{place}: expected a path, or an address of {', '.join(others)} or {last}")


def normal(place: str | os.PathLike[str]) -> str:
    """State an address as it is written: with two slashes, and without one at its end.

    Raises:
        InputError: It names no bucket, or a folder above or beside itself.

    >>> from pathlib import Path
    >>> normal(Path("s3://bucket/mine/"))
    's3://bucket/mine'
    """
    found = _ADDRESS.fullmatch(os.fspath(place))
    if found is None or found[1] not in SCHEMES:
        raise InputError(f"{place}: not an address on object storage; expected one such as s3://bucket/audits/mine")
    path, mark, query = (found[2] or "").partition("?")
    parts = path.rstrip("/").split("/")
    if not parts[0] or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"{place}: expected a bucket and the names of folders in it, as in s3://bucket/audits/mine")
    return f"{found[1]}://{'/'.join(parts)}{mark}{query}"


def refuse_address(place: str | os.PathLike[str]) -> None:
    """Refuse an address where only this machine's files will do.

    Raises:
        InputError: It is one.

    >>> refuse_address("s3://bucket/report.html")
    Traceback (most recent call last):
    bincam.errors.InputError: s3://bucket/report.html: only audits may be on object storage; give a local path
    """
    if is_address(place):
        raise InputError(f"{normal(place)}: only audits may be on object storage; give a local path")


@dataclass(frozen=True)
class Remote:
    """A file on object storage as it is listed.

    Attributes:
        size: In bytes.
        seconds: Time of the last change, in whole seconds since 1970, which is what all listings have.
    """

    size: int
    seconds: int


@dataclass(frozen=True)
class Store:
    """A folder on object storage; ``open_store`` opens one. Every error is one line with the file's address.

    Attributes:
        address: Of the folder.
        files: The file system.
        root: Of the folder in the file system.
    """

    address: str
    files: FileSystem = field(repr=False)
    root: str

    def listed(self) -> dict[str, Remote]:
        """List all files by their path in the folder; empty where there is none."""
        from pyarrow.fs import FileSelector, FileType

        with _told(self.address, "read"):
            found = self.files.get_file_info(FileSelector(self.root, allow_not_found=True, recursive=True))
        start = len(self.root) + 1
        return {one.path[start:]: _remote(one) for one in found if one.type == FileType.File}

    def state(self, name: str) -> Remote | None:
        """A file as it is now; None where there is none."""
        from pyarrow.fs import FileType

        with _told(self.of(name), "read"):
            one = self.files.get_file_info(f"{self.root}/{name}")
        return _remote(one) if one.type == FileType.File else None

    def read(self, name: str) -> bytes:
        """Read a file."""
        with _told(self.of(name), "read"), self.files.open_input_stream(f"{self.root}/{name}") as stream:
            content: bytes = stream.read()
            return content

    def write(self, name: str, content: bytes) -> Remote:
        """Write a file whole, and see that it is there.

        Raises:
            InputError: It is not: the store refuses it, or holds another number of bytes.
        """
        with _told(self.of(name), "written"), self.files.open_output_stream(f"{self.root}/{name}") as stream:
            stream.write(content)
        there = self.state(name)
        if there is None or there.size != len(content):
            raise InputError(
                f"{self.of(name)}: cannot be written: {0 if there is None else there.size} of {len(content)} bytes "
                "are there"
            )
        return there

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing happens where there is none."""
        from pyarrow.fs import FileType

        place = f"{self.root}/{name}"
        with _told(self.of(name), "removed"):
            kind = self.files.get_file_info(place).type
            if kind == FileType.File:
                self.files.delete_file(place)
            elif kind == FileType.Directory:
                self.files.delete_dir(place)

    def of(self, name: str) -> str:
        """The address of a file."""
        path, mark, query = self.address.partition("?")
        return f"{path}/{name}{mark}{query}"


def open_store(address: str) -> Store:
    """Open a folder on object storage, which need not be there yet; its bucket has to.

    Credentials, region and the address of a server that is not the vendor's are those of the environment
    (``AWS_ACCESS_KEY_ID``, ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL``) or of the vendor's files, as pyarrow reads
    them.

    Raises:
        InputError: The address names no bucket, or one that is not there or cannot be asked.
    """
    from pyarrow.fs import FileSystem, FileType

    stated = normal(address)
    uri = stated
    if stated.startswith(("gs://", "gcs://")) and _PATIENCE not in stated:  # else a quarter of an hour
        uri += f"{'&' if '?' in stated else '?'}{_PATIENCE}=30"
    bucket = "/".join(stated.partition("?")[0].split("/")[:3])
    with _told(stated, "read"):
        files, root = FileSystem.from_uri(uri)
        there = files.get_file_info(root.split("/")[0])
    if there.type == FileType.NotFound:
        raise InputError(f"{bucket}: no such bucket; make it first, or state its server (docs/scale.md)")
    return Store(stated, files, root.rstrip("/"))


def _remote(info: Any) -> Remote:
    changed: datetime | None = info.mtime
    return Remote(int(info.size or 0), 0 if changed is None else int(changed.timestamp()))


@contextmanager
def _told(address: str, what: str) -> Iterator[None]:
    """State in a line what a store answers."""
    try:
        yield
    except (OSError, ValueError, NotImplementedError) as error:
        reason = in_a_line(_REQUEST.sub("", str(error)) or type(error).__name__).rstrip(".")
        raise InputError(f"{address}: cannot be {what}: {reason}") from None
