from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.io import savemat

from bincam.data import load
from bincam.data.readers.faces.lfwa import lfwa
from bincam.errors import InputError

NAMES = ["Aaron_Eckhart\\Aaron_Eckhart_0001.jpg", "Zoe_Ball\\Zoe_Ball_0001.jpg", "Zoe_Ball\\Zoe_Ball_0002.jpg"]
ATTRIBUTES = ["Male", "5 o'Clock Shadow"]
LABELS = [[1, 1], [0, 0], [0, 1]]


def cells(texts):
    return np.array([[text] for text in texts], object)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "lfw").mkdir()
    savemat(tmp_path / "lfw_att_40.mat", {"AttrName": cells(ATTRIBUTES), "label": np.array(LABELS, float),
                                          "name": cells(NAMES)})  # fmt: skip
    splits = {"indices_img_train": np.array([[1.0]]), "indices_img_test": np.array([[2.0], [3.0]])}
    savemat(tmp_path / "indices_train_test.mat", splits)
    return tmp_path


def test_backslashes_and_rows_from_one(root):
    table = load(root)
    assert table.reading == {"format": "lfwa"}
    assert table.ids[0] == "Aaron_Eckhart/Aaron_Eckhart_0001.jpg"
    assert table.identities.tolist() == ["Aaron_Eckhart", "Zoe_Ball", "Zoe_Ball"]
    assert table.names == tuple(ATTRIBUTES)
    assert table.labels.tolist() == LABELS
    assert table.splits.tolist() == ["train", "test", "test"]


def test_version_seven_three_is_read_with_h5py_or_refused_in_one_line(root, monkeypatch):
    h5py = pytest.importorskip("h5py")

    def text(file, value):
        letters = np.array([[ord(letter)] for letter in value], np.uint16)
        written = file.create_dataset(f"#refs#/{len(file['#refs#'])}", data=letters)
        written.attrs["MATLAB_class"] = np.bytes_("char")
        return written.ref

    with h5py.File(root / "lfw_att_40.mat", "w", userblock_size=512) as file:
        file.create_group("#refs#")
        for name, texts in {"AttrName": ATTRIBUTES, "name": NAMES}.items():
            references = np.array([[text(file, value) for value in texts]], h5py.ref_dtype)
            file.create_dataset(name, data=references).attrs["MATLAB_class"] = np.bytes_("cell")
        file.create_dataset("label", data=np.array(LABELS, float).T).attrs["MATLAB_class"] = np.bytes_("double")
    table = lfwa(root)
    assert (table.labels.tolist(), table.ids[1]) == (LABELS, "Zoe_Ball/Zoe_Ball_0001.jpg")
    monkeypatch.setitem(sys.modules, "h5py", None)  # as if it were not installed
    with pytest.raises(InputError, match=r"lfw_att_40\.mat: is of MATLAB version 7\.3, which is HDF5: pip install"):
        lfwa(root)


def test_what_does_not_fit_is_refused(root):
    savemat(root / "indices_train_test.mat", {"indices_img_train": [[0.0]], "indices_img_test": [[2.0]]})
    with pytest.raises(InputError, match=r"indices_img_train: 0\.0 is no number of a row; rows are 1 to 3"):
        lfwa(root)
    savemat(root / "indices_train_test.mat", {"indices_img_train": [[2.0]], "indices_img_test": [[2.0]]})
    with pytest.raises(InputError, match="an image is in the other split, too"):
        lfwa(root)
    savemat(root / "lfw_att_40.mat", {"AttrName": cells(ATTRIBUTES), "label": np.eye(2), "name": cells(NAMES)})
    with pytest.raises(InputError, match=r"'label' is a matrix \(2, 2\), expected a matrix \(3, 2\)"):
        lfwa(root)
    savemat(root / "lfw_att_40.mat", {"AttrName": cells(ATTRIBUTES), "label": -np.ones((3, 2)), "name": cells(NAMES)})
    with pytest.raises(InputError, match="a label is -1; labels are 0 and 1"):
        lfwa(root)
    savemat(root / "lfw_att_40.mat", {"Names": cells(NAMES)})
    with pytest.raises(InputError, match="no variable 'AttrName'"):
        lfwa(root)
    (root / "lfw_att_40.mat").write_bytes(b"MATLAB 5.0 MAT-file" + b"\0" * 200)
    with pytest.raises(InputError, match="not a readable MATLAB file"):
        lfwa(root)
