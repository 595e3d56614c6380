"""Landmarks and boxes that cannot be right are told, and a few unusual faces are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bincam.data import celeba
from bincam.data.check import check
from bincam.data.checking.places import misplaced
from tests.data.conftest import make_table

UPRIGHT = np.float32([[30, 40], [60, 40], [45, 60], [35, 80], [55, 80]])
SIZES = dict.fromkeys(range(12), (100, 120))


def told(points, rows=12):
    landmarks = np.tile(UPRIGHT, (12, 1, 1))
    landmarks[:rows] = points
    return [text for _, _, text in misplaced(replace(make_table(), landmarks=landmarks), SIZES)]


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        (UPRIGHT[[1, 0, 2, 3, 4]], "lefteye is to the right of righteye"),
        (UPRIGHT * [1, -1] + [0, 120], "the mouth is above the eyes"),
        (UPRIGHT / [100, 120], "all landmarks are within one pixel"),
        (UPRIGHT + 500, "no landmark lies on the image"),
        (-UPRIGHT, "no landmark lies on the image"),
    ],
)
def test_points_that_cannot_be_right_are_told(points, problem):
    assert any(text.startswith("12 of 12 images (first: 000001.jpg): ") and problem in text for text in told(points))


def test_a_few_unusual_faces_are_no_problem():
    assert told(UPRIGHT) == []
    assert told(UPRIGHT[[1, 0, 2, 3, 4]], rows=6) == []
    assert told(UPRIGHT * [1, -1] + [0, 120], rows=6) == []
    assert told(np.nan) == []
    assert told(UPRIGHT - [40, 0], rows=6) == []  # cut by the image's edge


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ((5, 5, 0, 9), "no area"),
        ((5, 5, -3, 9), "no area"),
        ((200, 5, 9, 9), "not lie on"),
        ((-9, 0, 9, 9), "not lie on"),
    ],
)
def test_boxes_that_cannot_be_right_are_told(box, problem):
    boxes = np.tile(np.float32([10, 10, 50, 60]), (12, 1))
    table = replace(make_table(), boxes=boxes)
    assert list(misplaced(table, SIZES)) == []
    boxes[3] = box
    ((kind, row, text),) = misplaced(table, SIZES)
    assert (kind, row) == ("box", 3)
    assert problem in text


def test_the_check_of_a_data_set_tells_them(folder):
    table = celeba(folder)
    points = np.array(table.landmarks)
    report = check(replace(table, landmarks=points[:, [1, 0, 2, 3, 4]]))
    assert report.counts() == {"landmarks": 1}
    assert "exchange the columns" in report.problems[0].text
