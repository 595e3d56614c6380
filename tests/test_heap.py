"""Freed memory is kept in processes of the command, unless the user has decided, and nowhere else."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bincam import heap
from bincam.heap import STATED, keep_freed_memory
from bincam.processes import started

COUNTED = """
import sys
from bincam.heap import keep_freed_memory
from tests.test_heap import filled
kept = {"plain": lambda: None, "kept": keep_freed_memory, "large": lambda: keep_freed_memory(large=True)}[sys.argv[1]]()
print(kept, filled(int(sys.argv[2])))
"""
GLIBC = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")


def filled(mebibytes: int) -> int:
    """Count the pages that the system fills when blocks are in use for the second to the sixth time.

    There are four blocks at once, together more than glibc keeps by itself.
    """

    def use() -> None:
        _ = [bytearray(mebibytes << 20) for _ in range(4)]

    use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        use()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def counted(how: str, mebibytes: int, **environment: str) -> tuple[str, int]:
    """What the function says, and the pages that are filled then, in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name not in STATED}
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, how, str(mebibytes)],
        env=inherited | environment, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, pages = done.stdout.split()
    return said, int(pages)


@GLIBC
@pytest.mark.parametrize(("how", "mebibytes"), [("kept", 24), ("large", 24), ("large", 48)])
def test_pages_are_filled_once(how, mebibytes):
    _, plain = counted("plain", mebibytes)
    said, kept = counted(how, mebibytes)
    assert said == "True"
    assert kept < plain / 20


@GLIBC
def test_large_blocks_go_back_unless_it_is_asked_for():
    assert counted("kept", 48)[1] > counted("plain", 48)[1] / 2


@GLIBC
def test_the_user_decides():
    said, pages = counted("kept", 24, MALLOC_TRIM_THRESHOLD_="1000", MALLOC_MMAP_THRESHOLD_="1000")
    assert said == "False"
    assert pages > counted("plain", 24)[1] / 2


@GLIBC
def test_processes_that_are_started_keep_it(monkeypatch):
    for name in STATED:
        monkeypatch.delenv(name, raising=False)
    with started(1) as pool:
        kept = pool.submit(filled, 24).result()
    assert kept < counted("plain", 24)[1] / 20


def test_another_c_library_is_left_alone(monkeypatch):
    for name in STATED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: object())
    assert not keep_freed_memory()
