"""The writers of faces and scenes with the real renderers and worker processes, also killed while they run."""

import signal
import subprocess
import sys

import pytest

from tests.generated.contents import contents
from tests.generated.killed import killed

pytestmark = pytest.mark.slow

ROOMS = {"faces": ["--count", "160", "--size", "64x80"], "scenes": ["--count", "500", "--size", "64"]}


def command(room, out, workers):
    options = [*ROOMS[room], "--seed", "8", "--workers", str(workers)]
    return [sys.executable, "-m", "bincam", room, "make", "--out", str(out), *options]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made = {}

    def of(room):
        if room not in made:
            out = tmp_path_factory.mktemp(room) / "whole"
            subprocess.run(command(room, out, workers=1), check=True, capture_output=True)
            made[room] = contents(out)
        return made[room]

    return of


@pytest.mark.parametrize(("room", "workers"), [("faces", 3), ("scenes", 2)])
def test_any_number_of_processes_gives_the_same_bytes(whole, tmp_path, room, workers):
    subprocess.run(command(room, tmp_path / "set", workers), check=True, capture_output=True)
    assert contents(tmp_path / "set") == whole(room)


@pytest.mark.parametrize(
    ("room", "sign"), [("faces", signal.SIGKILL), ("faces", signal.SIGINT), ("scenes", signal.SIGKILL)]
)
def test_a_killed_run_resumes_to_the_same_bytes_and_leaves_no_process(whole, tmp_path, room, sign):
    out = tmp_path / "set"
    assert "Traceback" not in killed(command(room, out, workers=2), out, sign)
    assert b'"complete": false' in (out / "card.json").read_bytes()
    subprocess.run(command(room, out, workers=2), check=True, capture_output=True)
    assert contents(out) == whole(room)
