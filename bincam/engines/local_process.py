"""One process of this machine that carries out the parts of a work, one after another."""

from __future__ import annotations

import os
import pickle
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from bincam.engines.engine import Work
from bincam.errors import BincamError, BincamWarning, InputError
from bincam.heap import keep_freed_memory
from bincam.processes import started


class LocalProcess:
    """A process with a number of threads, in which a work is opened, and to which parts are given."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._given = Future[Sequence[str]]()
        self._start()

    def _start(self) -> None:
        self._leash, held = Pipe()
        self._pool = started(1, _prepare, (self._threads, held))
        self._started = self._opened = self._pool.submit(_ready)
        held.close()  # the process has its own by now

    def open(self, pickled: bytes) -> None:
        """Have a pickled recipe opened; a process that was lost is started anew."""
        try:
            self._opened = self._pool.submit(_open, pickled)
        except BrokenProcessPool:
            self.end()
            self._start()
            self._opened = self._pool.submit(_open, pickled)

    def give(self, number: int) -> Future[Sequence[str]]:
        """Have a part carried out; ``result`` tells what has become of it."""
        try:
            self._given = self._pool.submit(_carry_out, number)
        except BrokenProcessPool as error:
            self._given = Future()
            self._given.set_exception(error)
        return self._given

    def result(self, given: Future[Sequence[str]]) -> Sequence[str] | None:
        """Wait for a part; return the texts of bincam's warnings, or None if the process was lost.

        Raises:
            BincamError: It was lost before it had opened the work, as it would be once more.
            Exception: What the process raised.
        """
        self.opened()
        try:
            return given.result()
        except BrokenProcessPool:
            return None

    def opened(self) -> None:
        """Wait until the work is open; errors are those of ``result``."""
        try:
            self._opened.result()
        except BrokenProcessPool:
            if self._started.exception() is not None:
                raise BincamError(
                    "a process ended while it started; what a script does needs if __name__ == '__main__' before it, "
                    "because every process reads the script again"
                ) from None
            raise BincamError(
                "a process was killed while it loaded the model, perhaps for lack of memory; fewer processes need less "
                "(--processes)"
            ) from None

    def end(self) -> None:
        """End the process: by itself if it has nothing to do, else at once."""
        if not self._given.done():
            with suppress(OSError):  # it is lost
                self._leash.send_bytes(b"end")  # a process that this one has forked may hold the pipe open
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._leash.close()


_work: Work | None = None


def _prepare(threads: int, leash: Connection) -> None:
    """Set the threads before anything with OpenMP is loaded, and end with the leash, also in the middle of a part."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)

    def exit_with_the_leash() -> None:
        with suppress(EOFError, OSError):
            leash.recv_bytes()
        os._exit(1)

    threading.Thread(target=exit_with_the_leash, daemon=True).start()


def _ready() -> None:
    """Import what takes long, and set the threads."""
    import torch
    from threadpoolctl import threadpool_limits

    import bincam.torchvision_ops  # noqa: F401  # must stand before timm and torchvision

    keep_freed_memory(large=True)
    threads = int(os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")  # for the lifetime of the process


def _open(pickled: bytes) -> None:
    global _work  # noqa: PLW0603  # the process has no other place that lasts from one call to the next
    try:
        recipe = pickle.loads(pickled)  # noqa: S301  # from the process that started this one
    except (AttributeError, ImportError) as error:
        raise InputError(
            f"the model cannot be made in another process: {error}; its class must be in a module that can be "
            "imported, not in a notebook or a shell, or let one process do the work"
        ) from error
    _work = recipe.open()


def _carry_out(number: int) -> Sequence[str]:
    assert _work is not None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BincamWarning)
        for _ in _work([number]):
            pass
    return [str(one.message) for one in caught if issubclass(one.category, BincamWarning)]
