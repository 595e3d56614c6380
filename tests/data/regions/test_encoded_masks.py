from __future__ import annotations

import json

import numpy as np
import pytest

from bincam.data import load_regions
from bincam.data.regions.encoded_masks import decode
from bincam.errors import InputError
from bincam.provenance import regions_digest


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_are_pycocotools(seed):
    tool = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.random((7, 9)) < (0.1, 0.5, 0.9, 1.1)[seed], np.ones((5, 8))) > 0
    mask ^= rng.random(mask.shape) < 0.02
    encoded = tool.encode(np.asfortranarray(mask.astype(np.uint8)))
    code = {"size": [int(n) for n in encoded["size"]], "counts": encoded["counts"].decode()}
    np.testing.assert_array_equal(decode(code, mask.shape), mask)
    flat = mask.reshape(-1, order="F")
    ends = np.flatnonzero(np.diff(np.concatenate([[False], flat, [not flat[-1]]])))
    runs = np.diff(np.concatenate([[0], ends])).tolist()
    np.testing.assert_array_equal(decode({"size": list(mask.shape), "counts": runs}, mask.shape), mask)


def test_polygons_hold_the_pixels_whose_centres_they_hold():
    square = decode([[1, 1, 4, 1, 4, 3, 1, 3]], (5, 6))
    assert (square.sum(), square[1:3, 1:4].all()) == (6, True)
    two = decode([[0, 0, 1, 0, 1, 1, 0, 1], [4, 4, 6, 4, 6, 5, 4, 5], [0, 3, 5, 3]], (5, 6))
    assert two.sum() == 3  # the last is a line


@pytest.fixture
def file(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 6, "height": 4}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]},
            {
                "id": 2,
                "image_id": 1,
                "category_id": 3,
                "segmentation": {"size": [4, 6], "counts": [23, 1]},
                "iscrowd": 1,
            },
        ],
    }

    def write(**changed):
        content["annotations"][1]["segmentation"] |= changed
        (tmp_path / "instances.json").write_text(json.dumps(content))
        return tmp_path / "instances.json"

    return write


def test_a_file_of_annotations_is_regions(file):
    regions = load_regions(str(file()), "elsewhere")
    mask = regions.mask("cat", (4, 6), image="a.jpg", positive=True)
    assert (mask.sum(), mask[:2, :2].all(), mask[3, 5]) == (5, True, True)
    larger = regions.mask("cat", (8, 12), image="a.jpg", positive=True)
    np.testing.assert_array_equal(larger, np.kron(mask, np.ones((2, 2))) > 0)
    assert regions.mask("dog", (4, 6), image="a.jpg", positive=True) is None
    assert regions.mask("cat", (4, 6), image="b.jpg", positive=True) is None
    shape = regions.shapes[""]
    assert (shape.may_show("cat"), shape.may_show("dog")) == (True, False)
    before = regions_digest(regions, ["cat"])
    assert regions_digest(load_regions(str(file(counts=[22, 2])), "elsewhere"), ["cat"]) != before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": [6, 4]}, r"mask of cat in a\.jpg: size is \[6, 4\], but the image has \[4, 6\]"),
        ({"counts": [20, 1]}, "run lengths of 21 pixels, but the image has 24"),
        ({"counts": [20, -4, 8]}, "counts are no run lengths"),
        ({"counts": "o"}, "run lengths of 31|counts are no run lengths"),
        ({"counts": "P"}, "in COCO's code"),
    ],
)
def test_malformed_masks_are_refused(file, changed, message):
    with pytest.raises(InputError, match=message):
        load_regions(str(file(**changed)), "elsewhere").mask("cat", (4, 6), image="a.jpg", positive=True)


def test_polygons_of_an_odd_number_and_files_without_masks_are_refused(tmp_path):
    with pytest.raises(InputError, match="a polygon is x, y, x, y"):
        decode([[1, 2, 3]], (4, 4))
    empty = {"images": [], "categories": [], "annotations": []}
    (tmp_path / "boxes.json").write_text(json.dumps(empty))
    with pytest.raises(InputError, match="no masks"):
        load_regions(str(tmp_path / "boxes.json"), "elsewhere")
