"""The reach of a grid: perfect evidence is boxed, as far as cells allow."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.data.regions.boxes import box_mask, mask_box
from bincam.errors import InputError
from bincam.metrics import box_reach, grid_reach, iou, judgement
from bincam.metrics.localization.boxes.verdict import CANNOT, JUDGED, UNDEFINED
from bincam.resample import project, upsample
from bincam.stats import Estimate
from tests.metrics.localization.boxes.protocols.test_components import labelled

LEVELS = np.arange(20) / 20


def test_the_projected_mask_goes_down_and_up():
    import torch

    mask = np.zeros((48, 64), bool)
    mask[5:20, 30:50] = True
    got = grid_reach(mask, (6, 8), LEVELS)
    cells = project(mask, (6, 8)) / project(np.ones((48, 64)), (6, 8))
    pixels = upsample(torch.from_numpy(cells.astype(np.float32)), (48, 64)).numpy()
    expected = [iou([labelled(pixels, level)[1]], mask_box(mask)).item() for level in LEVELS]
    np.testing.assert_allclose(got.projected, expected)
    assert got.best >= got.projected.max()


@pytest.mark.parametrize(("side", "reached"), [(64, True), (32, True), (6, False)])
def test_small_objects_are_out_of_reach_of_coarse_grids(side, reached):
    mask = box_mask([100, 90, 100 + side, 90 + side], (224, 224))
    assert (grid_reach(mask, (7, 7)).best >= 0.5) is reached
    assert grid_reach(mask, (56, 56)).best >= 0.5


def test_a_finer_grid_reaches_more():
    mask = box_mask([33, 47, 80, 71], (96, 96))
    best = [grid_reach(mask, (n, n)).best for n in (1, 3, 6, 12, 48)]
    assert best == sorted(best)
    assert best[-1] > 0.95


def test_masks_of_nothing_and_everything():
    nothing = grid_reach(np.zeros((8, 8)), (2, 2), LEVELS)
    assert np.isnan(nothing.best)
    assert np.isnan(nothing.projected).all()
    assert grid_reach(np.ones((8, 8)), (2, 2), LEVELS).best == 1
    assert grid_reach(np.ones((8, 8)), (1, 1), LEVELS).best == 1


def test_a_stated_box_is_what_counts():
    mask = np.zeros((16, 16), bool)
    mask[4:8, 4:8] = True
    assert grid_reach(mask, (4, 4), box=[0, 0, 16, 16]).best < grid_reach(mask, (4, 4)).best
    assert box_reach([4, 4, 8, 8], (16, 16), (4, 4)).best == grid_reach(mask, (4, 4)).best


def test_verdicts():
    assert judgement(Estimate.of_value(0.49)) == CANNOT
    assert judgement(Estimate.of_value(0.5)) == JUDGED
    assert judgement(Estimate.of_value(np.nan)) == UNDEFINED


def test_what_is_no_mask_or_grid_is_refused():
    with pytest.raises(InputError, match=r"a mask has shape \(H, W\)"):
        grid_reach(np.ones(4), (2, 2))
    with pytest.raises(InputError, match="at least one cell"):
        grid_reach(np.ones((4, 4)), (0, 2))
