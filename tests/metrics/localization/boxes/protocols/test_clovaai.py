"""The protocol clovaai is the public code's, bit for bit: its loop over a thousand thresholds, written out here."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from bincam.errors import InputError
from bincam.metrics import clovaai_boxes, clovaai_overlaps, clovaai_scores, inclusive_iou, scaled_boxes
from bincam.metrics.localization.boxes.overlaps import MEASURED, NO_EVIDENCE, NO_TRUTH
from bincam.metrics.localization.boxes.protocols.clovaai import CUTS, LEVELS, THRESHOLDS, inclusive


def loop(cells, size):
    """Boxes of all contours at each of the 1,000 thresholds, the one of the largest area first."""
    wide = cv2.resize(cells.astype(np.float64), size[::-1], interpolation=cv2.INTER_CUBIC)
    if np.isnan(wide).any() or wide.min() == wide.max():
        wide = np.zeros_like(wide)
    else:
        wide -= wide.min()
        wide /= wide.max()
    image = (wide * 255).astype(np.uint8)
    for threshold in np.arange(0, 1, 0.001):
        _, cut = cv2.threshold(image, int(threshold * np.max(image)), 255, cv2.THRESH_BINARY)
        contours, _ = cv2.findContours(cut, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
        if not contours:
            yield [(0, 0, 0, 0)]
            continue
        largest = max(range(len(contours)), key=lambda n: cv2.contourArea(contours[n]))
        order = [largest, *(n for n in range(len(contours)) if n != largest)]
        rectangles = [cv2.boundingRect(contours[n]) for n in order]
        yield [(x, y, min(x + w, size[1] - 1), min(y + h, size[0] - 1)) for x, y, w, h in rectangles]


def iou_of_both_ends(a, b):
    across, down = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    both = max(0, across) * max(0, down)
    own, other = ((x[2] - x[0] + 1) * (x[3] - x[1] + 1) for x in (a, b))
    return both / (own + other - both)


MAPS = {
    "random": np.random.default_rng(0).normal(size=(7, 7)),
    "coarse": np.random.default_rng(1).normal(size=(2, 3)),
    "fine": np.random.default_rng(2).normal(size=(14, 14)),
    "negative": np.random.default_rng(3).normal(size=(7, 7)) - 10,
    "constant": np.full((7, 7), 3.0),
    "nan": np.array([[0.0, np.nan], [1.0, 2.0]]),
    "one cell": np.ones((1, 1)),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("size", [(64, 64), (40, 56)])
def test_the_255_cuts_are_the_1000_thresholds(name, size):
    cells = MAPS[name].astype(np.float32)
    truth = [[3, 4, 30, 33], [20, 10, 50, 39]]
    stored = (80, 100)
    maps = torch.from_numpy(cells)[None, None]
    got = clovaai_overlaps(maps, [[truth]], size, stored)
    known = [
        [int(x * size[1] / 100), int(y * size[0] / 80), int((x1 - 1) * size[1] / 100), int((y1 - 1) * size[0] / 80)]
        for x, y, x1, y1 in truth
    ]
    scores = clovaai_scores(cells, size)
    found = clovaai_boxes(scores)
    for threshold, boxes in zip(THRESHOLDS, loop(cells, size), strict=True):
        cut = int(threshold * 255) if scores.any() else 0
        one = found[cut]
        assert one.boxes[one.largest].tolist() == list(boxes[0])
        assert sorted(one.boxes.tolist()) == sorted(map(list, boxes))
        overlaps = [max(iou_of_both_ends(box, true) for true in known) for box in boxes]
        assert got.one[0, 0, cut] == overlaps[0]
        assert got.several[0, 0, cut] == max(overlaps)


def test_facts():
    assert Fraction(inclusive_iou([[1, 2, 5, 6]], [[3, 1, 4, 5]]).item()).limit_denominator(1000) == Fraction(8, 27)
    assert scaled_boxes([1, 2, 4, 3], boxed=(20, 10), size=(10, 35)).tolist() == [[3, 1, 14, 1]]
    for boxes in clovaai_boxes(np.zeros((3, 3))):
        assert boxes.boxes.tolist() == [[0, 0, 0, 0]]
    assert inclusive([0, 0, 0.5, 8]).tolist() == [[0, 0, 0, 7]]  # a sliver of a pixel keeps it


def test_its_levels():
    assert len(LEVELS) == CUTS == 255
    assert (LEVELS * 255).astype(int).tolist() == list(range(255))
    assert LEVELS[51] == 0.2  # the fixed threshold is among them


def test_holes_are_boxed_too_and_only_there():
    scores = np.zeros((12, 12))
    scores[1:11, 1:11] = 1
    scores[3:8, 4:9] = 0
    ring = clovaai_boxes(scores)[100].boxes.tolist()
    assert sorted(ring) == [[1, 1, 11, 11], [3, 2, 10, 9]]  # the hole's border is of the ring's pixels around it


def test_a_line_has_no_area_and_loses():
    scores = np.zeros((12, 12))
    scores[2, 0:12] = 1  # 12 pixels
    scores[6:9, 6:9] = 1  # 9 pixels, and the larger contour
    found = clovaai_boxes(scores)[100]
    assert found.boxes[found.largest].tolist() == [6, 6, 9, 9]


def test_maps_without_evidence_are_boxed_and_flagged():
    maps = torch.stack([torch.from_numpy(MAPS[name]) for name in ("random", "negative", "constant")])[:, None]
    got = clovaai_overlaps(maps, [[[[3, 4, 30, 33]]], [[[3, 4, 30, 33]]], [[]]], (64, 64))
    assert got.status[:, 0].tolist() == [MEASURED, NO_EVIDENCE, NO_TRUTH]
    shifted = clovaai_overlaps(maps[:1] - 10, [[[[3, 4, 30, 33]]]], (64, 64))
    np.testing.assert_allclose(shifted.one[0].max(), got.one[0].max(), atol=0.02)
    assert shifted.status.item() == NO_EVIDENCE


def test_scores_are_scaled_first():
    for scores in (np.full((3, 3), 2.0), np.full((3, 3), -0.1), np.full((3, 3), np.nan), np.ones(3)):
        with pytest.raises(InputError, match=r"\(H, W\) in \[0, 1\]"):
            clovaai_boxes(scores)


def test_maps_are_borrowed():
    cells = MAPS["random"].copy()
    maps = torch.from_numpy(cells)[None, None]
    clovaai_overlaps(maps, [[[[3, 4, 30, 33]]]], (64, 64))
    clovaai_scores(cells, (64, 64))
    assert_array_equal(cells, MAPS["random"])
