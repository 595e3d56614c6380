"""The zoom study on the command line: from an audit and without one, the hard set, and mistakes in one line."""

from __future__ import annotations

import json

import pytest

from bincam.cli.studies import zoom_options
from bincam.data import load
from tests.studies.zoom import planted
from tests.studies.zoom.planted import FACTORY


def test_a_study_of_an_audit_and_its_summary(command, audited, plan):
    done = command("zoom", audited / "audit", *FACTORY, "--plan", plan)
    assert done.code == 0, done.err
    assert "30 images × 10 views = 300 forward passes" in done.err
    assert "Object: own crop 100\u202f%" in done.out
    folder = audited / "audit" / "studies" / "zoom"
    assert done.out.startswith(f"30 images, 10 views, 1 question: {folder}")
    again = command("zoom", audited / "audit", *FACTORY, "--plan", plan, "--resume", "--json")
    assert json.loads(again.out) == json.loads((folder / "summary.json").read_text())
    assert "forward passes" not in again.err  # nothing is left to do
    assert (
        "already contains a study; resume it with --resume"
        in command("zoom", audited / "audit", *FACTORY, "--plan", plan).mistake
    )
    assert (
        "begun with different plan (own, now short)" in command("zoom", audited / "audit", *FACTORY, "--resume").mistake
    )
    assert "so there is no hard set" in command("zoom", audited / "audit", "--hard", audited / "none").mistake


def test_an_interrupted_study_says_how_it_goes_on(command, audited, plan, tmp_path, monkeypatch):
    from bincam.studies.zoom.looking import shards

    own = ["--model", audited / "model", *FACTORY, "--data", audited / "pictures", "--out", tmp_path / "zoom"]

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "photograph", interrupted)
    done = command("zoom", *own, "--plan", plan)
    assert done.code == 130
    assert done.err.splitlines()[-1] == "bincam: interrupted; the same command with --resume resumes the study"
    monkeypatch.undo()
    assert command("zoom", *own, "--plan", plan, "--resume").code == 0


def test_the_hard_set_is_a_table_and_a_sheet(command, tmp_path):
    from bincam.data.readers.faces.celeba_writer import write_attributes

    table = planted.pictures(tmp_path / "pictures")
    labels = table.labels.copy()
    labels[[1, 4], 0] = 1  # there is no red square
    write_attributes(tmp_path / "pictures" / "list_attr_celeba.txt", table.ids, table.names, labels)
    planted.audited(tmp_path / "other")
    own = ["--model", tmp_path / "other" / "model", *FACTORY, "--data", tmp_path / "pictures"]
    done = command("zoom", *own, "--out", tmp_path / "zoom", "--hard", tmp_path / "hard")
    assert done.code == 0, done.err
    assert done.out.startswith("2 images of 30 that no view gets right (2 on the contact sheet): ")
    assert (tmp_path / "hard" / "contact-sheet.png").read_bytes().startswith(b"\x89PNG")
    assert load(tmp_path / "hard" / "hard.csv").ids == (table.ids[1], table.ids[4])
    described = command("data", "describe", tmp_path / "hard" / "hard.csv", "--json")
    assert described.code == 0, described.err
    read = command("zoom", "--out", tmp_path / "zoom", "--hard", tmp_path / "again", "--json")
    assert json.loads(read.out)["questions"]["Object"]["hard"] == 2
    audit = command(
        "audit", *own[:4], "--data", tmp_path / "hard" / "hard.csv", "--out", tmp_path / "audit", "--gate-images", "0"
    )
    assert audit.code == 0, audit.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "x"], "leave out --out"),
        (["--split", "train"], "leave out --split"),
        (["--plan", "long"], "unknown plan of views 'long'"),
        (["--plan", "gone.yaml"], "--plan gone.yaml: no such file"),
        (["--limit", "3", "--plan", "{file}"], "expected a list of views [S, row, column]"),
        (["--model", "{model}/nowhere"], "--model and --factory name two models"),
        (["--data", "nowhere.csv"], "nowhere.csv: no such folder or file"),
    ],
)
def test_mistakes_in_one_line(command, audited, tmp_path, words, message):
    (tmp_path / "odd.yaml").write_text("views: [here, there]")
    typed = [word.format(file=tmp_path / "odd.yaml", model=audited / "model") for word in words]
    assert message in command("zoom", audited / "audit", *FACTORY, *typed).mistake


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "a plan without views"),
        ("[[64, 1, 1], [64, 1, 1]]", "the plan repeats 1 view, first (64, 1, 1)"),
        ("[[64, 1, 3]]", "anchors from 0 to 2"),
        ("[[.nan, 1, 1]]", "expected a list of views"),
        ("[64, 1, 1]", "expected a list of views"),
        ("just: words", "expected a list of views"),
    ],
)
def test_plans_that_are_none(tmp_path, text, message):
    from bincam.errors import InputError

    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(InputError) as told:
        zoom_options.read_plan(str(tmp_path / "plan.yaml"), (32, 32))
    assert message in str(told.value)
    assert str(tmp_path / "plan.yaml") in str(told.value)


def test_what_is_missing_is_said(command, tmp_path):
    assert "name an audit's folder, or --model" in command("zoom").mistake
    assert "state which images" in command("zoom", "--out", tmp_path / "zoom").mistake
    assert "no such folder" in command("zoom", tmp_path / "none").mistake


def test_a_model_that_has_moved_is_named(command, tmp_path, plan):
    folder = tmp_path / "here"
    planted.audited(folder)
    (folder / "model").rename(tmp_path / "moved")
    lost = command("zoom", folder / "audit", *FACTORY, "--plan", plan).mistake
    assert "name the audited model with --model" in lost
    found = command("zoom", folder / "audit", "--model", tmp_path / "moved", *FACTORY, "--plan", plan)
    assert found.code == 0, found.err
    (folder / "pictures").rename(tmp_path / "elsewhere")
    gone = command("zoom", folder / "audit", "--model", tmp_path / "moved", *FACTORY, "--plan", plan, "--resume")
    assert "name the audited data with --data" in gone.mistake
    there = command(
        "zoom", folder / "audit", "--model", tmp_path / "moved", *FACTORY, "--plan", plan, "--resume",
        "--data", tmp_path / "elsewhere",
    )  # fmt: skip
    assert there.code == 0, there.err
