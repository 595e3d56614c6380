from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bincam.data import load, load_masks, load_regions
from bincam.data.regions.shapes import Cells, Place
from bincam.errors import InputError
from tests.data.readers.objects.masks.test_open_images import draw

LISTS = {
    "image_ids": "val/k/a.jpg\nval/d/b.jpg\n",
    "class_labels": "val/k/a.jpg,1\nval/d/b.jpg,0\n",
    "localization": "val/k/a.jpg,val/k/a_1.png,val/k/a_ignore.png\nval/k/a.jpg,val/k/a_2.png,\n"
    "val/d/b.jpg,val/d/b_1.png,\n",
}


@pytest.fixture
def root(tmp_path):
    for split in ("val", "masks"):
        (tmp_path / split).mkdir()
    for name, text in LISTS.items():
        (tmp_path / "val" / f"{name}.txt").write_text(text)
    (tmp_path / "names.txt").write_text("dog\ncat\n")
    (tmp_path / "masks" / "val").mkdir()
    draw(tmp_path / "masks/val/k/a_1.png", (10, 10), (0, 0, 2, 2))
    draw(tmp_path / "masks/val/k/a_2.png", (10, 10), (5, 5, 9, 9))
    draw(tmp_path / "masks/val/k/a_ignore.png", (10, 10), (0, 0, 3, 3))
    draw(tmp_path / "masks/val/d/b_1.png", (10, 10), (4, 4, 6, 6))
    return tmp_path


def test_lists_of_masks_are_regions_of_the_images_class(root):
    table = load(root, images="pictures", classes=root / "names.txt", format="wsol")
    assert table.names == ("class=dog", "class=cat")
    regions = load_masks(root / "masks", table)
    shape = regions.shapes[""]
    expected = np.zeros((10, 10), bool)
    expected[:2, :2] = expected[5:9, 5:9] = True
    for name in ("class=cat", "cat"):  # as the data, or as a model calls it
        np.testing.assert_array_equal(regions.mask(name, (10, 10), image="val/k/a.jpg"), expected)
        assert regions.mask(name, (10, 10), image="val/d/b.jpg") is None
    ignored = shape.ignored(Place((10, 10), image="val/k/a.jpg"))
    assert (ignored.sum(), ignored[:3, :3].all()) == (9, True)
    assert shape.ignored(Place((10, 10), image="val/d/b.jpg")) is None
    assert shape.may_ignore
    assert not replace(shape, left_out={}).may_ignore
    drawn = Cells(np.ones((2, 2), bool))  # as every other shape
    assert (drawn.may_ignore, drawn.ignored(Place((10, 10), image="val/k/a.jpg"))) == (False, None)
    assert not len(table.objects.names)
    regions = load_regions(str(root / "masks"), root, table)
    assert regions.mask("class=dog", (10, 10), image="val/d/b.jpg").sum() == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val/k/a.jpg,,", "image 'val/k/a.jpg' has no mask"),
        ("val/x.jpg,m.png,", r"localization\.txt:1: image 'val/x.jpg' has no line in"),
        ("val/k/a.jpg,m.png,", r"none of the masks that .* lists is there, such as .*m\.png"),
        ("val/k/a.jpg,val/k/a_1.png,i.png\nval/k/a.jpg,val/k/a_1.png,j.png", "a second mask of ignored pixels"),
    ],
)
def test_malformed_lists_of_masks_are_refused(root, line, message):
    (root / "val" / "localization.txt").write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        load_masks(root / "masks", load(root, images="pictures"))
