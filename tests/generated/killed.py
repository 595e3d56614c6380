"""A writer of a generated set that is killed while its workers draw."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest


def killed(command: Sequence[str], out: Path, sign: int) -> str:
    """Run a command until its first shard is there, send it a signal, and return what it wrote to stderr.

    The test fails if the command ends well all the same, or if one of its processes outlives it.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(out.glob(".unfinished/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sign)
    error = process.communicate()[1].decode()
    assert process.returncode != 0
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return error
        time.sleep(0.1)
    pytest.fail("workers outlived their parent")
