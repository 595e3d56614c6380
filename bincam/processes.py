"""Processes that this one starts for a part of its work."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from bincam.heap import keep_freed_memory


def started(
    count: int, prepare: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Make a pool of processes, each limited to one thread of numba and ended when this one ends for any reason.

    They are spawned, since a fork breaks the threads of numba and OpenMP; a script needs ``if __name__ == "__main__"``.
    Ctrl-C is this process's affair.

    Args:
        count: Number of processes.
        prepare: A function of a module that each calls when it starts.
        arguments: Of ``prepare``.

    Example:
        >>> from bincam.processes import started
        >>> with started(1) as pool:
        ...     pool.submit(max, 1, 2).result()
        2
    """
    import multiprocessing

    return ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(prepare, arguments),
    )


def _begin(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    import multiprocessing
    from multiprocessing.connection import wait

    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent receives it too and stops the work cleanly
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel

        def exit_with_parent() -> None:
            wait([sentinel])
            os._exit(1)  # the workers of a killed parent would wait forever

        threading.Thread(target=exit_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*arguments)
