"""The writer with the real renderer and worker processes, killed while it runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faces.dataset.test_writer import contents

pytestmark = pytest.mark.slow


def command(out: Path, workers: int) -> list[str]:
    options = ["--count", "160", "--seed", "8", "--size", "64x80", "--workers", str(workers)]
    return [sys.executable, "-m", "bincam", "faces", "make", "--out", str(out), *options]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("faces") / "whole"
    subprocess.run(command(out, workers=1), check=True, capture_output=True)
    return contents(out)


def test_any_number_of_processes_gives_the_same_bytes(whole, tmp_path):
    subprocess.run(command(tmp_path / "set", workers=3), check=True, capture_output=True)
    assert contents(tmp_path / "set") == whole


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_resumes_to_the_same_bytes_and_leaves_no_process(whole, tmp_path, sign):
    out = tmp_path / "set"
    process = subprocess.Popen(
        command(out, workers=2), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(out.glob(".unfinished/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sign)
    error = process.communicate()[1].decode()
    assert process.returncode != 0
    assert "Traceback" not in error
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("workers outlived their parent")
    subprocess.run(command(out, workers=2), check=True, capture_output=True)
    assert contents(out) == whole
