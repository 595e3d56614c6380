from __future__ import annotations

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.medical.nih import nih
from bincam.errors import InputError

ENTRIES = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,"
    "Height],OriginalImagePixelSpacing[x,y],\n"
    "00000001_000.png,Cardiomegaly|Effusion,0,1,057Y,M,PA,2682,2749,0.143,0.143,\n"
    "00000001_001.png,Infiltration,1,1,058Y,M,AP,2894,2729,0.143,0.143,\n"
    "00000002_000.png,No Finding,0,2,080Y,F,PA,2500,2048,0.168,0.168,\n"
)
BOXES = (
    "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
    "00000001_001.png,Infiltrate,225.08,547.02,86.78,79.19,,,\n"
    "00000001_000.png,Cardiomegaly,0,1000.5,1024.0,23.9\n"
    "00000001_000.png,Nodule,10,10,5,5,,,\n"
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "Data_Entry_2017.csv").write_text(ENTRIES)
    (tmp_path / "BBox_List_2017.csv").write_text(BOXES)
    (tmp_path / "train_val_list.txt").write_text("00000001_000.png\n00000001_001.png\n")
    (tmp_path / "test_list.txt").write_text("00000002_000.png\n")
    return tmp_path


def test_joined_findings_and_nine_header_fields_for_six_values(root):
    table = load(root)
    assert table.reading == {"format": "nih"}
    found = [[name for name, label in zip(table.names, row, strict=True) if label == 1] for row in table.labels]
    assert found == [["Cardiomegaly", "Effusion"], ["Infiltration"], []]
    assert not np.isnan(table.labels).any()
    assert table.identities.tolist() == ["1", "1", "2"]
    assert table.groups["view"].tolist() == ["PA", "AP", "PA"]
    assert table.splits.tolist() == ["train", "train", "test"]
    np.testing.assert_allclose(table.objects.of("00000001_001.png", "Infiltration"), [[225.08, 547.02, 311.86, 626.21]])
    # An end beyond the last pixel by a rounding is cut at the border.
    np.testing.assert_allclose(table.objects.of("00000001_000.png", "Cardiomegaly"), [[0, 1000.5, 1024, 1024]])
    assert any(line.startswith("1 box is of a finding") for line in table.meaning)  # the nodule


def test_kaggles_folders_are_found(root):
    (root / "images").rmdir()
    for part, name in (("images_001", "00000001_000.png"), ("images_012", "00000002_000.png")):
        (root / part / "images").mkdir(parents=True)
        (root / part / "images" / name).touch()
    table = nih(root)
    assert table.ids[0] == "images_001/images/00000001_000.png"
    assert len(table.objects.of("images_001/images/00000001_000.png", "Cardiomegaly")) == 1


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("Data_Entry_2017.csv", ("Infiltration", "Infiltrate"), r"2017\.csv:3: finding 'Infiltrate'; did you mean"),
        ("Data_Entry_2017.csv", ("No Finding", "No Finding|Mass"), r"2017\.csv:4: 'No Finding' beside Mass"),
        ("Data_Entry_2017.csv", ("00000001_001", "00000001_000"), "image '00000001_000.png' occurs twice"),
        ("Data_Entry_2017.csv", ("00000002_000", "00000003_000"), "is in neither of train_val_list.txt, test_list.txt"),
        ("BBox_List_2017.csv", ("Nodule,10,10,5,5", "Nodule,10,10,5"), r"BBox_List_2017\.csv:4: 5 values, expected"),
        ("BBox_List_2017.csv", ("Nodule,10,10,5,5", "Nodule,10,10,5,0"), "has no area"),
        ("BBox_List_2017.csv", ("Nodule,10,10", "Nodule,1030,10"), "not inside its image of 1024 x 1024"),
        ("BBox_List_2017.csv", ("Bbox [x,y,w,h]", "x,y,w,h"), "expected Image Index,Finding Label,Bbox"),
        ("BBox_List_2017.csv", ("00000001_001", "00000009_001"), r"is not in Data_Entry_2017\.csv"),
        ("test_list.txt", ("00000002_000.png", "00000001_000.png"), "is in both lists"),
    ],
)
def test_what_does_not_fit_is_refused(root, file, change, message):
    (root / file).write_text((root / file).read_text().replace(*change, 1))
    with pytest.raises(InputError, match=message):
        nih(root)
