from __future__ import annotations

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.objects.voc import voc
from bincam.errors import InputError


def annotation(name: str, *objects: tuple) -> str:
    """An XML file: of each object class, whether it is difficult, and its ends."""
    inside = "".join(
        f"<object><name>{label}</name><difficult>{difficult}</difficult><bndbox><xmax>{x1}</xmax><xmin>{x0}</xmin>"
        f"<ymax>{y1}</ymax><ymin>{y0}</ymin></bndbox></object>"
        for label, difficult, x0, y0, x1, y1 in objects
    )
    size = "<size><width>50</width><height>40</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{size}{inside}</annotation>"


@pytest.fixture
def root(tmp_path):
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    files = {
        "000005": annotation("000005.jpg", ("chair", 0, 1, 1, 50, 40), ("chair", 1, 5, 5, 9, 9)),
        "000012": annotation("000012.jpg", ("car", 1, 2, 3, 20, 30), ("chair", 0, "4.0", "5.0", "6.5", "7.5")),
        "000007": annotation("000007.png"),
    }
    for stem, text in files.items():
        (tmp_path / "Annotations" / f"{stem}.xml").write_text(text)
    (tmp_path / "ImageSets/Main/train.txt").write_text("000005\n000012\n")
    (tmp_path / "ImageSets/Main/test.txt").write_text("000007\n000099\n")
    (tmp_path / "ImageSets/Main/trainval.txt").write_text("000005\n000012\n")
    return tmp_path


def test_pixels_count_from_one_and_difficult_is_unknown(root):
    table = load(root)
    assert table.reading == {"format": "voc"}
    assert table.names == ("car", "chair")
    assert table.ids == ("000005.jpg", "000007.png", "000012.jpg", "000099.jpg")
    assert table.splits.tolist() == ["train", "test", "train", "test"]
    # A difficult chair beside a clear one changes nothing; the car is only difficult; 99 has no file.
    np.testing.assert_array_equal(table.labels, [[0, 1], [np.nan, np.nan], [np.nan, 1], [np.nan, np.nan]])
    assert table.objects.of("000005.jpg", "chair").tolist() == [[0, 0, 50, 40]]  # the whole image
    assert table.objects.of("000012.jpg", "chair").tolist() == [[3, 4, 6.5, 7.5]]
    assert not len(table.objects.of("000012.jpg", "car"))
    assert voc(root, unannotated="absent").labels[1].tolist() == [0, 0]
    assert voc(root, first_pixel="0").objects.of("000012.jpg", "chair").tolist() == [[4, 5, 6.5, 7.5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (annotation("a.jpg", ("chair", 0, 20, 5, 10, 9)), r"000005\.xml: chair: box .* has no area"),
        (annotation("a.jpg", ("chair", 0, 20, 5, 60, 9)), "not inside its image of 50 x 40"),
        (annotation("a.jpg", ("chair", 0, "x", 5, 60, 9)), "<bndbox/xmin> is 'x'; expected a number"),
        (annotation("a.jpg", ("", 0, 1, 5, 60, 9)), "<object> has no <name>"),
        ("<annotation>\n<object>", r"000005\.xml:2: not XML"),
        ("<html/>", "expected <annotation>, got <html>"),
    ],
)
def test_malformed_files_are_refused(root, text, message):
    (root / "Annotations/000005.xml").write_text(text)
    with pytest.raises(InputError, match=message):
        voc(root)


def test_lists_that_overlap_are_refused(root, tmp_path):
    (root / "ImageSets/Main/val.txt").write_text("\n000005\n")
    with pytest.raises(InputError, match=r"val\.txt:2: image '000005' is in the list of train"):
        voc(root)
    with pytest.raises(InputError, match="no folder Annotations"):
        voc(tmp_path / "ImageSets")
