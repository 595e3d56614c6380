from __future__ import annotations

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.objects.cub import cub
from bincam.errors import InputError

FILES = {
    "images.txt": "1 001.Black_footed_Albatross/a.jpg\n2 002.Laysan_Albatross/b.jpg\n3 002.Laysan_Albatross/c.jpg\n",
    "image_class_labels.txt": "1 1\n2 2\n3 2\n",
    "classes.txt": "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n",
    "train_test_split.txt": "1 0\n2 1\n3 1\n",
    "bounding_boxes.txt": "1 60.0 27.0 325.0 304.0\n2 0.0 1.0 10.5 20.0\n3 1.0 1.0 2.0 2.0\n",
    "attributes/attributes.txt": "1 has_bill_shape::curved\n2 has_wing_color::blue and grey\n",
    # The fifth line has two more fields, as some of the distributed file have.
    "attributes/image_attribute_labels.txt": "1 1 1 4 2.1\n1 2 0 1 3.3\n2 1 0 2 1.0\n2 2 1 3 1.0\n3 1 1 4 0 0 5.1\n",
}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "attributes").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_classes_boxes_and_splits(root):
    table = load(root)
    assert table.reading == {"format": "cub"}
    assert table.one_of["class"] == ("class=001.Black_footed_Albatross", "class=002.Laysan_Albatross")
    assert table.labels.argmax(1).tolist() == [0, 1, 1]
    assert table.splits.tolist() == ["test", "train", "train"]
    assert table.objects.of(table.ids[0], table.names[0]).tolist() == [[60, 27, 385, 331]]  # x, y, width, height
    assert table.root == root / "images"


def test_attributes_are_unknown_where_the_part_is_not_visible(root):
    table = cub(root, read="attributes")
    assert table.names == ("has_bill_shape::curved", "has_wing_color::blue and grey")
    np.testing.assert_array_equal(table.labels, [[1, np.nan], [0, 1], [1, np.nan]])
    assert table.objects is None


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("image_class_labels.txt", "1 1\n2 3\n3 2\n", "image 2: class '3' is none of classes.txt"),
        ("train_test_split.txt", "1 0\n2 1\n", "no 0 or 1 for image 3"),
        ("bounding_boxes.txt", "9 60.0 27.0 325.0 304.0\n", r"bounding_boxes\.txt:1: image 9 is not in images"),
        ("bounding_boxes.txt", "1 60.0 27.0 0.0 304.0\n", r"bounding_boxes\.txt:1: box .* has no area"),
        ("bounding_boxes.txt", "1 60.0 27.0 304.0\n", "4 fields, expected 5"),
        ("images.txt", "1 a.jpg\n1 b.jpg\n", r"images\.txt:2: number 1 occurs twice"),
    ],
)
def test_malformed_lists_are_refused(root, file, text, message):
    (root / file).write_text(text)
    with pytest.raises(InputError, match=message):
        cub(root)


def test_a_missing_list_and_a_wrong_certainty_are_refused(root):
    (root / "attributes/image_attribute_labels.txt").write_text("1 1 1 9 2.1\n")
    with pytest.raises(InputError, match=r"labels\.txt:1: expected image, attribute, 0 or 1, and a certainty"):
        cub(root, read="attributes")
    (root / "bounding_boxes.txt").unlink()
    with pytest.raises(InputError, match="no such file"):
        cub(root)
