"""Worker processes that draw the shards of a generated data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from bincam.errors import InputError
from bincam.processes import started

S = TypeVar("S")


def spread(draw: Callable[[S], int], shards: Sequence[S], workers: int) -> Iterator[int]:
    """Draw shards in this process or in several, with few of them queued.

    Args:
        draw: Draws and writes a shard, and returns its number of images; a function of a module.
        shards: To draw.
        workers: Number of processes; 1 draws in this one.

    Yields:
        The number of images of each finished shard, in the order in which they finish.

    Raises:
        InputError: A worker process was killed.

    >>> list(spread(len, ["ab", "c"], workers=1))
    [2, 1]
    """
    if workers == 1:
        for shard in shards:
            yield draw(shard)
        return
    pool = started(min(workers, len(shards)) or 1)
    queue = iter(shards)
    running: set[Future[int]] = set()
    try:
        while True:
            running |= {pool.submit(draw, shard) for shard in islice(queue, 2 * workers - len(running))}
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process was killed, perhaps for lack of memory; run the same command again to resume"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
