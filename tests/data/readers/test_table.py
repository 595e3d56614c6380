from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bincam.data import load, table
from bincam.data.readers.columns import NoPathsError
from bincam.errors import InputError
from tests.data.conftest import make_table


def write(tmp_path, text: str, name: str = "t.csv"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_the_arguments_determine_the_meaning_of_columns(tmp_path):
    file = write(
        tmp_path,
        "image,Smiling,Glasses,fold,who,camera\n"
        "a/1.png,1,0,train,anna,x\n"
        "a/2.png,,1,val,anna,\n"
        "b/ü.png,0, 1 ,2,,y\n"
        "b/4.png,1.0,,,,y\n",
    )
    read = table(file, split="fold", identity="who", groups=["camera"])
    assert read.names == ("Smiling", "Glasses")
    np.testing.assert_array_equal(read.labels, [[1, 0], [np.nan, 1], [0, 1], [1, np.nan]])
    assert read.splits.tolist() == ["train", "validation", "test", ""]
    assert read.identities.tolist() == ["anna", "anna", "", ""]
    assert read.groups["camera"].tolist() == ["x", "", "y", "y"]
    assert read.path(2) == tmp_path / "b" / "ü.png"
    assert table(file, images="/photos", attributes=["Glasses"], split="fold").path(0).as_posix() == "/photos/a/1.png"


@pytest.mark.parametrize(
    ("coding", "no", "yes"), [("0/1", "0", "1"), ("-1/1", "-1", "1"), ("true/false", "False", "TRUE")]
)
def test_a_coding_is_stated_and_others_are_refused(tmp_path, coding, no, yes):
    file = write(tmp_path, f"image,A\n1.png,{yes}\n2.png,{no}\n3.png,\n")
    np.testing.assert_array_equal(table(file, labels=coding).labels[:, 0], [1, 0, np.nan])
    for other in {"0/1", "-1/1", "true/false"} - {coding}:
        with pytest.raises(InputError, match=rf"t\.csv:[23]: .* in attribute column 'A'.*labels=.*'{coding}'"):
            table(file, labels=other)


@pytest.mark.parametrize(
    ("text", "labels", "advised"),
    [
        ("image,A,B\n1.png,1,1\n2.png,1,-1\n", "0/1", "-1/1"),  # the first column fits both codings
        ("image,A,B\n1.png,1,1\n2.png,0,1\n", "-1/1", "0/1"),
        ("image,A\n1.png,True\n2.png,\n", "0/1", "true/false"),
    ],
)
def test_the_advised_coding_reads_the_whole_table(tmp_path, text, labels, advised):
    file = write(tmp_path, text)
    with pytest.raises(InputError, match=rf"labels='{advised}' \(--labels {advised}\) reads every attribute column"):
        table(file, labels=labels)
    assert len(table(file, labels=advised)) == 2


@pytest.mark.parametrize("labels", ["0/1", "-1/1", "true/false"])
def test_values_of_no_named_coding_have_to_be_stated_and_then_read(tmp_path, labels):
    mixed = write(tmp_path, "image,A\n1.png,1\n2.png,0\n3.png,-1\n4.png,\n", "mixed.csv")
    with pytest.raises(InputError, match=r"state what each value means.*: --labels -1=\.\.\.,0=\.\.\.,1=\.\.\.;"):
        table(mixed, labels=labels)
    read = table(mixed, labels={1: "yes", 0: "no", -1: "unknown"})
    np.testing.assert_array_equal(read.labels[:, 0], [1, 0, np.nan, np.nan])
    assert read.meaning == ("labels: 1 = yes, 0 = no, -1 = unknown, empty = unknown",)
    assert read.reading == {"labels": {"1": "yes", "0": "no", "-1": "unknown"}}
    assert table(mixed, **read.reading).digest() == read.digest()
    negative = table(mixed, labels={"1": True, "0": False, "-1": False, "": False})
    np.testing.assert_array_equal(negative.labels[:, 0], [1, 0, 0, 0])


@pytest.mark.parametrize("labels", ["0/1", "-1/1", "true/false"])
def test_columns_of_different_codings_are_read_by_one_that_is_stated(tmp_path, labels):
    file = write(tmp_path, "image,A,B\n1.png,0,-1\n2.png,1,1\n")
    with pytest.raises(InputError, match=r"--labels -1=\.\.\.,0=\.\.\.,1=\.\.\."):
        table(file, labels=labels)
    assert table(file, labels={-1: "no", 0: "no", 1: "yes"}).labels.tolist() == [[0, 0], [1, 1]]


def test_a_column_of_texts_is_told_as_one_instead_of_its_values(tmp_path):
    file = write(tmp_path, "image,A,note\n" + "".join(f"{i}.png,1,text {i}\n" for i in range(20)))
    with pytest.raises(InputError, match=r"column 'note' 20 of them \('text 0', .*no labels.*'note' is not an attr"):
        table(file)


def test_parquet_gives_the_same_as_csv(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "image": [f"{i}.png" for i in range(40)],
            "whole": rng.integers(0, 2, 40),
            "flag": rng.random(40) < 0.5,
            "gaps": np.where(rng.random(40) < 0.3, np.nan, rng.integers(0, 2, 40)),
            "nullable": pd.array(np.where(np.arange(40) % 3 == 0, None, 1), dtype="Int8"),
            "person": rng.integers(0, 9, 40),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    frame.assign(flag=frame["flag"].astype(int)).to_csv(tmp_path / "t.csv", index=False)
    one, other = (table(tmp_path / name, identity="person") for name in ("t.parquet", "t.csv"))
    assert one.digest() == other.digest()
    assert np.isnan(one.labels[:, 2]).sum() == frame["gaps"].isna().sum()


def test_a_file_of_several_blocks_names_the_right_line(tmp_path):
    count = 90_000  # above arrow's block of 1 MiB
    lines = [f"some/folder/{i:09d}.png,{i % 2}" for i in range(count)]
    read = table(write(tmp_path, "\n".join(["image,A", *lines])))
    np.testing.assert_array_equal(read.labels[:, 0], np.arange(count) % 2)
    lines[80_000] = lines[80_000][:-1] + "x"
    with pytest.raises(InputError, match=r"t\.csv:80002: 'x'"):
        table(write(tmp_path, "\n".join(["image,A", *lines])))


def test_landmarks_and_boxes(tmp_path):
    points = ",".join(f"{p}_{a}" for p in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for a in "xy")
    file = write(
        tmp_path, f"image,A,{points},x_1,y_1,width,height\n1.png,1,{','.join('0123456789')},1,2,3,4\n2.png,0" + "," * 14
    )
    read = table(file, landmarks="celeba", boxes="celeba")
    np.testing.assert_array_equal(read.landmarks[0].ravel(), np.arange(10))
    assert np.isnan(read.landmarks[1]).all()
    assert np.isnan(read.boxes[1]).all()
    with pytest.raises(InputError, match="landmarks are 10 columns, got 2"):
        table(file, landmarks=["A", "image"])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("image,A\n1.png,1\n1.png,0\n", {}, "image '1.png' occurs twice"),
        ("image,A\n1.png,1\n,0\n", {}, r":3: no path in column 'image'"),
        ("image,A\n1.png,2\n", {}, r":2: '2' in attribute column 'A'"),
        ("image,A,Name\n1.png,1,Anna\n", {}, "if 'Name' is not an attribute"),
        ("image,A,Set\n1.png,1,train\n2.png,1,Val\n", {}, r"which split .*: --split-column Set \(split=\)$"),
        ("image,A,Set\n1.png,yes,train\n", {"attributes": ["A"]}, "--labels"),
        ("image,A,Set\n1.png,-1,train\n2.png,1,test\n", {}, r"labels='-1/1' \(--labels -1/1\) reads every attribute"),
        ("image,A,s\n1.png,1,dev\n", {"split": "s"}, r":2: unknown split 'dev'"),
        (
            "image,A\n1.png,1\n",
            {"path": "imge"},
            r"no column 'imge' of image paths \(path, --path-column\); did you mean 'image'",
        ),
        ("image,A\n1.png,1\n", {"attributes": ["B"]}, "no column 'B'"),
        ("image,A\n1.png,1\n", {"labels": "yes/no"}, "labels='yes/no'"),
        ("image,A\n1.png,1,1\n", {}, "not a readable table"),
        ("image,A,A\n1.png,1,1\n", {}, r":1: column 'A' occurs twice"),
        ("image,A\n", {}, "no rows"),
        ("", {}, "not a readable table"),
        ("image,x\n1.png,z\n", {"landmarks": ["x"] * 10, "attributes": ["x"]}, r":2: 'z' in"),
    ],
)
def test_refusals(tmp_path, text, options, message):
    with pytest.raises(InputError, match=message):
        table(write(tmp_path, text), **options)


def test_a_missing_column_of_paths_has_an_error_of_its_own(tmp_path):
    for options, kind in (({"path": "imge"}, NoPathsError), ({"attributes": ["B"]}, InputError)):
        with pytest.raises(InputError) as told:
            table(write(tmp_path, "image,A\n1.png,1\n"), **options)
        assert type(told.value) is kind


def test_other_files_are_refused(tmp_path):
    for name in ("t.xlsx", "gone.csv"):
        if name == "t.xlsx":
            (tmp_path / name).touch()
        with pytest.raises(InputError, match=name):
            table(tmp_path / name)


def test_load_takes_all_three(tmp_path, folder):
    assert load(folder).names == make_table().names
    assert load("orl", fold=2).source == "orl"
    assert load(write(tmp_path, "image,A\n1.png,-1\n"), labels="-1/1").labels[0, 0] == 0
    with pytest.raises(InputError, match="no such folder or file"):
        load(tmp_path / "nothing")
    with pytest.raises(InputError, match="labels does not apply"):
        load(folder, labels="0/1")


def test_a_column_without_a_name_is_no_attribute(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("image,,Bald\na.png,0,1\n")  # as programs write an index
    with pytest.raises(InputError, match=r"t.csv:1: column 2 has no name, and no attribute can be without"):
        table(file)
    assert table(file, attributes=["Bald"]).names == ("Bald",)
    with pytest.raises(InputError):
        table(file, attributes=["", "Bald"])


@pytest.mark.parametrize("name", ["", "points", "corners", "flags", "texts"])
def test_columns_may_have_any_name_in_every_role(tmp_path, name):
    file, marks = tmp_path / "t.csv", [f"m{k}" for k in range(10)]
    file.write_text(f"image,Bald,{name},{','.join(marks)}\na.png,1,train{',5' * 10}\nb.png,0,test{',6' * 10}\n")
    for role in ("split", "identity", "groups"):
        stated = {role: [name] if role == "groups" else name}
        read = table(file, attributes=["Bald"], landmarks=marks, **stated)
        assert read.labels.tolist() == [[1], [0]]
        assert read.landmarks[:, 0, 0].tolist() == [5, 6]
        found = {"split": read.splits, "identity": read.identities, "groups": read.groups.get(name)}[role]
        assert list(found) == ["train", "test"]
