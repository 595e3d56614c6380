from __future__ import annotations

import json

import numpy as np
import pytest

from bincam.data import load
from bincam.data.readers.objects.coco import coco
from bincam.errors import BincamWarning, InputError


def content() -> dict:
    """Three images: one with a cat, a difficult pair, one without annotations; ids have gaps and another order."""
    return {
        "info": {"description": "made"},
        "images": [
            {"id": 42, "file_name": "a.jpg", "width": 64, "height": 48},
            {"id": 7, "file_name": "b.jpg", "width": 32, "height": 32},
            {"id": 9, "file_name": "none.jpg", "width": 32, "height": 32},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [2, 3, 10, 20], "iscrowd": 0, "area": 200},
            {"id": 5, "image_id": 42, "category_id": 18, "bbox": [0, 0, 64, 48.4], "iscrowd": 1},
            {"id": 6, "image_id": 42, "category_id": 90, "bbox": [54.5, 1, 9.9, 5], "iscrowd": 0},
            {"id": 8, "image_id": 42, "category_id": 90, "bbox": [0.25, 0.5, 1, 2], "iscrowd": 0},
        ],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    }


@pytest.fixture
def write(tmp_path):
    def written(change=lambda _: None):
        value = content()
        change(value)
        file = tmp_path / "instances_val.json"
        file.write_text(json.dumps(value))
        return file

    return written


def test_categories_become_attributes_and_boxes_exclusive_ends(write):
    table = load(write())
    assert table.reading == {"format": "coco"}
    assert table.names == ("toothbrush", "dog", "person")
    assert table.ids == ("a.jpg", "b.jpg", "none.jpg")
    # Ids, not places: category 90 is the first. The crowd of dogs is there, without a box of one object.
    np.testing.assert_array_equal(table.labels, [[1, 1, 0], [1, 0, 0], [np.nan] * 3])
    assert table.objects.of("b.jpg", "toothbrush").tolist() == [[2, 3, 12, 23]]
    np.testing.assert_allclose(table.objects.of("a.jpg", "toothbrush"), [[54.5, 1, 64, 6], [0.25, 0.5, 1.25, 2.5]])
    assert not len(table.objects.of("a.jpg", "dog"))
    absent = coco(write(), unannotated="absent")
    assert absent.labels[2].tolist() == [0, 0, 0]
    assert absent.reading == {"format": "coco", "unannotated": "absent"}


def test_pycocotools_finds_the_same(write):
    tool = pytest.importorskip("pycocotools.coco")
    file = write()
    theirs, ours = tool.COCO(str(file)), coco(file)
    for number in theirs.getImgIds():
        name = theirs.loadImgs(number)[0]["file_name"]
        found = theirs.loadAnns(theirs.getAnnIds(imgIds=number))
        there = {theirs.loadCats(one["category_id"])[0]["name"] for one in found}
        assert there == {label for label in ours.names if ours.labels[ours.ids.index(name), ours.index(label)] == 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("categories"), "no list 'categories'"),
        (lambda c: c["images"].append(dict(c["images"][0])), "id 42 occurs twice"),
        (lambda c: c["images"].append({"id": 1, "file_name": "a.jpg"}), "image 'a.jpg' occurs twice"),
        (lambda c: c["categories"].append({"id": 2, "name": "dog"}), "name 'dog' occurs twice"),
        (lambda c: c["annotations"][0].update(image_id=8), "annotation 1: image_id 8 is the id of no image"),
        (lambda c: c["annotations"][0].update(category_id=2), "category_id 2 is the id of no category"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, 3]), "expected the numbers x, y, width, height"),
        (lambda c: c["images"][0].update(width=0), "expected whole numbers above 0"),
        (lambda c: c["images"].clear() or c["annotations"].clear(), "no images in it"),
    ],
)
def test_malformed_files_are_refused(write, change, message):
    with pytest.raises(InputError, match=message):
        coco(write(change))


@pytest.mark.parametrize(
    ("box", "reason"),
    [([5, 5, 0, 3], "has no area"), ([9, 5, -3, 3], "has no area"), ([30, 5, 4, 3], "not inside its image")],
)
def test_bad_boxes_are_refused_or_skipped_and_counted(write, box, reason):
    file = write(lambda c: c["annotations"][0].update(bbox=box))
    with pytest.raises(InputError, match=rf"annotation 1: .*{reason}.*bad_boxes='skip'"):
        coco(file)
    with pytest.warns(BincamWarning, match="1 box skipped, the first: .*annotation 1"):
        table = coco(file, bad_boxes="skip")
    assert table.labels[1].tolist() == [1, 0, 0]  # the category was seen, wherever it is
    assert not len(table.objects.of("b.jpg", "toothbrush"))
    with pytest.raises(InputError, match="expected one of 'refuse', 'skip'"):
        coco(file, bad_boxes="guess")


def test_a_damaged_file_is_one_line(tmp_path):
    file = tmp_path / "set.json"
    file.write_text('{"images": [\n{"id": 1,}')
    with pytest.raises(InputError, match=r"set\.json:2: not JSON"):
        coco(file)
