"""``data.yaml``: how a data set is read, stated once."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from bincam.data import load
from bincam.data.readers.data_file import FILE, save_reading, stated
from bincam.errors import BincamWarning, InputError

TEXT = "file,race,Smiling,fold\na.png,White,1,train\nb.png,Black,0,test\n"
OPTIONS = {"path": "file", "split": "fold", "one_of_columns": {"race": None}}


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "tables" / "mine.csv"
    file.parent.mkdir()
    file.write_text(TEXT)
    return file


def test_a_table_is_read_as_it_was_saved_wherever_its_folder_is(mine, tmp_path):
    first = load(mine, images=tmp_path / "tables" / "photos", **OPTIONS)
    file = save_reading(mine, first.reading)
    assert file == mine.parent / FILE
    assert "images: photos\n" in file.read_text()
    again = load(mine)
    assert (again.digest(), again.root, again.reading) == (first.digest(), first.root, first.reading)
    shutil.move(mine.parent, tmp_path / "moved")
    assert load(tmp_path / "moved" / "mine.csv").root == tmp_path / "moved" / "photos"


def test_images_outside_of_the_folder_are_relative_unless_they_were_absolute(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_reading("tables/mine.csv", {**OPTIONS, "images": "photos"})
    assert "images: ../photos\n" in (mine.parent / FILE).read_text()
    assert load("tables/mine.csv").path(0).resolve() == tmp_path / "photos" / "a.png"
    save_reading("tables/mine.csv", {**OPTIONS, "images": "/elsewhere"})
    assert load("tables/mine.csv").path(0) == Path("/elsewhere/a.png")


def test_given_options_win_and_say_so(mine):
    save_reading(mine, {**OPTIONS, "one_of_invalid": "unknown"})
    with (
        pytest.warns(BincamWarning, match=r"data\.yaml states path file; the given image replaces it") as told,
        pytest.raises(InputError, match="no column 'image' of image paths"),
    ):
        load(mine, path="image")
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(mine, path="file", groups=()).counts() == {"train": 1, "test": 1}  # the same, or not stated there


def test_every_data_set_of_a_folder_has_its_own_entry(mine, folder):
    save_reading(folder, {"variant": "aligned"})
    other = folder / "mine.csv"
    shutil.copy(mine, other)
    save_reading(other, OPTIONS)
    assert stated(folder) == (folder / FILE, {"variant": "aligned"})
    assert stated(other) == (folder / FILE, OPTIONS)
    assert load(folder).reading == {"variant": "aligned"}
    assert stated(folder / "third.csv") is None
    assert stated("orl") is None
    with pytest.raises(InputError, match=r"orl: no folder for data\.yaml"):
        save_reading("orl", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: bincam-data\nschema: 1\ntable: {}\n", "unknown key 'table'; did you mean 'tables'"),
        ("kind: bincam-dta\nschema: 1\ntables: {}\n", "expected kind: bincam-data, got 'bincam-dta'"),
        ("tables: {mine.csv: {split: fold}}\n", "expected kind: bincam-data, got None"),
        ("kind: bincam-data\nschema: 2\ntables: {}\n", "schema 2, but this bincam reads schema 1"),
        ("kind: bincam-data\nschema: true\ntables: {}\n", "schema True, but this bincam reads schema 1"),
        ("kind: bincam-data\nschema: 1\ntables: [mine.csv]\n", "tables: expected the names of tables"),
        ("kind: bincam-data\nschema: 1\ntables: false\n", "tables: expected the names of tables"),
        ("kind: [\n", "not YAML"),
        ("just text\n", "expected the keys kind, schema and tables, got str"),
        ("kind: bincam-data\nschema: 1\ntables: {mine.csv: split}\n", "mine.csv: expected options by name"),
        ("{spilt: fold}", "mine.csv: unknown key 'spilt'; did you mean 'split'"),
        ("{split: 9999-99-99}", r"data\.yaml:\d+: not YAML: month must be in 1\.\.12"),
        ("{split: " + "[" * 3000 + "]" * 3000 + "}", "not YAML: nested too deeply"),
        ("{split: 1}", "mine.csv: split is 1; expected a name"),
        ("{attributes: Smiling}", "mine.csv: attributes is Smiling; expected a list of names"),
        ("{labels: 1/0}", "mine.csv: labels is 1/0; expected '0/1'"),
        ("{one_of_columns: {race: [yes, no]}}", "each in quotes if it is a number, yes or no"),
        ("{one_of: {race: White}}", "expected a list of columns by the name of each set"),
        ("{landmarks: [x]}", r"landmarks are 10 columns, got 1"),
        ("{variant: wild}", "variant does not apply to this kind of data set"),
    ],
)
def test_what_cannot_be_is_one_line(mine, text, told):
    whole = text if "\n" in text else f"kind: bincam-data\nschema: 1\ntables: {{mine.csv: {text}}}\n"
    (mine.parent / FILE).write_text(whole)
    with pytest.raises(InputError, match=told) as error:
        load(mine)
    assert "\n" not in str(error.value)


def test_the_file_of_another_program_is_neither_used_nor_overwritten(mine):
    foreign = "train: images/train\nnc: 2\nnames: [cat, dog]\n"
    (mine.parent / FILE).write_text(foreign)
    assert stated(mine) is None
    with pytest.raises(InputError, match="is another program's"):
        save_reading(mine, OPTIONS)
    assert (mine.parent / FILE).read_text() == foreign


def test_a_faulty_entry_is_not_saved(mine):
    with pytest.raises(InputError, match="unknown key 'fold'"):
        save_reading(mine, {"fold": 1})
    assert not (mine.parent / FILE).exists()
