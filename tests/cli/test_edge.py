"""The command's edge: a full disk, an impossible name, an unreadable folder are one line, and no half file is left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from bincam.cli.edge import fault
from bincam.errors import InputError
from tests.report.conftest import bare_audit


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
    return [bare_audit(tmp_path_factory.mktemp("audits") / "a", images=24)]


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


@pytest.mark.parametrize("ending", [".5", ".gif", ".html"])
def test_a_name_whose_ending_is_of_another_format_is_refused_before_any_work(command, tmp_path, audits, ending):
    file = tmp_path / f"x{ending}"
    words = {
        "png": ["scenes", "sheet", "--count", "1"],
        "svg": ["data", "regions", tmp_path / "nowhere"],
        "png, or": ["faces", "sheet", "--count", "1"],
        "html": ["report", audits[0]],
    }
    for ends, typed in words.items():
        if ending[1:] not in ends:
            assert f"x{ending}: cannot be written: its name has to end in" in command(*typed, "--out", file).mistake
    assert list(tmp_path.iterdir()) == []


def test_a_figure_without_an_ending_is_a_png_and_nothing_else_is_left(tmp_path):
    from matplotlib.figure import Figure

    from bincam.report.figures.audited.dataset import save

    save(Figure(), tmp_path / "regions")
    (only,) = tmp_path.iterdir()
    assert only.name == "regions"
    assert only.read_bytes().startswith(b"\x89PNG")
    save(Figure(), tmp_path / "regions.SVG")
    assert b"<svg" in (tmp_path / "regions.SVG").read_bytes()
    with pytest.raises(InputError, match=r"regions\.5: cannot be written: its name has to end in \.jpeg or"):
        save(Figure(), tmp_path / "regions.5")
