"""The protocol clean: (σS)⁺ upsampled, the largest component, and what has no box."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from bincam.errors import InputError
from bincam.metrics import clean_boxes, clean_overlaps, clean_scores
from bincam.metrics.localization.boxes.overlaps import MEASURED, NO_BOX, NO_TRUTH
from bincam.resample import upsample


def random_maps(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_boxes_are_those_of_the_upsampled_evidence():
    maps, size = random_maps(3, 2, 5, 7), (40, 63)
    levels = [0.0, 0.2, 0.5, 0.9]
    got = clean_boxes(maps, size, levels)
    assert got.shape == (3, 2, 4, 4)
    for b, a in np.ndindex(3, 2):
        pixels = upsample(maps[b, a].relu(), size).numpy()
        for level, box in zip(levels, got[b, a], strict=True):
            above = (pixels > level * float(pixels.max())).astype(np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
            x, y, w, h, _ = max(stats[1:], key=lambda row: row[4])
            assert box.tolist() == [x, y, x + w, y + h]


def test_by_hand():
    """One cell of 2 x 2 in 8 x 8 pixels: per axis the columns of U weigh it by 0 0 1/8 3/8 5/8 7/8 1 1."""
    maps = torch.tensor([[[[0.0, 0.0], [0.0, 8.0]]]])
    boxes = clean_boxes(maps, (8, 8), [0.0, 0.124, 0.125, 0.7, 0.99])[0, 0]
    assert boxes.tolist() == [[2, 2, 8, 8], [2, 2, 8, 8], [3, 3, 8, 8], [5, 5, 8, 8], [6, 6, 8, 8]]


def test_what_marks_no_place_has_no_box():
    maps = torch.ones(6, 1, 4, 4)
    maps[0] = 0
    maps[1] = -1
    maps[2, 0, 0, 0] = torch.nan
    maps[3, 0, 0, 0] = torch.inf
    maps[4, 0, 0, 0] = 1 + 2e-7  # constant but for rounding
    maps[5, 0, 0, 0] = 1.1
    boxes = clean_boxes(maps, (16, 16))
    assert np.isnan(boxes[:5]).all()
    assert np.isfinite(boxes[5]).all()
    got = clean_overlaps(maps, [[[[0, 0, 4, 4]]]] * 6, (16, 16))
    assert got.status[:, 0].tolist() == [NO_BOX] * 5 + [MEASURED]
    assert np.isnan(got.one[:5]).all()
    assert np.isnan(got.several[:5]).all()
    assert (got.hits(0.1)[:5] == 0).all()  # a miss where a rate must compare
    assert (clean_scores(maps, (16, 16))[:5] == 0).all()


def test_a_map_of_one_cell_marks_no_place():
    assert np.isnan(clean_boxes(torch.ones(1, 1, 1, 1), (8, 8))).all()


def test_images_without_a_true_box_are_in_no_rate():
    got = clean_overlaps(random_maps(1, 2, 3, 3), [[[], [[0, 0, 4, 4]]]], (9, 9))
    assert got.status.tolist() == [[NO_TRUTH, MEASURED]]
    assert np.isnan(got.one[0, 0]).all()
    assert np.isnan(got.hits(0.5)[0, 0]).all()
    assert np.isfinite(got.one[0, 1]).all()


def test_parts_count_for_several_and_their_union_for_one():
    maps = torch.zeros(1, 1, 16, 16)
    maps[0, 0, 7:9, 2:4] = maps[0, 0, 7:9, 11:13] = 1
    eyes = [[2, 7, 4, 9], [11, 7, 13, 9]]
    got = clean_overlaps(maps, [[eyes]], (16, 16), [0.5])
    assert got.one[0, 0, 0] == 4 / 22
    assert got.several[0, 0, 0] == 1


def test_batch_mates_do_not_change_a_bit():
    maps, truth = random_maps(5, 3, 7, 7), [[[[10, 20, 60, 90]]] * 3] * 5
    whole = clean_overlaps(maps, truth, (96, 96))
    for b in range(5):
        alone = clean_overlaps(maps[b : b + 1], truth[b : b + 1], (96, 96))
        assert_array_equal(whole.one[b], alone.one[0])
        assert_array_equal(whole.several[b], alone.several[0])


def test_the_scale_of_a_map_does_not_matter():
    maps, truth = random_maps(4, 1, 7, 7), [[[[10, 20, 60, 90]]]] * 4
    assert_array_equal(clean_overlaps(maps, truth, (96, 96)).one, clean_overlaps(maps * 2.0**-40, truth, (96, 96)).one)


def test_scores_are_shares_of_the_maximum():
    maps = random_maps(2, 1, 5, 5)
    got = clean_scores(maps, (20, 20))
    full = upsample(maps.relu(), (20, 20))
    assert_allclose(got, (full / full.amax((-2, -1), keepdim=True)).numpy(), rtol=1e-5, atol=1e-7)
    assert (got.max((-2, -1)) == 1).all()


def test_maps_are_borrowed():
    maps = random_maps(1, 1, 3, 3).requires_grad_()
    before = maps.detach().clone()
    clean_overlaps(maps, [[[[0, 0, 4, 4]]]], (9, 9))
    assert maps.requires_grad
    assert maps.grad is None
    assert torch.equal(maps.detach(), before)


def test_double_precision_is_measured_in_single():
    maps, truth = random_maps(2, 1, 7, 7).double(), [[[[1, 2, 30, 40]]]] * 2
    assert_array_equal(clean_overlaps(maps, truth, (56, 56)).one, clean_overlaps(maps.float(), truth, (56, 56)).one)
    maps[0, 0, 3, 3] = 1e200  # beyond float32: no box, rather than an infinite one
    assert clean_overlaps(maps, truth, (56, 56)).status[:, 0].tolist() == [NO_BOX, MEASURED]


def test_half_precision_is_measured_in_single():
    maps, truth = random_maps(2, 1, 7, 7).half(), [[[[1, 2, 30, 40]]]] * 2
    assert_array_equal(clean_overlaps(maps, truth, (56, 56)).one, clean_overlaps(maps.float(), truth, (56, 56)).one)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([3, 3, 3, 9], "has no area"),
        ([5, 3, 3, 9], "has no area"),
        ([np.nan, 0, 1, 1], "not a number"),
        ([1, 2, 3], "four numbers"),
        ([4, 4, 9, 8], "not inside its image of 8 x 8"),
    ],
)
def test_boxes_that_mark_nothing_are_refused(box, message):
    with pytest.raises(InputError, match=f"image 0 of the batch, attribute 0: .*{message}"):
        clean_overlaps(torch.ones(1, 1, 2, 2), [[[box]]], (8, 8))


def test_boxes_of_other_batches_are_refused():
    for truth in ([], [[[]]] * 2, [[[], []]]):
        with pytest.raises(InputError, match="B lists of A arrays"):
            clean_overlaps(torch.ones(1, 1, 2, 2), truth, (8, 8))
    with pytest.raises(InputError, match=r"\(B, A, h, w\)"):
        clean_boxes(torch.ones(2, 2), (8, 8))
