"""The writer with worker processes, also killed while they draw."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.generated.killed import killed
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
    killed(command(out, workers=2), out, signal.SIGKILL)
    assert b'"complete": false' in (out / "card.json").read_bytes()
    subprocess.run(command(out, workers=2), check=True, capture_output=True)
    assert contents(out) == whole
