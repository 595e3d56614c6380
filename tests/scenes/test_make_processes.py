"""The writer with worker processes, also killed while they draw."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scenes.dataset.test_writer import contents

pytestmark = pytest.mark.slow


def command(out: Path, workers: int) -> list[str]:
    options = ["--count", "500", "--seed", "8", "--size", "64", "--workers", str(workers)]
    return [sys.executable, "-m", "bincam", "scenes", "make", "--out", str(out), *options]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("scenes") / "whole"
    subprocess.run(command(out, workers=1), check=True, capture_output=True)
    return contents(out)


def test_any_number_of_processes_gives_the_same_bytes(whole, tmp_path):
    subprocess.run(command(tmp_path / "set", workers=2), check=True, capture_output=True)
    assert contents(tmp_path / "set") == whole


def test_a_killed_run_resumes_to_the_same_bytes_and_leaves_no_process(whole, tmp_path):
    out = tmp_path / "set"
    process = subprocess.Popen(
        command(out, workers=2), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(out.glob(".unfinished/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode != 0
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("workers outlived their parent")
    assert b'"complete": false' in (out / "card.json").read_bytes()
    subprocess.run(command(out, workers=2), check=True, capture_output=True)
    assert contents(out) == whole
