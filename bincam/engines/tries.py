"""A limit to how often a part is tried whose process is lost each time, as by an image that crashes a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bincam.errors import InputError

TRIES = 5


@contextmanager
def limited_tries(file: Path) -> Iterator[None]:
    """Count in a file how often a part was begun and not ended; the file is gone once it ends, well or with an error.

    Engines repeat what a lost process had, without end.

    Args:
        file: Of the part, on a file system that all machines share.

    Raises:
        InputError: It has been begun ``TRIES`` times, and its process was lost each time.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from bincam.engines.tries import limited_tries
        >>> file = Path(mkdtemp(), "begun-00007")
        >>> with limited_tries(file):
        ...     file.stat().st_size
        1
        >>> file.exists()
        False
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as count:
        count.write(b".")
        tried = count.tell()
    try:
        if tried > TRIES:
            raise InputError(
                f"{file.name}: its process was lost {TRIES} times before the part was written, as when memory is used "
                "up or an image crashes what reads it; smaller batches or fewer actors need less memory, and the local "
                "engine shows a crash; then run the same with --resume"
            )
        yield
    finally:
        file.unlink(missing_ok=True)
