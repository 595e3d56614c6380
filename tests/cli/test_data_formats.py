"""``bincam data formats``, and ``--format``, ``--labels`` and ``--data-option`` where a data set is read."""

from __future__ import annotations

import json

import pytest

from bincam.data.readers import formats


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("image,A,camera\na.png,1,x\nb.png,0,x\nc.png,-1,y\n")
    return file


def test_formats_are_listed_and_their_options(command):
    listed = json.loads(command("data", "formats", "--json").out)
    assert [entry["name"] for entry in listed] == list(formats.formats())
    assert "one_of_invalid" in command("data", "formats", "table").out
    assert "'table'" in command("data", "formats", "tabel").mistake


def test_what_is_no_data_set_is_a_mistake_and_no_problem_of_the_data(command, tmp_path):
    (tmp_path / "t.txt").touch()
    assert "of no format that is known by its files" in command("data", "check", tmp_path / "t.txt").mistake
    assert "no such folder or file" in command("data", "check", tmp_path / "u.txt").mistake


def test_values_are_stated_and_told(command, table):
    stated = ("--format", "table", "--labels", "1=yes,0=no,-1=unknown", "--data-option", "groups=camera")
    told = command("data", "describe", table, *stated, "--save")
    assert "labels: 1 = yes, 0 = no, -1 = unknown, empty = unknown" in told.out
    again = command("data", "describe", table, "--json")
    assert json.loads(again.out)["meaning"] == ["labels: 1 = yes, 0 = no, -1 = unknown, empty = unknown"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--labels", "1=yes,0"), "'0'; expected VALUE=yes, no or unknown"),
        (("--labels", "1=yes,0=no,1=no"), "'1=no'; expected VALUE=yes"),
        (("--labels", "1=yes,0=maybe"), "labels: 0 is 'maybe'"),
        (("--labels", "yes"), "expected one of 0/1"),
        (("--format", "tabel"), "'table'"),
        (("--data-option", "variant=wild"), "variant does not apply to this kind of data set (table)"),
        (("--data-option", "groups"), "expected NAME=VALUE"),
        (("--data-option", "one_of_invalid=maybe"), "expected one of 'refuse', 'unknown'"),
        (("--data-option", "split=camera", "--split-column", "camera"), "stated by an option of its own, too"),
    ],
)
def test_a_mistyped_option_is_one_line(command, table, words, text):
    assert text in command("data", "describe", table, *words).mistake
