"""Freed memory is kept in processes of the command, unless the user has decided, and nowhere else."""

import os
import subprocess
import sys

import pytest

from bincam import heap
from bincam.heap import STATED, keep_freed_memory

COUNTED = """
import resource, sys
import numpy as np
from bincam.heap import keep_freed_memory
kept = {"plain": lambda: None, "kept": keep_freed_memory, "large": lambda: keep_freed_memory(large=True)}[sys.argv[1]]()
blocks = int(sys.argv[2]) << 20
def use():
    first, second = np.ones(blocks, np.uint8), np.ones(blocks, np.uint8)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
GLIBC = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")


def counted(how: str, mebibytes: int, **environment: str) -> tuple[str, int]:
    """What the function says, and the pages that the system fills for twenty times two blocks."""
    inherited = {name: value for name, value in os.environ.items() if name not in STATED}
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, how, str(mebibytes)],
        env=inherited | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, pages = done.stdout.split()
    return said, int(pages)


@GLIBC
def test_pages_are_filled_once():
    assert counted("plain", 24)[1] > 20 * 6000  # a block has 6144 pages of 4096 bytes
    said, pages = counted("kept", 24)
    assert said == "True"
    assert pages < 1000


@GLIBC
def test_large_blocks_are_kept_where_it_is_asked_for():
    assert counted("kept", 48)[1] > 20 * 12000
    said, pages = counted("large", 48)
    assert said == "True"
    assert pages < 1000


@GLIBC
def test_the_user_decides():
    said, pages = counted("kept", 24, MALLOC_TRIM_THRESHOLD_="1000", MALLOC_MMAP_THRESHOLD_="1000")
    assert said == "False"
    assert pages > 20 * 6000


def test_another_c_library_is_left_alone(monkeypatch):
    for name in STATED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: object())
    assert not keep_freed_memory()
