"""Boxes as arrays: around masks, moved with a crop as masks are, and refused where they mark nothing."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.data import crop
from bincam.data.regions.boxes import box_mask, checked_boxes, cropped_boxes, mask_box, part_boxes, union_box
from bincam.data.regions.shapes import Place
from bincam.data.regions.stored_masks import cropped
from bincam.errors import InputError

MATRICES = {
    "stretch": crop.fit_matrix("stretch", (80, 100), (64, 48)),
    "crop": crop.fit_matrix("crop", (80, 100), (64, 64)),
    "enlarged": crop.fit_matrix("stretch", (80, 100), (240, 400)),
}


def test_a_mask_and_its_boxes():
    mask = np.zeros((9, 12), bool)
    mask[2:4, 1:5] = True
    mask[4, 5] = True  # touches a corner: one part
    mask[7, 8:11] = True
    assert part_boxes(mask).tolist() == [[1, 2, 6, 5], [8, 7, 11, 8]]
    assert mask_box(mask).tolist() == union_box(part_boxes(mask)).tolist() == [[1, 2, 11, 8]]


def test_masks_of_nothing_and_everything():
    empty = np.zeros((4, 6), bool)
    for boxes in (mask_box(empty), part_boxes(empty), union_box(np.zeros((0, 4)))):
        assert boxes.shape == (0, 4)
    assert mask_box(~empty).tolist() == part_boxes(~empty).tolist() == [[0, 0, 6, 4]]
    assert mask_box([[True]]).tolist() == [[0, 0, 1, 1]]
    assert not box_mask(np.zeros((0, 4)), (3, 3)).any()


def test_a_filled_box_is_boxed_as_it_was():
    for box in ([0, 0, 1, 1], [2, 3, 7, 9], [0, 0, 10, 10]):
        assert mask_box(box_mask(box, (10, 10))).tolist() == [box]


@pytest.mark.parametrize("name", MATRICES)
def test_boxes_move_as_masks_do(name):
    matrix = MATRICES[name]
    size = {"stretch": (64, 48), "crop": (64, 64), "enlarged": (240, 400)}[name]
    box = np.array([30, 20, 61, 55])
    mask = cropped(box_mask(box, (80, 100)).astype(np.uint8), Place(size, matrix=matrix, stored=(80, 100))) > 0
    moved = cropped_boxes(box, matrix, size)
    assert np.abs(moved - mask_box(mask)).max() <= 1  # masks move by whole pixels
    back = cropped_boxes(moved, np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2], (80, 100))
    np.testing.assert_allclose(back, [box], atol=1e-9)


def test_a_turn_makes_a_box_larger():
    turn = np.array([[np.cos(0.5), np.sin(0.5), 0], [-np.sin(0.5), np.cos(0.5), 20]])
    moved = cropped_boxes([30, 30, 50, 40], turn, (100, 100))[0]
    np.testing.assert_allclose(moved[2] - moved[0], 20 * np.cos(0.5) + 10 * np.sin(0.5))
    np.testing.assert_allclose(moved[3] - moved[1], 20 * np.sin(0.5) + 10 * np.cos(0.5))


def test_what_a_crop_cuts_off_is_gone():
    matrix = np.array([[1.0, 0, -20], [0, 1, -20]])
    boxes = [[0, 0, 20, 90], [10, 10, 30, 40], [25, 25, 35, 36], [60, 60, 70, 70]]
    assert cropped_boxes(boxes, matrix, (30, 30)).tolist() == [[0, 0, 10, 20], [5, 5, 15, 16]]
    assert cropped_boxes(np.zeros((0, 4)), matrix, (30, 30)).shape == (0, 4)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([3, 3, 3, 9], "no area"),
        ([3, 9, 5, 9], "no area"),
        ([5, 3, 3, 9], "no area"),
        ([0, 0, np.inf, 1], "not a number"),
        ([0, 0, 11, 5], r"not inside its image of 10 x 20 pixels \(width x height\)"),
        ([-1, 0, 5, 5], "not inside"),
        ([30, 30, 40, 40], "not inside"),
        ([[[0, 0, 1, 1]]], "four numbers"),
    ],
)
def test_boxes_that_mark_nothing_are_refused(box, message):
    with pytest.raises(InputError, match=f"star: .*{message}"):
        checked_boxes(box, (20, 10), "star")


def test_boxes_that_mark_something_are_kept():
    assert checked_boxes([]).shape == (0, 4)
    assert checked_boxes([0, 0, 10, 20], (20, 10)).tolist() == [[0, 0, 10, 20]]
    with pytest.raises(InputError, match=r"a mask has shape \(H, W\)"):
        mask_box(np.ones(3, bool))
