from __future__ import annotations

import json

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.faces.wider_attribute import wider_attribute
from bincam.errors import InputError


def person(values, box=(10, 20, 30, 40.5)):
    return {"attribute": values, "bbox": list(box)}


TEST = "wider_attribute_test.json"


def people(files):
    return files[TEST]["images"][0]["targets"]


def files():
    names = {"1": "longHair", "0": "Male", "2": "Hat"}
    trainval = [
        {"file_name": "train/0--Parade/a.jpg", "scene_id": 0,
         "targets": [person([1, -1, 0]), person([-1, -1, -1], (1, 2, 3, 4))]},
        {"file_name": "val/1--Riot/b.jpg", "scene_id": 1,
         "targets": [person([-1, 1, 0]), person([0, 1, -1], (0, 0, 9, 9))]},
    ]  # fmt: skip
    test = [{"file_name": "test/1--Riot/c.jpg", "scene_id": 1, "targets": []}]
    scenes = {"0": "Parade", "1": "Riot"}
    return {
        "wider_attribute_trainval.json": {"images": trainval, "attribute_id_map": names, "scene_id_map": scenes},
        "wider_attribute_test.json": {"images": test, "attribute_id_map": dict(names), "scene_id_map": scenes},
    }


@pytest.fixture
def write(tmp_path):
    def written(change=lambda _: None):
        value = files()
        change(value)
        (tmp_path / "Image").mkdir(exist_ok=True)
        (tmp_path / "wider_attribute_annotation").mkdir(exist_ok=True)
        for name, content in value.items():
            (tmp_path / "wider_attribute_annotation" / name).write_text(json.dumps(content))
        return tmp_path

    return written


def test_a_photograph_has_what_one_of_its_people_has(write):
    table = load(write())
    assert table.reading == {"format": "wider_attribute"}
    assert table.names == ("Male", "longHair", "Hat")
    nan = np.nan
    # Male: one is; nobody has long hair; of hats one has none, and the other is unspecified.
    np.testing.assert_array_equal(table.labels, [[1, 0, nan], [nan, 1, nan], [nan, nan, nan]])
    assert table.splits.tolist() == ["train", "validation", "test"]
    assert table.groups["scene"].tolist() == ["Parade", "Riot", "Riot"]
    assert table.objects.of("train/0--Parade/a.jpg", "Male").tolist() == [[10, 20, 40, 60.5]]
    assert table.objects.of("val/1--Riot/b.jpg", "longHair").tolist() == [[10, 20, 40, 60.5], [0, 0, 9, 9]]
    assert not len(table.objects.of("train/0--Parade/a.jpg", "Hat"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v[TEST]["attribute_id_map"].update({"2": "Cap"}), "other attributes than in"),
        (
            lambda v: v[TEST]["attribute_id_map"].pop("0"),
            "does not number the attributes from 0",
        ),
        (lambda v: v[TEST]["images"][0].update(file_name="c.jpg"), "none of the folders train"),
        (lambda v: people(v).append(person([1, 0])), "2 values of 3"),
        (
            lambda v: people(v).append(person([1, 0, 2])),
            "label 2; expected",
        ),
        (
            lambda v: people(v).append(person([1, 0, 0], (1, 2, 0, 4))),
            "person 1: box .* has no area",
        ),
    ],
)
def test_malformed_files_are_refused(write, change, message):
    with pytest.raises(InputError, match=message):
        wider_attribute(write(change))


def test_a_folder_without_lists_is_refused(tmp_path):
    with pytest.raises(InputError, match="neither wider_attribute_trainval"):
        wider_attribute(tmp_path)
