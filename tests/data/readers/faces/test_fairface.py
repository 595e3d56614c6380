from __future__ import annotations

import pytest

from bincam.data import load
from bincam.data.readers.faces.fairface import AGES, RACES
from bincam.errors import BincamWarning, InputError

HEAD = "file,age,gender,race,service_test\n"
TRAIN = (
    HEAD + "train/1.jpg,50-59,Male,East Asian,True\ntrain/2.jpg,3-9,Female,Latino_Hispanic,False\n"
    "train/3.jpg,more than 70,Female,White,False\n"
)
VAL = HEAD + "val/1.jpg,0-2,Male,Middle Eastern,True\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fairface_label_train.csv").write_text(TRAIN)
    (tmp_path / "fairface_label_val.csv").write_text(VAL)
    return tmp_path


def true(read):
    return [{n for n, label in zip(read.names, row, strict=True) if label == 1} for row in read.labels.tolist()]


def test_age_and_race_are_sets_and_ages_are_texts(folder):
    read = load(folder)
    assert read.ids == ("train/1.jpg", "train/2.jpg", "train/3.jpg", "val/1.jpg")
    assert read.counts() == {"train": 3, "validation": 1}
    assert read.one_of == {
        "age": tuple(f"age={age}" for age in AGES),
        "race": tuple(f"race={race}" for race in RACES),
    }
    assert true(read) == [
        {"Male", "age=50-59", "race=East Asian"},
        {"age=3-9", "race=Latino_Hispanic"},
        {"age=more than 70", "race=White"},
        {"Male", "age=0-2", "race=Middle Eastern"},
    ]
    assert read.labels[:, read.index("Male")].tolist() == [1, 0, 0, 1]
    assert read.groups["service_test"].tolist() == ["True", "False", "False", "True"]
    assert read.meaning[-1] == "gender: Male = yes, Female = no (attribute Male)"
    assert load(folder, **read.reading).digest() == read.digest()
    assert load(folder, images="/photos").path(0).as_posix() == "/photos/train/1.jpg"


def test_gender_may_be_a_set(folder):
    read = load(folder, gender="set")
    assert read.one_of["gender"] == ("gender=Male", "gender=Female")
    assert "Male" not in read.names
    assert true(read)[1] == {"age=3-9", "race=Latino_Hispanic", "gender=Female"}
    (folder / "fairface_label_train.csv").unlink()
    assert load(folder).counts() == {"validation": 1}


@pytest.mark.parametrize(
    ("cell", "other", "text"),
    [
        ("3-9", "2003-09-01", r"label_train\.csv:3: column 'age': '2003-09-01' is none of the classes"),
        ("3-9", "09-Mar", "column 'age': '09-Mar' is none of the classes stated"),  # a spreadsheet's date
        ("Male,East", "male?,East", r"label_train\.csv:2: 'male\?' in attribute column 'gender'"),
        ("White", "", r"label_train\.csv:4: column 'race': no class"),
        ("race,", "ethnicity,", r"label_train\.csv:1: no column 'race'; FairFace's are file, age"),
    ],
)
def test_other_values_are_refused_with_their_place(folder, cell, other, text):
    (folder / "fairface_label_train.csv").write_text(TRAIN.replace(cell, other, 1))
    with pytest.raises(InputError, match=text):
        load(folder)


def test_faces_without_a_race_may_be_unknown(folder):
    (folder / "fairface_label_train.csv").write_text(TRAIN.replace("White", ""))
    with pytest.warns(BincamWarning, match="set 'race': 1 row without a true label"):
        read = load(folder, one_of_invalid="unknown")
    assert true(read)[2] == {"age=more than 70"}
    with pytest.raises(InputError, match="gender='other': expected one of 'attribute', 'set'"):
        load(folder, gender="other")
