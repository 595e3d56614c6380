"""A disk that is full: files that cannot grow."""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Refuse to make any file of this process larger than ``size`` bytes, as a disk does on which no more is left.

    Modules that are imported meanwhile are not compiled to files: Python 3.11 leaves a shortened one, which no later
    process can load ("marshal data too short").
    """
    former = (
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
        resource.getrlimit(resource.RLIMIT_FSIZE),
        sys.dont_write_bytecode,
    )
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1][1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former[1])
        signal.signal(signal.SIGXFSZ, former[0])
        sys.dont_write_bytecode = former[2]
