"""The engine that hands parts to several processes of this machine, each with its share of the threads of this one.

A network's threads wait for one another after every layer, and all of them while the first one reads images, measures
or writes. Processes of one thread each wait for nobody.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from bincam.engines.engine import Engine, Recipe
from bincam.engines.local_process import LocalProcess
from bincam.engines.parts import pickled, warn_once
from bincam.errors import BincamWarning, InputError, in_a_line

MOST = 8
"""Processes at most unless a number is stated: each holds the model and the table of labels."""

WORTH = 4
"""Parts of a process at least for which it is started where nobody says so: its start takes some seconds, and at the
end processes wait for the last part."""


@dataclass(frozen=True)
class ProcessEngine:
    """Work in several processes of this machine, which share the threads of torch in this one (``OMP_NUM_THREADS``).

    A process that is lost is started again, and repeats the part that it had. Scripts need ``if __name__ ==
    "__main__"``, because the processes are spawned.

    Attributes:
        processes: Their number; None for as many as torch has threads, at most ``MOST``.

    Raises:
        InputError: The number is impossible.

    Example:
        ``bincam.audit.run(model, data, "audit", engine=ProcessEngine())``

        >>> from bincam.engines import ProcessEngine
        >>> ProcessEngine(2)
        ProcessEngine(processes=2)
    """

    processes: int | None = None

    def __post_init__(self) -> None:
        """Check."""
        if self.processes is not None and self.processes < 1:
            raise InputError(f"processes={self.processes}: at least one process")

    @contextmanager
    def started(self, *, on_gpu: bool) -> Iterator[ProcessCrew]:
        """Make the crew, whose processes are started with the first work and end with the block, in whatever they do.

        What comes before the work has the machine for itself.

        Args:
            on_gpu: The work runs on the GPU, which all of them use.

        Raises:
            InputError: It does, and the number of processes is not stated.
        """
        import torch

        threads = torch.get_num_threads()
        if on_gpu and self.processes is None:
            raise InputError("state how many processes use the GPU; each holds the model there")
        count = self.processes or min(threads, MOST)
        crew = ProcessCrew(count, max(1, threads // count))
        try:
            yield crew
        finally:
            crew.end()


def faster_engine(device: str, model: object, parts: int) -> Engine | None:
    """Return the engine by which work on this machine takes less time; None for the process of the command.

    Args:
        device: What the work runs on.
        model: What is handed to other processes; one that cannot be pickled stays here, which a warning tells.
        parts: Parts of the whole work, also those that an earlier run has done: the choice decides the threads of a
            process and so the last bits of results, and must be the same where the work is resumed.

    Example:
        >>> from bincam.engines import faster_engine
        >>> faster_engine("cpu", None, parts=1) is None
        True
    """
    import torch

    count = min(torch.get_num_threads(), MOST, parts // WORTH)
    if device != "cpu" or count < 2:
        return None
    try:
        pickle.dumps(model)
    except Exception as error:  # whatever a foreign class raises
        told = f"one process does the work, because the model cannot be pickled: {in_a_line(str(error))}"
        warnings.warn(told, BincamWarning, stacklevel=3)
        return None
    return ProcessEngine(count)


@dataclass(frozen=True)
class ProcessCrew:
    """Processes of this machine; ``ProcessEngine.started`` makes one.

    Attributes:
        count: Number of processes at most.
        threads: Threads of each.
    """

    count: int
    threads: int
    _processes: list[LocalProcess] = field(default_factory=list, repr=False)

    def carry_out(self, recipe: Recipe, numbers: Sequence[int]) -> Iterator[int]:
        """Have parts carried out, see ``Crew``."""
        content = pickled(recipe)
        while len(self._processes) < min(self.count, len(numbers)):
            self._processes.append(LocalProcess(self.threads))
        left, told = list(reversed(numbers)), set[str]()
        at_work: dict[Future[Sequence[str]], tuple[LocalProcess, int]] = {}

        def give(process: LocalProcess, number: int) -> None:
            at_work[process.give(number)] = process, number

        for process in self._processes[: len(numbers)]:
            process.open(content)
            give(process, left.pop())
        while at_work:
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                process, number = at_work.pop(future)
                notes = process.result(future)
                if notes is None:  # the process was lost
                    process.open(content)
                    give(process, number)
                    continue
                warn_once(notes, told)
                yield number
                if left:
                    give(process, left.pop())

    def end(self) -> None:
        """End all processes."""
        while self._processes:
            self._processes.pop().end()
