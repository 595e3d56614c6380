"""One process at a time writes a folder, and a killed one leaves neither a lock nor half-written files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bincam import faces, scenes
from bincam.errors import InputError
from bincam.faces.counterfactuals.writer import write_pairs
from bincam.folder_lock import take
from bincam.studies.folder import StudyFolder
from tests.folders import taken_elsewhere

ROOT = Path(__file__).parents[1]
TAKEN = "another process is writing this folder; wait until it has ended"


def test_a_folder_that_another_process_has_taken_is_refused_until_that_ends(tmp_path):
    with taken_elsewhere(tmp_path) as process:
        with pytest.raises(InputError, match=TAKEN):
            take(tmp_path)
        process.kill()  # the advice: its end alone gives the folder back
        process.wait()
        take(tmp_path).release()


WRITERS = {
    "faces": lambda out: faces.make(out, 1, size=(64, 80), workers=1),
    "pairs": lambda out: write_pairs(out, ["Smiling"], 1, size=(64, 80)),
    "scenes": lambda out: scenes.make(out, 1, workers=1),
    "study": lambda out: StudyFolder.begin(out, "zoom", {}).write_summary({}),
}


def _each(*names):
    """Drawing a face is compiled first."""
    return [pytest.param(name, marks=pytest.mark.slow if name in ("faces", "pairs") else ()) for name in names]


@pytest.mark.parametrize("name", _each(*WRITERS))
def test_whoever_writes_a_folder_takes_it(name, tmp_path):
    with taken_elsewhere(tmp_path / "out"), pytest.raises(InputError, match=TAKEN):
        WRITERS[name](tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    WRITERS[name](tmp_path / "out")
    with take(tmp_path / "out"):  # nothing has kept it
        pass


@pytest.mark.parametrize("name", _each("faces", "scenes", "study"))
def test_killed_before_its_first_file_was_whole_a_set_is_begun_again_in_its_own_folder(name, tmp_path):
    (tmp_path / (".study-ab12cd34.json" if name == "study" else ".card-ab12cd34.json")).write_text("{")
    WRITERS[name](tmp_path)
    assert not list(tmp_path.glob(".*"))


FORKS = """
import os, sys, time
from bincam.folder_lock import take
lock = take(sys.argv[1])
if os.fork() == 0:
    lock.release()
    time.sleep(30)
print("taken", flush=True)
time.sleep(30)
"""


def test_a_worker_that_outlives_a_killed_process_does_not_keep_its_folder(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FORKS, str(tmp_path)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout.readline() == b"taken\n"
        with pytest.raises(InputError, match=TAKEN):
            take(tmp_path)  # what the worker releases is not its parent's
        process.kill()
        process.wait()
        os.killpg(process.pid, 0)  # the worker is there
        until = time.monotonic() + 10
        while True:  # the kernel may close a killed process's files a moment later
            try:
                take(tmp_path).release()
                break
            except InputError:
                assert time.monotonic() < until
                time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


def test_one_process_may_take_a_folder_twice_and_keeps_it_until_the_last_gives_it_back(tmp_path):
    with take(tmp_path):
        take(tmp_path).release()
        assert _refused_elsewhere(tmp_path)
    assert not _refused_elsewhere(tmp_path)


def _refused_elsewhere(folder):
    tried = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return subprocess.run([sys.executable, "-c", tried, str(folder)], capture_output=True, check=False).returncode != 0


def test_a_lock_that_nobody_has_any_more_is_given_back(tmp_path):
    study = StudyFolder.begin(tmp_path / "zoom", "zoom", {})
    assert _refused_elsewhere(tmp_path / "zoom")
    del study
    assert not _refused_elsewhere(tmp_path / "zoom")


def test_folders_made_for_nothing_are_removed_and_others_kept(tmp_path):
    with take(tmp_path / "a" / "b"):
        pass
    assert not (tmp_path / "a").exists()
    (tmp_path / "empty").mkdir()
    with take(tmp_path / "empty"):
        pass
    with take(tmp_path / "used"):
        (tmp_path / "used" / "notes.txt").touch()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["empty", "used"]


def test_only_temporary_files_of_what_is_written_there_are_cleared_away(tmp_path):
    left = [".notes-ab12cd34.txt", "state/.state-0_zz9911.pt", "maps/cam/.part-00001-ab12cd34.npy"]
    kept = [".my-projects.yaml", ".notes-short.txt", "notes-ab12cd34.txt", "other/.notes-ab12cd34.txt", ".env"]
    for name in (*left, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with take(tmp_path, writes=["notes.txt", "state/state.pt", "maps/*/part-*.npy"]):
        pass
    assert [name for name in left if (tmp_path / name).exists()] == []
    assert [name for name in kept if not (tmp_path / name).exists()] == []


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt is a file, not a folder"):
        take(tmp_path / "notes.txt")
