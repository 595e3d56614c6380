"""PA-100K, PETA and RAP, whose annotations are MATLAB files."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from bincam.data import load
from bincam.data.readers.people.pa100k import pa100k
from bincam.data.readers.people.peta import peta
from bincam.data.readers.people.rap import rap
from bincam.errors import BincamWarning, InputError

ATTRIBUTES = ["Female", "AgeOver60", "Age18-60", "AgeLess18", "Front", "Side", "Back", "Hat"]


def cells(*texts):
    """MATLAB's cell array of texts, a column."""
    result = np.empty((len(texts), 1), object)
    result[:, 0] = texts
    return result


def structs(*records):
    """MATLAB's cell array of structs, a column."""
    result = np.empty((len(records), 1), object)
    for row, record in enumerate(records):
        result[row, 0] = record
    return result


@pytest.fixture
def pa(tmp_path):
    (tmp_path / "release_data").mkdir()

    def write(**changed):
        content = {
            "attributes": cells(*ATTRIBUTES),
            "train_images_name": cells("000001.jpg", "000002.jpg"),
            "train_label": np.array([[1, 0, 1, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 1, 1]], np.uint8),
            "val_images_name": cells("000003.jpg"),
            "val_label": np.array([[0, 0, 0, 1, 0, 1, 0, 0]], np.uint8),
            "test_images_name": cells("000004.jpg"),
            "test_label": np.array([[1, 0, 1, 0, 0, 1, 0, 1]], np.uint8),
            **changed,
        }
        savemat(tmp_path / "annotation.mat", {k: v for k, v in content.items() if v is not None})
        return tmp_path

    return write


def test_pa100k_has_sets_of_ages_and_views(pa):
    table = load(pa())
    assert table.reading == {"format": "pa100k"}
    assert table.one_of == {"age": ("AgeOver60", "Age18-60", "AgeLess18"), "view": ("Front", "Side", "Back")}
    assert table.ids == ("000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg")
    assert table.splits.tolist() == ["train", "train", "validation", "test"]
    assert table.labels[:, table.index("Hat")].tolist() == [0, 1, 0, 1]
    both = np.array([[1, 0, 1, 1, 0, 1, 0, 1]], np.uint8)
    with pytest.raises(InputError, match=r"image '000004\.jpg': set 'age' has 2 true labels"):
        pa100k(pa(test_label=both))
    with pytest.warns(BincamWarning, match="set 'age': 1 row with several"):
        unknown = pa100k(pa(test_label=both), one_of_invalid="unknown")
    assert np.isnan(unknown.labels[3, 1:4]).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"val_label": None}, "no variable 'val_label'; did you mean"),
        ({"val_label": np.ones((2, 8))}, r"'val_label' is a matrix \(2, 8\), expected a matrix \(1, 8\)"),
        ({"val_label": 3 * np.ones((1, 8))}, "a label is 3; labels are 0 and 1"),
        ({"val_images_name": np.ones((1, 1))}, "'val_images_name' is no list of texts"),
        ({"val_images_name": cells("000001.jpg")}, "image '000001.jpg' occurs twice"),
    ],
)
def test_pa100k_of_another_content_is_refused(pa, changed, message):
    with pytest.raises(InputError, match=message):
        pa100k(pa(**changed))


NAMES = ["personalLess30", "personalLess45", "carryingBackpack", "accessoryHat", "personalLess15"]


@pytest.fixture
def peta_root(tmp_path):
    (tmp_path / "images").mkdir()
    before = np.arange(16).reshape(4, 4)
    labels = np.array([[1, 0, 1, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 1, 1], [1, 0, 0, 1, 0]])
    rows = {name: np.array(of)[:, None] for name, of in {"train": [3, 1], "val": [2], "test": [4]}.items()}
    other = {name: np.array(of)[:, None] for name, of in {"train": [1], "val": [3], "test": [2]}.items()}
    content = {
        "data": np.hstack([before, labels]),
        "attribute": cells(*NAMES),
        "selected": np.array([[1, 2, 4]]),
        "partition": structs(rows, other),
    }
    savemat(tmp_path / "PETA.mat", {"peta": content})
    return tmp_path


def test_peta_counts_rows_and_columns_from_one(peta_root):
    table = load(peta_root)
    assert table.reading == {"format": "peta"}
    assert table.names == ("personalLess30", "personalLess45", "accessoryHat")
    assert table.labels.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]]
    assert table.ids == ("00001.png", "00002.png", "00003.png", "00004.png")
    assert table.splits.tolist() == ["train", "validation", "train", "test"]
    every = peta(peta_root, columns="all", partition=2)
    assert every.names == tuple(NAMES)
    assert every.splits.tolist() == ["train", "test", "validation", ""]
    aged = peta(peta_root, one_of={"age": ["personalLess30", "personalLess45"]}, one_of_rest={"age": "child"})
    assert aged.one_of == {"age": ("personalLess30", "personalLess45", "child")}
    with pytest.raises(InputError, match="partition 3; there are 1 to 2"):
        peta(peta_root, partition=3)
    with pytest.raises(InputError, match="columns='some': expected one of 'selected', 'all'"):
        peta(peta_root, columns="some")


def test_peta_of_another_content_is_refused(peta_root):
    savemat(peta_root / "PETA.mat", {"peta": {"data": np.eye(3)}})
    with pytest.raises(InputError, match="'peta' has another content than a matrix, names"):
        peta(peta_root)


def rap_content(version):
    index = {"train_index": np.array([[1, 2]]), "test_index": np.array([[3]])}
    if version == 1:
        return {
            "partion": structs(index),
            "label": np.array([[2, 1, 0, 3], [0, 0, 1, 1], [1, 1, 1, 2]]),
            "attribute_chinese": cells("a", "b", "c", "d"),
            "attribute_eng": cells("Female", "hs-Hat", "ub-Jacket", "Viewpoint"),
            "attribute_exp": cells("Female", "Hat"),
            "imagesname": cells("CAM01_1.png", "CAM01_2.png", "CAM02_1.png"),
            "position": np.zeros((3, 16)),
        }
    return {
        "name": cells("CAM01_1.png", "CAM01_2.png", "CAM02_1.png"),
        "data": np.array([[2, 1, 0, 3], [0, 0, 1, 1], [1, 1, 1, 2]]),
        "attribute": cells("Female", "hs-Hat", "ub-Jacket", "Viewpoint"),
        "selected_attribute": np.array([[1, 3]]),
        "partition_attribute": structs({**index, "val_index": np.array([[2]]), "train_index": np.array([[1]])}),
        "person_identity": np.array([[7], [-1], [7]]),
    }


@pytest.mark.parametrize("version", [1, 2])
def test_rap_says_that_two_is_unknown(tmp_path, version):
    (tmp_path / "RAP_dataset").mkdir()
    (tmp_path / "RAP_annotation").mkdir()
    file = tmp_path / "RAP_annotation" / "RAP_annotation.mat"
    savemat(file, {"RAP_annotation": rap_content(version)})
    table = load(tmp_path)
    assert table.reading == {"format": "rap"}
    nan = np.nan
    expected = {1: [[nan, 1], [0, 0], [1, 1]], 2: [[nan, 0], [0, 1], [1, 1]]}[version]
    np.testing.assert_array_equal(table.labels, expected)
    assert table.splits.tolist() == ["train", "train" if version == 1 else "validation", "test"]
    assert version == 1 or table.identities.tolist() == ["7", "", "7"]
    assert rap(tmp_path, columns="all").names == ("Female", "hs-Hat", "ub-Jacket")  # the viewpoint is no attribute
    content = rap_content(2)
    content["selected_attribute"] = np.array([[1, 4]])
    savemat(file, {"RAP_annotation": content})
    with pytest.raises(InputError, match="'Viewpoint' is 3; labels are 0 = no, 1 = yes, 2 = unknown"):
        rap(tmp_path)
    content["selected_attribute"] = np.array([[0, 1]])
    savemat(file, {"RAP_annotation": content})
    with pytest.raises(InputError, match="selected_attribute: 0 is no number of a row; rows are 1 to 4"):
        rap(tmp_path)
