"""The writer with the real renderer and worker processes, killed while it runs."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.dataset.test_writer import contents
from tests.generated.killed import killed

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
    assert "Traceback" not in killed(command(out, workers=2), out, sign)
    subprocess.run(command(out, workers=2), check=True, capture_output=True)
    assert contents(out) == whole
