"""The command's edge: a full disk, an impossible name, an unreadable folder are one line, and no half file is left."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest

from bincam.cli.edge import fault
from bincam.errors import InputError
from tests.report.conftest import finished_audit


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("wrong"), "wrong"),
        (OSError(errno.ENOSPC, "No space left on device", "maps.npy"), "maps.npy: No space left on device"),
        (OSError(errno.EXDEV, "Cross-device link", b"a", None, "b\n"), r"a → b\n: Cross-device link"),
        (OSError("no number"), "no number"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), ""),
        (UnicodeEncodeError("ascii", "é", 0, 1, "not ascii"), "'é' contains what ascii cannot write (not ascii)"),
        (MemoryError(), "out of memory"),
        (TypeError("a fault of the program"), None),
    ],
)
def test_what_a_user_or_the_machine_causes_is_a_line_and_nothing_else_is(error, line):
    told = fault(error)
    assert told is None if line is None else told is not None and told.startswith(line)
    if line == "":
        assert told == ""


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits")
    few = {"images": 24, "attributes": ("Smiling", "Bald", "Young"), "prevalence": (0.5, 0.3, 0.6)}
    return [finished_audit(folder / name, seed=seed, **few) for seed, name in enumerate("ab")]


@contextlib.contextmanager
def full_disk(size):
    """Refuse to make any file larger than this, as a disk does on which no more is left."""
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1][1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former[1])
        signal.signal(signal.SIGXFSZ, former[0])


COMMANDS = {
    "compare": ["compare", "a", "b", "--out", "new"],
    "gate": ["gate", "a", "--rule", "error<=0.5", "--rule", "gain>=0.1", "--junit", "new/junit.xml"],
    "summarise": ["summarise", "a"],
    "report": ["report", "a", "--out", "new/report.html"],
    "sheet": ["scenes", "sheet", "--out", "new/sheet.png", "--count", "2"],
    "describe": ["data", "describe", "table.csv", "--save", "--out", "new"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_a_line_and_leaves_no_half_file(command, audits, tmp_path, name):
    for audit in audits:
        shutil.copytree(audit, tmp_path / audit.name)
    (tmp_path / "table.csv").write_text("image," + ",".join(f"a{i}" for i in range(90)) + "\n" + "x.png" + ",1" * 90)
    words = [
        str(tmp_path / word) if word in ("a", "b", "new", "table.csv") or "/" in word else word
        for word in COMMANDS[name]
    ]
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with full_disk(200):
        outcome = command(*words)
    assert outcome.code == 2, outcome
    *_, last = outcome.err.splitlines()
    assert last.startswith("bincam: ")
    assert "File too large" in last, last
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert {file: after.get(file) for file in before} == before
    assert all(file.stat().st_size <= 200 and not file.name.startswith(".") for file in after.keys() - before.keys())


def test_stdout_on_a_full_disk_is_a_line(tmp_path):
    (tmp_path / "t.csv").write_text("image,Bald\na.png,1\n")
    words = [sys.executable, "-m", "bincam", "data", "describe", str(tmp_path / "t.csv"), "--json"]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "bincam: No space left on device\n")


def test_impossible_names_are_a_line(command, tmp_path, audits):
    long = tmp_path / ("n" * 300)
    assert "File name too long" in command("report", audits[0], "--out", long / "x.html").mistake
    assert "File name too long" in command("data", "describe", long).mistake


def test_a_folder_that_cannot_be_listed_is_a_line(command, tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()

    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(os, "listdir", refuse)
    assert "photos: cannot be read: Permission denied" in command("explain", tmp_path / "photos", "--json").mistake
