from __future__ import annotations

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.objects.wsol import wsol
from bincam.errors import InputError
from bincam.metrics.localization.boxes.protocols.clovaai import inclusive

LISTS = {
    "train": {"image_ids": ["n02/a.JPEG", "n01/b.JPEG"], "class_labels": ["n01/b.JPEG,0", "n02/a.JPEG,2"]},
    "val": {
        "image_ids": ["val2/0/0.jpeg"],
        "class_labels": ["val2/0/0.jpeg,1"],
        "image_sizes": ["val2/0/0.jpeg,500,375"],
        "localization": ["val2/0/0.jpeg,0,163,499,230", "val2/0/0.jpeg,12,10,12,374"],
    },
}


@pytest.fixture
def write(tmp_path):
    def written(**changed):
        for split, lists in LISTS.items():
            (tmp_path / split).mkdir(exist_ok=True)
            for name, lines in {**lists, **(changed if split == "val" else {})}.items():
                (tmp_path / split / f"{name}.txt").write_text("\n".join(lines) + "\n")
        return tmp_path

    return written


def test_both_ends_belong_to_a_box_and_several_are_a_line_each(write, tmp_path):
    (tmp_path / "synsets.txt").write_text("n01440764\nn01443537\nn01484850\n")
    table = load(write(), images="pictures", classes=tmp_path / "synsets.txt")
    assert table.reading["format"] == "wsol"
    assert table.one_of == {"class": ("class=n01440764", "class=n01443537", "class=n01484850")}
    assert table.ids == ("n02/a.JPEG", "n01/b.JPEG", "val2/0/0.jpeg")
    assert table.labels.argmax(1).tolist() == [2, 0, 1]
    assert table.splits.tolist() == ["train", "train", "validation"]
    boxes = table.objects.of("val2/0/0.jpeg", "class=n01443537", stored=(375, 500))
    assert boxes.tolist() == [[0, 163, 500, 231], [12, 10, 13, 375]]
    # The public evaluation gets back what its list says.
    assert inclusive(boxes).tolist() == [[0, 163, 499, 230], [12, 10, 12, 374]]
    assert wsol(write(), images="pictures").names == ("class=0", "class=1", "class=2")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"localization": ["val2/0/0.jpeg,20,163,10,230"]}, r"localization\.txt:1: .*has no area"),
        ({"localization": ["val2/0/0.jpeg,20,163,510,230"]}, "not inside its image of 500 x 375"),
        ({"localization": ["n02/a.JPEG,2,1,5,2"]}, "is not in the other lists of the split"),
        ({"localization": ["val2/0/0.jpeg,1,2,x,4"]}, "a box consists of numbers"),
        ({"class_labels": ["val2/0/0.jpeg,one"]}, "a class is a whole number from 0, got 'one'"),
        ({"class_labels": ["other.jpeg,1"]}, "has no line in"),
        ({"image_sizes": ["val2/0/0.jpeg,500"]}, "2 fields, expected 3"),
        ({"image_sizes": ["val2/0/0.jpeg,0,375"]}, "an image of 0 x 375"),
    ],
)
def test_lists_that_contradict_one_another_are_refused(write, changed, message):
    with pytest.raises(InputError, match=message):
        wsol(write(**changed), images="pictures")


def test_sizes_of_open_images_say_nothing(write):
    root = write(image_sizes=["val2/0/0.jpeg,0"], localization=["val2/0/0.jpeg,20,163,510,230"])
    boxes = wsol(root, images="pictures").objects.of("val2/0/0.jpeg", "class=1")
    np.testing.assert_array_equal(boxes, [[20, 163, 511, 231]])
