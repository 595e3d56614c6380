"""Several trainings at a time, each in a process of its own; one at a time they run in this one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def each(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], jobs: int) -> list[Any]:
    """What ``function`` gives for each of the calls' arguments, in their order.

    Args:
        function: At the top of a module, so that another process finds it.
        calls: Arguments of each call.
        jobs: How many run at a time; they share the cores.
    """
    if jobs == 1:
        return [function(*call) for call in calls]
    spawn = multiprocessing.get_context("spawn")  # a fork of a process that has used threads or a GPU may hang
    with ProcessPoolExecutor(jobs, spawn, initializer=_share_cores, initargs=(jobs,)) as pool:
        return list(pool.map(function, *zip(*calls, strict=True)))


def _share_cores(jobs: int) -> None:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
