"""Images in tar files, which are read at their places; nothing is unpacked."""

from __future__ import annotations

import tarfile
from pathlib import Path

from bincam.errors import InputError, nearest

_BLOCK = tarfile.BLOCKSIZE


class TarImages:
    """The members of a tar file by name; the list of them is read once, and each image when it is asked for.

    Example:
        >>> from io import BytesIO
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with tarfile.open(f"{folder}/a.tar", "w") as file:
        ...         member = tarfile.TarInfo("1.txt")
        ...         member.size = 3
        ...         file.addfile(member, BytesIO(b"one"))
        ...     TarImages(Path(folder, "a.tar")).read("1.txt")
        b'one'
    """

    def __init__(self, file: Path) -> None:
        """Read the list of members.

        Raises:
            InputError: It is no tar file, compressed, truncated, or has a member twice.
        """
        self.file = file
        self.places: dict[str, tuple[int, int]] = {}
        """Offset and number of bytes by name, of regular files, in the order of the file."""
        try:
            with tarfile.open(file, "r:") as archive:
                for member in archive:
                    if not member.isreg():
                        continue
                    if member.name in self.places:
                        raise InputError(f"{file}: member {member.name!r} occurs twice; write the shard anew")
                    self.places[member.name] = (member.offset_data, member.size)
                end = archive.offset
        except (tarfile.TarError, EOFError, ValueError) as error:
            with file.open("rb") as stream:
                packed = stream.read(6)
            if packed[:2] == b"\x1f\x8b" or packed[:3] == b"BZh" or packed == b"\xfd7zXZ\x00":
                raise InputError(f"{file}: is compressed; unpack it to a plain .tar file") from None
            what = "truncated, copy it anew" if self.places or "end of data" in str(error) else "no tar file"
            raise InputError(f"{file}: {what} ({error})") from None
        with file.open("rb") as stream:
            stream.seek(end)
            if stream.read(_BLOCK) != bytes(_BLOCK):  # tarfile takes whatever is no header for the end
                raise InputError(f"{file}: truncated or damaged behind its last member, copy it anew (no end mark)")

    def __contains__(self, member: str) -> bool:
        return member in self.places

    def read(self, member: str) -> bytes:
        """The bytes of a member.

        Raises:
            InputError: There is none of that name.
        """
        if member not in self.places:
            raise InputError(f"{self.file}: no member {member!r}{nearest(member, self.places)}")
        offset, size = self.places[member]
        with self.file.open("rb") as stream:  # of its own, so that threads do not move one another's place
            stream.seek(offset)
            return stream.read(size)
