"""Parallel trainings, each in a separate process; a single job runs in the current process."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def each(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], jobs: int) -> list[Any]:
    """Call a function with each of several argument tuples; return the results in the same order.

    Args:
        function: Defined at the top level of a module, so that another process can import it.
        calls: Arguments of each call.
        jobs: Number of parallel processes; they share the cores.
    """
    if jobs == 1:
        return [function(*call) for call in calls]
    spawn = multiprocessing.get_context("spawn")  # a fork of a process that has used threads or a GPU may deadlock
    with ProcessPoolExecutor(jobs, spawn, initializer=_share_cores, initargs=(jobs,)) as pool:
        return list(pool.map(function, *zip(*calls, strict=True)))


def _share_cores(jobs: int) -> None:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
