"""Tables read for a model: its outputs, whatever else the table contains."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

from bincam.data import load_for_outputs
from bincam.data.readers.data_file import save_reading
from bincam.errors import BincamWarning, InputError

TEXT = "image,who,remark,Smiling,Bald,White,Black,score\n1.png,ann,blurred,1,0,1,0,.5\n2.png,ben,,0,1,0,1,.25\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_other_columns_are_left_aside_and_named(file, suffix):
    if suffix == ".parquet":
        pd.read_csv(file).to_parquet(file.with_suffix(suffix))
    with pytest.warns(BincamWarning, match="left aside, .*: remark, White, Black, score$"):
        table = load_for_outputs(file.with_suffix(suffix), ["Bald", "Hat", "Smiling"], identity="who")
    assert table.names == ("Bald", "Smiling")
    assert table.reading == {"identity": "who", "attributes": ["Bald", "Smiling"]}


def test_what_is_stated_is_not_left_aside(file):
    with pytest.warns(BincamWarning, match="left aside, .*: Smiling, score$"):
        table = load_for_outputs(file, ["Bald"], identity="who", groups=["remark"], one_of={"race": ["White", "Black"]})
    assert table.names == ("Bald", "White", "Black")
    with pytest.warns(BincamWarning, match="left aside"):
        alone = load_for_outputs(file, ["race=White"], one_of={"race": ["White", "Black"]})
    assert alone.one_of == {"race": ("White", "Black")}


def test_stated_attributes_are_read_instead(file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_for_outputs(file, ["Bald"], attributes=["Smiling"]).names == ("Smiling",)
        save_reading(file, {"attributes": ["White"]})
        assert load_for_outputs(file, ["Bald"]).names == ("White",)


def test_no_output_is_a_column(file):
    with pytest.raises(InputError, match="the model has Hat, Tie, and the table") as error:
        load_for_outputs(file, ["Hat", "Tie"])
    assert "who, remark, Smiling, Bald, White and 2 more" in str(error.value)
    file.write_text("image,Hat\n")
    with pytest.raises(InputError, match="no rows"):
        load_for_outputs(file, ["Hat"])


def test_a_column_that_is_an_output_must_contain_labels(file):
    with pytest.raises(InputError, match=r"mine\.csv:2: 'blurred' in attribute column 'remark'"):
        load_for_outputs(file, ["remark"])


def test_folders_are_read_whole(folder):
    assert load_for_outputs(folder, ["Bald"]).names == ("Bald", "Smiling", "Male")
    with pytest.raises(InputError, match="no such folder or file"):
        load_for_outputs(folder / "nowhere", ["Bald"])


def test_outputs_of_a_stated_set_are_not_looked_for_among_the_columns(file):
    sets = {"race": ("White", "Black"), "mood": ("Smiling", "Bald")}
    outputs = ["White", "Black", "Smiling", "Bald"]
    options = {"one_of_columns": {"who": ["ann", "ben"]}, "one_of_names": {"who": "race"}}
    with pytest.warns(BincamWarning, match="left aside, .*: remark, White, Black, score$"):
        table = load_for_outputs(file, outputs, sets, **options)
    assert table.names == ("Smiling", "Bald", "race=ann", "race=ben")
