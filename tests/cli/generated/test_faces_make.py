import csv
import json
import sys

import pytest

from bincam import cli
from bincam.cli.generated.faces_make import parse_correlate, parse_size
from bincam.errors import InputError
from bincam.faces import AGES, HAIR_CLASSES
from tests.faces.conftest import fake_renderer

__all__ = ["fake_renderer"]
pytestmark = pytest.mark.usefixtures("fake_renderer")


def run(monkeypatch, *arguments):
    """The exit code of ``bincam ...``."""
    monkeypatch.setattr(sys, "argv", ["bincam", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code or 0


def test_make(tmp_path, monkeypatch, capsys):
    out = tmp_path / "set"
    options = ["--count", 20, "--seed", 2, "--size", "64x80", "--workers", 1, "--set", "Bald=0.5"]
    assert run(monkeypatch, "faces", "make", "--out", out, *options, "--correlate", "Smiling,Male=0.5") == 0
    told = capsys.readouterr()
    assert "20 images" in told.out
    assert "φ of Male and Smiling" in told.out
    assert "Black_Hair 0.239 → 0.189" in told.err
    card = json.loads((out / "card.json").read_text())
    assert card["settings"]["set"] == {"Bald": 0.5}
    assert card["settings"]["correlate"] == {"Male,Smiling": 0.5}


def test_json_is_the_card_and_nothing_else(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "faces", "make", "--out", tmp_path, "--count", 3, "--workers", 1, "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "card.json").read_text())


def test_pairs(tmp_path, monkeypatch, capsys):
    options = ["--attributes", "Bald,Smiling", "--count", 2, "--size", "64x80"]
    assert run(monkeypatch, "faces", "pairs", "--out", tmp_path, *options) == 0
    assert "4 pairs of 2 attributes" in capsys.readouterr().out
    with (tmp_path / "pairs.csv").open() as lines:
        assert [row["attribute"] for row in csv.DictReader(lines)] == ["Bald", "Smiling"] * 2


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--set", "Bald=1", "--set", "Black_Hair=1"], "nearest possible: Bald=0.5, Black_Hair=0.5"),
        (["--set", "Bald=1.5"], "between 0 and 1"),
        (["--set", "Bald"], "--set Bald: expected NAME=SHARE"),
        (["--set", "Bald=half"], "--set Bald=half: expected a finite number"),
        (["--set", "Bald=0.1", "--set", "Bald=0.2"], "--set: 'Bald' is given twice"),
        (["--set", "Blad=0.1"], "did you mean 'Bald'"),
        (["--correlate", "Smiling=0.5"], "--correlate Smiling: expected NAME,NAME=PHI"),
        (["--correlate", "Male,Bald=0.1", "--correlate", "Bald, Male=0.1"], "--correlate: 'Bald,Male' is given twice"),
        (["--correlate", "Bald,Male=0.9"], "nearest possible: 0.179"),
        (["--prevalence", "nothing.csv"], "nothing.csv"),
        (["--size", "32x32"], "too small"),
        (["--size", "big"], "WIDTHxHEIGHT"),
        (["--influence", "Bld"], "did you mean 'Bald'"),
        (["--seed", "-1"], "'--seed'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(tmp_path, monkeypatch, capsys, options, word):
    assert run(monkeypatch, "faces", "make", "--out", tmp_path / "set", "--count", 5, *options) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert word in told.err
    assert not (tmp_path / "set").exists()


def test_parsing():
    assert parse_correlate(["Smiling, Male = -0.8"]) == {("Smiling", "Male"): -0.8}
    assert parse_size("178X218") == (178, 218)
    for text in ("178", "178x", "axb", "1x2x3", "-5x", "²x9", "5x" + "9" * 5000):
        with pytest.raises(InputError):
            parse_size(text)


def test_classes_are_columns_of_a_table_and_leave_the_folder_as_it_is(tmp_path, monkeypatch, capsys):
    from bincam.data import celeba, load, table

    out = tmp_path / "set"
    options = ["--count", 300, "--seed", 2, "--size", "64x80", "--workers", 1]
    assert run(monkeypatch, "faces", "make", "--out", out, *options) == 0
    before = {file: file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}
    capsys.readouterr()
    assert run(monkeypatch, "faces", "classes", out) == 0
    assert capsys.readouterr().out.strip() == str(out / "classes.csv")
    assert {file: file.read_bytes() for file in before} == before
    faces = load(out / "classes.csv")  # data.yaml states how
    stated = table(
        out / "classes.csv",
        images=out / "img_align_celeba",
        split="split",
        identity="person",
        landmarks="celeba",
        one_of_columns={"hair": HAIR_CLASSES, "age": AGES},
    )
    assert (faces.digest(), faces.root) == (stated.digest(), stated.root)
    original = celeba(out)
    assert faces.names[0] == "Male"
    assert (faces.labels[:, 0] == original.labels[:, original.index("Male")]).all()
    assert faces.counts() == original.counts()
    assert (faces.identities == original.identities).all()
    assert (faces.landmarks == original.landmarks).all()
    assert faces.path(3).is_file()
    for colour in ("black", "blond", "brown"):
        own = original.labels[:, original.index(f"{colour.title()}_Hair")]
        assert (faces.labels[:, faces.index(f"hair={colour}")] == own).all()
    ages = faces.labels[:, [faces.index(f"age={age}") for age in AGES]]
    assert (ages.sum(0) > 0).all()
    assert (ages[:, :2].sum(1) == original.labels[:, original.index("Young")]).all()
    assert run(monkeypatch, "faces", "classes", tmp_path / "none") == 2
