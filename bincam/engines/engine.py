"""What an engine is: it hands numbered parts of a work to processes, each of which writes its parts whole.

An audit and a study of views are such works: their parts are shards. No image and no map passes through an engine, only
numbers and a recipe, from which a process makes all that it needs. Whoever asks for the work keeps the books: which
parts are missing is seen in the folder, so that whatever ends, a process, a machine or the whole, is resumed there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol


class Work(Protocol):
    """The work as a process is ready to do it."""

    def __call__(self, numbers: Sequence[int], /) -> Iterator[int]:
        """Carry out parts; yield the number of each once it is written, or was found written."""


class Recipe(Protocol):
    """What a process makes the work of; it can be pickled."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Packages, ``python`` among them, to the versions that every process needs."""

    def open(self) -> Work:
        """Make the work ready, such as load the model.

        Raises:
            BincamError: This machine lacks something.
        """


class Crew(Protocol):
    """Processes that wait for work."""

    def carry_out(self, recipe: Recipe, numbers: Sequence[int]) -> Iterator[int]:
        """Have parts carried out, each by some process; yield the number of each that is done, in any order.

        Args:
            recipe: Of the work.
            numbers: The parts that are missing.

        Raises:
            BincamError: A machine lacks something, or a part cannot be carried out; other parts may have been.
        """


class Engine(Protocol):
    """A way to carry out work in other processes."""

    def started(self, *, on_gpu: bool) -> AbstractContextManager[Crew]:
        """Get hold of the processes until the end of the block.

        Args:
            on_gpu: The work runs on GPUs.

        Raises:
            InputError: There are not as many as were asked for.
        """
