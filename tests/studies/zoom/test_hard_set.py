"""The hard set: the right images, a table that is read again without options, and what it refuses."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from bincam.data import load
from bincam.errors import InputError
from bincam.studies.zoom import Subject, run_zoom, write_hard_set
from bincam.studies.zoom.hard_set import find_hard
from tests.studies.zoom import planted
from tests.studies.zoom.planted import shaded, shades


def lines(file):
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))


@pytest.fixture
def mistaken(tmp_path):
    """Six images of a set, of which the last two are right in no view."""
    table = shaded(tmp_path / "data", [5, 120, 250, 5, 5, 10], ["dark", "grey", "bright", "dark", "bright", "grey"])
    whole_views = [(32, 1, 1), (64, 0, 0), (64, 2, 2)]
    from bincam.inference import view_plan

    return run_zoom(
        Subject.of_data(shades(), table, split=None), view_plan(whole_views, (32, 32)), tmp_path / "zoom"
    ), table


def test_a_set_is_written_with_its_classes_and_read_again(mistaken, tmp_path):
    study, table = mistaken
    hard = write_hard_set(study, tmp_path / "hard")
    assert hard.rows == [4, 5]
    assert [(entry.true, entry.taken_for, entry.share) for entry in hard.mistaken] == [
        ("bright", "dark", 1.0),
        ("grey", "dark", 1.0),
    ]
    again = load(tmp_path / "hard" / "hard.csv")
    assert again.ids == ("4.png", "5.png")
    assert all(again.path(row).is_file() for row in range(2))
    assert again.one_of == {"shade": ("shade=dark", "shade=grey", "shade=bright")}
    assert np.array_equal(again.labels, table.labels[4:])
    assert again.counts() == {"test": 2}
    assert lines(tmp_path / "hard" / "taken-for.csv")[1] == ["4.png", "shade", "bright", "dark", "1.0000"]
    with pytest.raises(InputError, match="exists already"):
        write_hard_set(study, tmp_path / "hard")


def test_people_and_questions_are_columns(audited, tmp_path):
    _, _, table = audited
    labels = table.labels.copy()
    labels[[1, 4]] = 1  # no red square, so no view says yes
    labels[5] = np.nan
    both = replace(
        table, labels=np.concatenate([labels, 1 - labels], 1), names=("Object", "None"),
    )  # fmt: skip
    two = planted.reader(0, names=("Object", "None"))
    study = run_zoom(Subject.of_data(two, both), planted.plan(), tmp_path / "zoom")
    expected = {row for q in ("Object", "None") for row in wrong_everywhere(study, q)}
    hard = write_hard_set(study, tmp_path / "hard")
    assert set(hard.rows) == expected
    assert {1, 4} <= expected
    again = load(tmp_path / "hard" / "hard.csv")
    assert again.names == ("Object", "None")
    assert again.identities is not None
    assert set(again.groups) == {"hard"}
    assert np.array_equal(again.labels, both.labels[hard.rows], equal_nan=True)


def wrong_everywhere(study, name):
    answers, true = study.answers(name)
    return [row for row in range(len(true)) if true[row] >= 0 and not (answers[row] == true[row]).any()]


def test_nothing_is_hard(study, tmp_path):
    assert find_hard(study).mistaken == ()
    with pytest.raises(InputError, match=r"some view gets each of the 30 images right"):
        write_hard_set(study, tmp_path / "hard")


def test_a_file_in_its_place_is_refused(mistaken, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file, not a folder"):
        write_hard_set(mistaken[0], tmp_path / "file")
