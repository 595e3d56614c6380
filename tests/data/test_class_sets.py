"""Sets of outputs that exclude one another, read from tables and folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bincam.data import AttributeTable, load, orl, table, write_celeba
from bincam.data.check import check
from bincam.errors import BincamWarning, InputError
from tests.data.conftest import make_images, make_table

RACES = "image,split,Male,race\n1.png,train,1,White\n2.png,train,0,Black\n3.png,val,1,White\n4.png,test,,Asian\n"
HOT = "image,Male,White,Black\n1.png,1,1,0\n2.png,0,0,1\n3.png,1,1,0\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "t.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_column_of_class_names_is_a_set(tmp_path):
    faces = table(write(tmp_path, RACES), split="split", one_of_columns=["race"])
    assert faces.names == ("Male", "race=Asian", "race=Black", "race=White")
    assert faces.one_of == {"race": ("race=Asian", "race=Black", "race=White")}
    np.testing.assert_array_equal(faces.labels[:, 1:], [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    stated = load(tmp_path / "t.csv", split="split", one_of_columns={"race": ["White", "Black", "Asian", "Indian"]})
    assert stated.one_of["race"] == ("race=White", "race=Black", "race=Asian", "race=Indian")
    assert stated.labels[:, -1].tolist() == [0, 0, 0, 0]  # a class that the data have not


def test_attributes_may_name_sets_and_their_outputs(tmp_path):
    file = write(tmp_path, RACES)
    options = {"split": "split", "one_of_columns": ["race"]}
    assert table(file, attributes=["race", "Male"], **options).names[-1] == "Male"
    assert table(file, attributes=["Male"], **options).names[1:] == ("race=Asian", "race=Black", "race=White")
    part = table(file, attributes=["race=White", "Male"], **options)
    assert (part.names, part.one_of) == (("race=White", "Male"), {})  # kept in part: a yes-or-no attribute
    with pytest.raises(InputError, match="no column 'Mole'; did you mean 'Male'"):
        table(file, attributes=["Mole"], **options)
    with pytest.raises(InputError, match=r"unknown attribute 'race=Whte'; did you mean 'race=White'"):
        table(file, attributes=["race=Whte"], **options)
    with pytest.raises(InputError, match="no column 'rice'"):
        table(file, split="split", one_of_columns=["rice"])


def test_one_hot_columns_are_a_set(tmp_path):
    file = write(tmp_path, HOT)
    faces = table(file, one_of={"race": ["Black", "White"]})
    assert (faces.names, faces.one_of) == (("Male", "White", "Black"), {"race": ("Black", "White")})
    assert table(file, attributes=["Male"], one_of={"race": ["White", "Black"]}).names == ("Male", "White", "Black")


def test_rows_with_none_of_the_columns_may_be_a_class(tmp_path):
    file = write(tmp_path, HOT + "4.png,1,0,0\n")
    faces = table(file, one_of={"race": ["White", "Black"]}, one_of_rest={"race": "Other"})
    assert faces.one_of == {"race": ("White", "Black", "Other")}
    assert faces.labels[:, 3].tolist() == [0, 0, 0, 1]
    with pytest.raises(InputError, match="'Male', which is a column already"):
        table(file, one_of={"race": ["White", "Black"]}, one_of_rest={"race": "Male"})
    with pytest.raises(InputError, match=r"t\.csv:6: set 'race' has 2 true labels"):
        table(write(tmp_path, HOT + "4.png,1,0,0\n5.png,1,1,1\n"), one_of={"race": ["White", "Black"]},
              one_of_rest={"race": "Other"})  # fmt: skip


def test_classes_are_ordered_by_the_numbers_in_them(tmp_path):
    ages = ["70+", "10-19", "0-2", "3-9"]
    file = write(tmp_path, "image,age\n" + "".join(f"{i}.png,{age}\n" for i, age in enumerate(ages)))
    assert table(file, one_of_columns=["age"]).names == ("age=0-2", "age=3-9", "age=10-19", "age=70+")


def test_parquet_gives_the_same_as_csv(tmp_path):
    frame = pd.DataFrame({"image": ["1", "2", "3"], "age": [10, 3, 10], "sex": pd.Categorical(["m", "f", "m"])})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    first, second = (table(tmp_path / name, one_of_columns=["age", "sex"]) for name in ("t.parquet", "t.csv"))
    assert first.digest() == second.digest()
    assert first.one_of == {"age": ("age=3", "age=10"), "sex": ("sex=f", "sex=m")}


@pytest.mark.parametrize(
    ("row", "place", "message"),
    [
        ("9.png,1,0,0", 5, r"set 'race' has no true labels \(in all 1 row without a true label\)"),
        ("9.png,1,1,1", 5, r"set 'race' has 2 true labels \(in all 1 row with several\)"),
        ("9.png,1,1,", 5, "set 'race' has 1 true label and unknown ones"),
        ("9.png,1,0,", 5, "set 'race' has no true labels and unknown ones"),
        ("9.png,1,,", 5, "set 'race' has no true labels, all of them are unknown"),
    ],
)
def test_a_row_without_exactly_one_true_label_is_refused_or_unknown_by_choice(tmp_path, row, place, message):
    file = write(tmp_path, HOT + row + "\n")
    sets = {"race": ["White", "Black"]}
    with pytest.raises(
        InputError,
        match=rf"t\.csv:{place}: {message}.*one_of_invalid='unknown'",
    ):
        table(file, one_of=sets)
    with pytest.warns(BincamWarning, match=r"set 'race': 1 row .*, of 4; their labels of the set are unknown"):
        faces = table(file, one_of=sets, one_of_invalid="unknown")
    assert np.isnan(faces.labels[3, 1:]).all()
    assert faces.labels[3, 0] == 1
    assert faces.describe().sets["race"][0].unknown == 1


def test_an_empty_or_unstated_class_is_refused_or_unknown_by_choice(tmp_path):
    file = write(tmp_path, "image,race\n1.png,White\n2.png,\n3.png,Black\n4.png,Whit\n")
    with pytest.raises(InputError, match=r"t\.csv:3: column 'race': no class \(in all 1 row\)"):
        table(file, one_of_columns=["race"])
    with pytest.raises(
        InputError, match=r"t\.csv:5: column 'race': 'Whit' is none of the classes stated; did you mean 'White"
    ):
        table(write(tmp_path, "image,race\n1.png,White\n2.png,Black\n3.png,Black\n4.png,Whit\n"),
              one_of_columns={"race": ["White", "Black"]})  # fmt: skip
    with pytest.warns(BincamWarning, match="set 'race': 2 rows without a true label, of 4"):
        faces = table(
            write(tmp_path, "image,race\n1.png,White\n2.png,\n3.png,Black\n4.png,Whit\n"),
            one_of_columns={"race": ["White", "Black"]},
            one_of_invalid="unknown",
        )
    assert np.isnan(faces.labels).any(1).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"one_of": {"race": ["White"]}}, "has 1 output; of a set exactly one output is true"),
        ({"one_of": {"race": ["White", "Blck"]}}, "set 'race' names 'Blck'; did you mean 'Black'"),
        ({"one_of": {"race": ["White", "Black"], "x": ["Male", "Black"]}}, "sets do not overlap"),
        ({"one_of": {"race": "White"}}, "a list of names"),
        ({"one_of": ["race"]}, "expected a mapping"),
        ({"one_of_columns": "race"}, "expected a list of columns"),
        (
            {"one_of_columns": ["Male"], "one_of": {"Male": ["White", "Black"]}},
            "stated by a column of class names and by",
        ),
        ({"one_of_columns": {"Male": ["1"]}}, "has 1 output"),
        ({"one_of_rest": {"race": "Other"}}, "names the set 'race'; none are known"),
        ({"one_of": {"race": ["White", "Black"]}, "one_of_rest": {"race": " "}}, "expected the name of the further"),
        ({"one_of_invalid": "drop"}, "one_of_invalid='drop': expected one of refuse, unknown"),
    ],
)
def test_statements_that_cannot_be_are_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        table(write(tmp_path, HOT), **options)


def test_a_column_with_a_single_class_is_no_set(tmp_path):
    file = write(tmp_path, "image,race\n1.png,White\n2.png,White\n")
    with pytest.raises(InputError, match=r"contains the single class 'White'; of a set .*--one-of-column race=CLASS,"):
        table(file, one_of_columns=["race"])
    assert table(file, one_of_columns={"race": ["White", "Black"]}).labels.tolist() == [[1, 0], [1, 0]]


def test_celeba_attributes_can_be_a_set(tmp_path):
    labels = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]], np.float32)
    names = ("Black_Hair", "Blond_Hair", "Male")
    written = make_table(3, names=names)
    faces = AttributeTable(names, labels, written.ids, ".", splits=written.splits)
    write_celeba(faces, make_images(3), tmp_path / "set")
    hair = {"hair": ["Black_Hair", "Blond_Hair"]}
    read = load(tmp_path / "set", one_of=hair, one_of_rest={"hair": "Other_Hair"})
    assert read.one_of == {"hair": ("Black_Hair", "Blond_Hair", "Other_Hair")}
    assert read.labels[:, 3].tolist() == [0, 0, 1]
    with pytest.raises(InputError, match=r"list_attr_celeba\.txt:5: set 'hair' has no true labels "):
        load(tmp_path / "set", one_of=hair)
    with pytest.raises(InputError, match="one_of_columns does not apply to this kind of data set"):
        load(tmp_path / "set", one_of_columns=["hair"])


def sets_table(n: int = 60) -> AttributeTable:
    classes = np.arange(n) % 10 // 4  # 4, 4 and 2 of ten
    labels = np.concatenate([np.eye(3)[classes], (np.arange(n) % 3 == 0)[:, None]], axis=1)
    labels[-1, :3] = np.nan
    splits = np.repeat(["train", "validation", "test"], n // 3)
    return AttributeTable(
        ("a", "b", "c", "Male"), labels, [f"{i}.png" for i in range(n)], "photos", splits=splits,
        one_of={"kind": ("a", "b", "c")},
    )  # fmt: skip


def test_rows_splits_folds_and_subsets_keep_sets():
    faces = sets_table()
    for part in (faces.split("test"), faces.take([3, 59]), faces.subset(20, seed=1), *faces.folds(3)):
        assert part.one_of == faces.one_of
    drawn = faces.subset(30, seed=3)
    shares = np.nanmean(drawn.labels[:, :3], axis=0)
    np.testing.assert_allclose(shares, [0.4, 0.4, 0.2], atol=0.06)


def test_the_description_counts_classes_and_names_those_rarer_than_one_in_k():
    faces = sets_table()
    description = faces.describe()
    assert [split.name for split in description.splits] == ["all", "train", "validation", "test"]
    everything, train = description.sets["kind"][:2]
    assert everything.images.tolist() == [24, 24, 11]
    assert (everything.unknown, train.unknown) == (1, 0)
    assert everything.minority == ("c",)
    np.testing.assert_allclose(everything.share, np.array([24, 24, 11]) / 59)
    stored = description.to_json()["sets"]["kind"]
    assert stored["outputs"] == ["a", "b", "c"]
    assert stored["splits"][0] == {"name": "all", "images": [24, 24, 11], "unknown": 1, "minority": ["c"]}
    assert "sets" not in faces.select(["Male"]).describe().to_json()


def test_equally_frequent_classes_have_no_minority():
    labels = np.eye(3)[np.arange(9) % 3]
    faces = AttributeTable(("a", "b", "c"), labels, "123456789", "photos", one_of={"kind": ("a", "b", "c")})
    assert faces.describe().sets["kind"][0].minority == ()


def test_check_finds_classes_that_training_lacks(tmp_path):
    labels = np.eye(3)[[0, 1, 0, 1, 2, 2]]
    faces = AttributeTable(
        ("a", "b", "c"), labels, "123456", tmp_path, splits=np.repeat(["train", "test"], [4, 2]),
        one_of={"kind": ("a", "b", "c")},
    )  # fmt: skip
    problems = [problem for problem in check(faces, workers=1).problems if problem.kind == "class"]
    assert [problem.text for problem in problems] == ["set 'kind': c has 2 images, and none in split 'train'"]


def test_people_who_are_the_classes_may_be_in_several_splits(tmp_path):
    people = np.array(["ann", "ann", "ben", "ben"])
    splits = np.array(["train", "test"] * 2)
    labels = np.eye(2)[[0, 0, 1, 1]]
    faces = AttributeTable(("p=ann", "p=ben"), labels, "1234", tmp_path, splits=splits, identities=people)
    assert {problem.kind for problem in check(faces, workers=1).problems} >= {"identity"}
    known = AttributeTable(
        faces.names, labels, faces.ids, tmp_path, splits=splits, identities=people, one_of={"p": faces.names}
    )
    assert "identity" not in {problem.kind for problem in check(known, workers=1).problems}
    other = AttributeTable(
        faces.names, np.eye(2)[[0, 1, 1, 0]], faces.ids, tmp_path, splits=splits, identities=people,
        one_of={"p": faces.names},
    )  # fmt: skip
    assert "identity" in {problem.kind for problem in check(other, workers=1).problems}


@pytest.mark.parametrize("fold", range(4))
def test_the_people_of_orl_are_a_set_and_everyone_is_in_every_split(fold):
    faces = orl(fold=fold, one_of_columns=["person"])
    assert len(faces.one_of["person"]) == 40
    assert faces.one_of["person"][:2] == ("person=1", "person=2")
    assert faces.names[:3] == ("Eyeglasses", "Male", "Beard")
    for name, least, most in (("train", 5, 6), ("validation", 2, 3), ("test", 2, 3)):
        each = faces.split(name).labels[:, 3:].sum(0)
        assert each.min() >= least - 1
        assert each.max() <= most
        assert len(set(each.tolist())) == 1


def test_the_folds_of_people_test_every_photograph_once():
    tested = [name for fold in range(4) for name in orl(fold=fold, one_of_columns=["person"]).split("test").ids]
    assert len(tested) == len(set(tested)) == 400
    with pytest.raises(InputError, match="the one column of classes 'person'"):
        orl(one_of_columns=["glasses"])
    with pytest.raises(InputError, match="ORL's classes are its people, and cannot be stated"):
        orl(one_of_columns={"person": ["1", "2"]})
    assert orl(one_of_columns={"person": None}).one_of.keys() == {"person"}  # as the command line states it
