"""The columns of a batch are those of the parts that they are made of, and their stored form gives the same scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bincam.data.regions.boxes import box_mask, mask_box, part_boxes
from bincam.errors import InputError
from bincam.metrics import box_columns, box_scores, clean_overlaps, fit_constant_boxes, grid_reach, iou
from bincam.metrics.localization.boxes.overlaps import NO_TRUTH, overlap_hits
from bincam.stats import Clusters

SIZE = (48, 48)


def scenes(n, seed=0):
    """Boxes of an attribute in n images; every third has none."""
    low = np.random.default_rng(seed).integers(0, 28, (n, 2))
    return [[] if i % 3 == 2 else [[x, y, x + 16, y + 20]] for i, (x, y) in enumerate(low)]


def planted(boxes, *, on=True):
    """Maps that show each object itself, or, as their twin, always the corner away from it."""
    maps = torch.zeros(len(boxes), 1, 12, 12)
    for n, box in enumerate(boxes):
        if box:
            cells = box_mask(box, SIZE).reshape(12, 4, 12, 4).mean((1, 3))
            maps[n, 0] = torch.from_numpy(cells if on else cells[::-1, ::-1].copy())
    return maps


def test_columns_are_their_parts():
    boxes = scenes(6)
    truth = [[one] for one in boxes]
    maps = torch.randn(6, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    fitted = fit_constant_boxes([boxes], SIZE)
    got = box_columns(maps, truth, SIZE, fitted=fitted)
    overlaps = clean_overlaps(maps, truth, SIZE)
    known = [n for n in range(6) if boxes[n]]
    np.testing.assert_allclose(got.cam, overlaps.one[..., 20].astype(np.float32))
    for n in known:
        reach = grid_reach(box_mask(boxes[n], SIZE), (12, 12))
        assert got.reach[n, 0] == np.float32(reach.best)
        assert got.projected[n, 0] == np.float32(reach.projected[20])
        for name in ("centred", "constant"):
            box = getattr(fitted.in_image(SIZE), name)
            assert getattr(got, name)[n, 0] == np.float32(iou(box, boxes[n]).item())
    for column in (got.cam, got.centred, got.constant, got.projected, got.reach):
        assert column.dtype == np.float32
        assert np.isnan(column[got.status == NO_TRUTH]).all()
    assert (got.one[got.status == NO_TRUTH] == 255).all()


def test_scores_of_stored_curves_are_those_of_exact_ones():
    boxes = scenes(30, seed=1)
    truth, clusters = [[one] for one in boxes], Clusters.of([""] * 30)
    maps = planted(boxes) + 0.2 * torch.randn(30, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    stored = box_columns(maps, truth, SIZE).overlaps.attribute(0)
    exact = clean_overlaps(maps, truth, SIZE).attribute(0)
    assert box_scores(stored, clusters).to_json() == box_scores(exact, clusters).to_json()
    assert box_scores(exact, clusters).fixed.value > 0


def test_a_planted_localiser_is_found_and_its_twin_is_not():
    boxes = scenes(60, seed=2)
    truth, clusters = [[one] for one in boxes], Clusters.of([""] * 60)
    fitted = fit_constant_boxes([scenes(60, seed=3)], SIZE)
    found, twin = (box_columns(planted(boxes, on=on), truth, SIZE, fitted=fitted) for on in (True, False))
    constant = overlap_hits(found.constant[:, 0], found.status[:, 0], 0.5)
    good, bad = (box_scores(c.overlaps.attribute(0), clusters).max_box_acc for c in (found, twin))
    assert good.low > np.nanmean(constant)
    assert bad.high < good.low
    assert np.nanmean(overlap_hits(found.reach[:, 0], found.status[:, 0], 0.5)) == 1


def test_masks_are_used_where_there_are_any():
    disc = (np.arange(48)[:, None] - 20) ** 2 + (np.arange(48) - 24) ** 2 < 100
    maps = torch.randn(1, 2, 12, 12, generator=torch.Generator().manual_seed(0))
    truth = [[mask_box(disc), mask_box(disc)]]
    got = box_columns(maps, truth, SIZE, masks=[[disc, None]])
    assert got.projected[0, 0] == np.float32(grid_reach(disc, (12, 12)).projected[20])
    assert got.projected[0, 1] == np.float32(grid_reach(box_mask(truth[0][1], SIZE), (12, 12)).projected[20])
    empty = box_columns(maps, truth, SIZE, masks=[[np.zeros_like(disc), None]])
    assert empty.projected[0, 0] == got.projected[0, 1]  # no mask: the box is one


def test_parts_of_an_object():
    eyes = np.zeros(SIZE, bool)
    eyes[20:24, 8:12] = eyes[20:24, 32:36] = True
    maps = torch.zeros(1, 1, 12, 12)
    maps[0, 0, 5, 2] = maps[0, 0, 5, 8] = 1.0
    got = box_columns(maps, [[part_boxes(eyes)]], SIZE, masks=[[eyes]])
    assert got.several.max() > 100 > got.one.max()


def test_without_pairs_nothing_is_measured():
    got = box_columns(torch.ones(2, 1, 3, 3), [[[]], [[]]], SIZE)
    assert (got.status == NO_TRUTH).all()
    assert np.isnan(got.reach).all()
    none = box_columns(torch.ones(0, 1, 3, 3), [], SIZE)
    assert none.cam.shape == (0, 1)


def test_what_does_not_fit_is_refused():
    maps, truth = torch.ones(1, 1, 3, 3), [[[[0, 0, 4, 4]]]]
    with pytest.raises(InputError, match=r"level 0.2 was not measured"):
        box_columns(maps, truth, SIZE, levels=[0.1, 0.5])
    with pytest.raises(InputError, match="masks are 1 lists of 1"):
        box_columns(maps, truth, SIZE, masks=[[None, None]])
    with pytest.raises(InputError, match="the images' size"):
        box_columns(maps, truth, SIZE, masks=[[np.ones((4, 4), bool)]])
    with pytest.raises(InputError, match="constant boxes are of 2 attributes"):
        box_columns(maps, truth, SIZE, fitted=fit_constant_boxes([[], []], SIZE))
