"""Long jobs in processes beside one another, each with its share of the threads of this one.

A network's threads wait for one another after every layer; two jobs of one thread each wait for nobody.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple, Self, TypeVar

from bincam import progress
from bincam.errors import BincamError, BincamWarning
from bincam.heap import keep_freed_memory
from bincam.processes import started

T = TypeVar("T")


class _Done(NamedTuple):
    """What a process returns: the result, its warnings, and the share of the command's step that it did."""

    result: Any
    told: list[str]
    share: float


class Beside:
    """Processes for long jobs, which share the threads of this one; they start at once, and live until the end.

    Bars become lines on stderr. Ctrl-C reaches every process; a job that defers it ends as it does in this process.

    Example:
        >>> from bincam.beside import Beside
        >>> with Beside(2) as processes:
        ...     processes.at_once(max, {})
        {}
    """

    def __init__(self, count: int) -> None:
        """Start this many processes, by spawning: a script needs ``if __name__ == "__main__"``."""
        self._pool = started(count, _prepare, (count,))
        for _ in range(count):
            self._pool.submit(_started)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def at_once(self, job: Callable[..., T], arguments: Mapping[str, tuple[Any, ...]]) -> dict[str, T]:
        """Call a function several times at once.

        Args:
            job: A function of a module; its arguments and results can be pickled.
            arguments: Of each call, by its name.

        Returns:
            The results by name. The warnings of all processes are repeated here, each once.

        Raises:
            BincamError: A process was killed; or whatever a call raises, once all have ended.
        """
        course = progress.current()
        running = {name: self._pool.submit(_call, job, own, course) for name, own in arguments.items()}
        wait(running.values())
        try:
            done = {name: one.result() for name, one in running.items()}
        except BrokenProcessPool as error:
            raise BincamError(
                f"the process of {' or '.join(running)} was killed, perhaps for lack of memory; run the same again to "
                "resume"
            ) from error
        for text in dict.fromkeys(text for one in done.values() for text in one.told):
            warnings.warn(text, BincamWarning, stacklevel=2)
        if course is not None and (share := max((one.share for one in done.values()), default=0.0)):
            course.work(share)
        return {name: one.result for name, one in done.items()}


class _Lines(io.TextIOWrapper):
    """A stream of lines, on which no bar is animated: bars of several processes would overwrite one another."""

    def isatty(self) -> bool:
        """Return False, also on a terminal."""
        return False


def _prepare(count: int) -> None:
    import torch

    keep_freed_memory(large=True)
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    sys.stderr = _Lines(os.fdopen(os.dup(2), "wb", 0), line_buffering=True, errors="backslashreplace")


def _started() -> None:
    pass


def _call(job: Callable[..., Any], arguments: tuple[Any, ...], course: progress.Course | None) -> _Done:
    progress.go_on(course)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # between jobs it is the other process's affair
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", BincamWarning)
            result = job(*arguments)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    told = [str(one.message) for one in caught if issubclass(one.category, BincamWarning)]
    return _Done(result, told, 0.0 if course is None else course.share)
