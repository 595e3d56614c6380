"""What every work that is handed out in parts has: a shared folder, parts that are found written, lost processes."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bincam.display import counted
from bincam.engines.engine import Crew, Recipe
from bincam.errors import BincamWarning, InputError, in_a_line
from bincam.progress import track
from bincam.storage.mirror import address_of, local_folder, refresh

TRIES = 5


@dataclass(frozen=True)
class SharedFolder:
    """The folder that all processes of a work write into; ``of`` states one.

    Attributes:
        path: Where it is on a file system that all machines share.
        address: Where it is on object storage, of which every machine has a copy; None if it is not there.
        begun: Name of the file with which the work was begun.
    """

    path: Path
    address: str | None
    begun: str

    @classmethod
    def of(cls, folder: Path, begun: str) -> SharedFolder:
        """State a folder, on the machine of the command."""
        return cls(folder.absolute(), address_of(folder), begun)

    def open(self) -> Path:
        """Return the folder on this machine.

        Raises:
            InputError: It is not there, or the work was not begun in it.
        """
        folder = self.path if self.address is None else local_folder(self.address, only=[self.begun])
        if not (folder / self.begun).is_file():
            raise InputError(
                f"{self.address or self.path}: no {self.begun} there; the folder must be on a file system that all "
                "machines share, or on object storage"
            )
        return folder

    def refreshed(self, folder: Path) -> Path:
        """Bring the file with which the work was begun up to date, and return the folder."""
        refresh(folder / self.begun)
        return folder


def pickled(recipe: Recipe, dumps: Callable[[Any], bytes] = pickle.dumps) -> bytes:
    """Pickle a recipe, by which other processes make the work.

    Raises:
        InputError: It cannot be pickled, such as a model with a function that was made within another one.
    """
    try:
        return dumps(recipe)
    except Exception as error:  # whatever a foreign class raises
        raise InputError(
            f"the work cannot be handed to other processes, because it cannot be pickled: {in_a_line(str(error))}; do "
            "it in one process"
        ) from error


def warn_once(notes: Iterable[str], told: set[str]) -> None:
    """Warn with the notes of another process, unless they have been told; ``told`` gets them."""
    for note in notes:
        if note not in told:
            told.add(note)
            warnings.warn(note, BincamWarning, stacklevel=5)


def hand_out(
    crew: Crew,
    recipe: Recipe,
    folder: Path,
    missing: Callable[[], list[int]],
    images: Callable[[int], int],
    *,
    label: str,
    before: int,
) -> None:
    """Have a crew carry out the parts that are missing, and see that all are in the folder then.

    Args:
        crew: The processes.
        recipe: Of the work.
        folder: Into which they write, as this machine has it.
        missing: Lists the parts that are not in it.
        images: From a part's number to its number of images, which the progress bar counts.
        label: Of the progress bar.
        before: Images of parts that were written before.

    Raises:
        InputError: A machine lacks something, or has written what cannot be seen from here.
    """
    numbers = missing()
    total = sum(images(number) for number in numbers)
    carried_out = crew.carry_out(recipe, numbers)
    for _ in track(carried_out, label, amount=images, total=total, unit="images", before=before):
        pass
    refresh(folder)
    if left := missing():
        raise InputError(
            f"{folder}: {counted(len(left), 'shard')} cannot be seen from here, though other machines have written "
            "all; let the folder be on a file system that all machines share, or on object storage, and run the same "
            "with --resume"
        )


def carried_out(
    numbers: Sequence[int],
    is_written: Callable[[int], bool],
    begun: Callable[[int], Path],
    carry_out: Callable[[list[int]], Iterator[int]],
) -> Iterator[int]:
    """Yield the parts that are written, as by a process that was lost after it, and carry out the others.

    Args:
        numbers: The parts.
        is_written: True of a part that is in the folder.
        begun: From a part's number to the file that counts how often it was begun.
        carry_out: Carries out parts, and yields the number of each once it is written.

    Raises:
        InputError: Their process was lost ``TRIES`` times.
    """
    found = [number for number in numbers if is_written(number)]
    yield from found
    if missing := [number for number in numbers if number not in found]:
        with limited_tries(begun(missing[0])):
            yield from carry_out(missing)


@contextmanager
def limited_tries(file: Path) -> Iterator[None]:
    """Count in a file how often a part was begun and not ended; the file is gone once it ends, well or with an error.

    Engines repeat what a lost process had, without end.

    Args:
        file: Of the part, on a file system that all machines share; of one that is not, each machine counts its own.

    Raises:
        InputError: It has been begun ``TRIES`` times, and its process was lost each time.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
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
