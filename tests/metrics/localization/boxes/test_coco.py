"""COCO export: run lengths are pycocotools', and its reader takes the results."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.files import read_json
from bincam.metrics import Marked, coco_document, coco_results, rle, write_coco
from bincam.metrics.localization.boxes.coco import KIND, SCHEMA, runs


def masks():
    rng = np.random.default_rng(0)
    yield from (rng.random(rng.integers(1, 40, 2)) < share for share in (0.05, 0.5, 0.95) for _ in range(10))
    yield from (np.zeros((5, 7), bool), np.ones((5, 7), bool), np.ones((1, 1), bool), np.zeros((300, 400), bool))
    blob = np.zeros((300, 400), bool)
    blob[50:250, 100:350] = True
    yield blob
    yield ~blob


def decode(text, size):
    """By the definition: groups of five bits, 32 says that another follows, 16 of the last is the sign."""
    counts, at = [], 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            group = ord(text[at]) - 48
            value |= (group & 31) << shift
            more, at, shift = bool(group & 32), at + 1, shift + 5
            if not more and group & 16:
                value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(size[::-1]).T


def test_run_lengths_give_the_mask_again():
    for mask in masks():
        code = rle(mask)
        assert sum(runs(mask)) == mask.size
        np.testing.assert_array_equal(decode(code["counts"], code["size"]), mask)


def test_by_hand():
    assert runs([[True, False], [True, True]]) == [0, 2, 1, 1]
    assert rle([[True, False], [True, True]]) == {"size": [2, 2], "counts": "021O"}  # 1 - 2 is -1: 31 + 48


def test_run_lengths_are_those_of_pycocotools():
    library = pytest.importorskip("pycocotools.mask")
    for mask in masks():
        theirs = library.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert rle(mask) == {"size": theirs["size"], "counts": theirs["counts"].decode()}
        x, y, w, h = library.toBbox(theirs).astype(int).tolist()
        found = coco_document([Marked("a", "b", mask, 1.0)], ["a"], ["b"])["annotations"]
        assert [one["bbox"] for one in found] == ([[x, y, w, h]] if mask.any() else [])
        assert [one["area"] for one in found] == ([int(library.area(theirs))] if mask.any() else [])


def star(image="a.png", score=0.9):
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    return Marked(image, "star", mask, score)


def test_its_own_reader_takes_what_is_written(tmp_path):
    library = pytest.importorskip("pycocotools.coco")
    whole, results = write_coco(tmp_path / "out", coco_document([star()], ["b.png", "a.png"], ["ring", "star"]))
    truth = library.COCO(str(whole))
    found = truth.loadRes(str(results))
    assert found.loadAnns(found.getAnnIds())[0]["bbox"] == [2, 1, 5, 3]
    np.testing.assert_array_equal(truth.annToMask(truth.loadAnns(1)[0]).astype(bool), star().mask)


def test_files(tmp_path):
    document = coco_document([star()], ["b.png", "a.png"], ["ring", "star"])
    whole, results = write_coco(tmp_path, document)
    assert read_json(whole, kind=KIND, schema=SCHEMA)["images"] == [
        {"id": 1, "file_name": "b.png"},
        {"id": 2, "file_name": "a.png", "height": 6, "width": 8},
    ]
    assert json.loads(results.read_text()) == coco_results(document)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["coco-results.json", "coco.json"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"image 'a.png' is marked but not listed; did you mean 'a.jpg'"):
        coco_document([star()], ["a.jpg"], ["star"])
    with pytest.raises(InputError, match="attribute 'star' is marked but not listed"):
        coco_document([star()], ["a.png"], ["ring"])
    with pytest.raises(InputError, match="sizes"):
        coco_document([star(), Marked("a.png", "star", np.ones((2, 2), bool), 1.0)], ["a.png"], ["star"])
    with pytest.raises(InputError, match="score"):
        coco_document([star(score=float("nan"))], ["a.png"], ["star"])
    with pytest.raises(InputError, match=r"a mask has shape \(H, W\)"):
        rle([True, False])
