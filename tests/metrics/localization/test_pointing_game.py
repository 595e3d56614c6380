"""The peak is the maximum of the continuous map, or undefined."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bincam.errors import InputError
from bincam.metrics.localization.pointing_game import (
    TOLERANCE,
    hit_cells,
    peak,
    pointing,
    pointing_centre,
    pointing_chance,
)
from bincam.resample import matrix, upsample


def test_the_peak_is_the_highest_point_of_a_fine_upsampling() -> None:
    maps = torch.randn(20, 3, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x, y = peak(maps)
    size = (5 * 31, 7 * 31)  # an odd ratio has a pixel at every cell's centre
    fine = upsample(maps, size).flatten(2)
    there = (y * size[0] - 0.5).round().long() * size[1] + (x * size[1] - 0.5).round().long()
    # Beyond the outer cells' centres U is flat, so a peak there has a plateau: compare heights.
    torch.testing.assert_close(fine.gather(-1, there[..., None])[..., 0], fine.amax(-1))


def test_no_pixel_is_above_the_strongest_cell() -> None:
    for n_in, n_out in ((7, 224), (3, 10), (5, 4)):
        rows = matrix(n_in, n_out)
        assert (rows >= 0).all()  # with rows that sum to 1: convex combinations
        np.testing.assert_allclose(rows.sum(-1), 1)


def test_peaks_that_do_not_exist() -> None:
    maps = torch.zeros(6, 1, 2, 2)
    maps[0, 0, 1, 0] = 2
    maps[1] = 3  # constant
    maps[2] = -torch.rand(2, 2)  # empty
    maps[3, 0, 0] = 1  # two cells tie
    maps[4, 0, 0, 0], maps[4, 0, 1, 1] = 1, torch.nan
    maps[5, 0, 0, 0] = torch.inf
    x, y = peak(maps)
    assert (x[0].item(), y[0].item()) == (0.25, 0.75)
    assert torch.isnan(x[1:]).all()
    assert torch.isnan(y[1:]).all()
    everywhere = torch.ones(1, 2, 2)
    assert pointing(maps, everywhere)[0].item() == 1
    assert torch.isnan(pointing(maps, everywhere)[1:]).all()
    assert torch.isnan(peak(torch.ones(1, 1, 1, 1))[0]).all()
    assert peak(maps.half())[0].dtype == torch.float32


def test_pointing_by_hand() -> None:
    """A 4x4 image, 2x2 cells: centres at the corners of pixels (1, 1), (1, 3), (3, 1), (3, 3)."""
    mask = np.zeros((4, 4), bool)
    mask[1, 1] = (
        True  # the square from (1, 1) to (2, 2): 0 from the first centre, 1 from its neighbours, √2 from the last
    )
    assert hit_cells(mask, (2, 2), 0).tolist() == [[1, 0], [0, 0]]
    assert hit_cells(mask, (2, 2), 0.24).tolist() == [[1, 0], [0, 0]]
    assert hit_cells(mask, (2, 2), 0.25).tolist() == [[1, 1], [1, 0]]
    assert hit_cells(mask, (2, 2), 0.36).tolist() == [[1, 1], [1, 1]]
    maps = torch.tensor([[[[1.0, 2.0], [0.0, 0.0]]]])
    assert pointing(maps, torch.from_numpy(hit_cells(mask[None], (2, 2), 0))).item() == 0
    assert pointing(maps, torch.from_numpy(hit_cells(mask[None], (2, 2), 0.25))).item() == 1


@pytest.mark.parametrize("tolerance", [0.0, 0.05, TOLERANCE, 0.5, 3.0])
def test_hits_are_those_of_every_pixels_distance(tolerance: float) -> None:
    mask = np.random.default_rng(0).random((3, 31, 22)) < 0.01
    got = hit_cells(mask, (4, 5), tolerance)
    for m, table in zip(mask, got, strict=True):
        ys, xs = np.nonzero(m)
        for i in range(4):
            for j in range(5):
                cy, cx = (i + 0.5) * 31 / 4, (j + 0.5) * 22 / 5
                gap = np.hypot(cy - np.clip(cy, ys, ys + 1), cx - np.clip(cx, xs, xs + 1)).min()
                assert table[i, j] == (gap <= tolerance * 22 + 1e-9)


def test_regions_of_images_and_empty_ones() -> None:
    mask = np.zeros((2, 3, 8, 8), bool)
    mask[:, 1] = True
    mask[1, 2, 0, 0] = True
    hits = torch.from_numpy(hit_cells(mask, (2, 2), 0.1))
    maps = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).expand(2, 3, 2, 2)
    got = pointing(maps, hits)
    assert torch.isnan(got[:, 0]).all()
    assert got[:, 1].tolist() == [1, 1]
    assert torch.isnan(got[0, 2])
    assert got[1, 2].item() == 0
    for index in range(2):
        assert torch.equal(
            pointing(maps[index : index + 1], hits[index : index + 1])[0].nan_to_num(9), got[index].nan_to_num(9)
        )


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="hits have shape"):
        pointing(torch.ones(1, 2, 3, 3), torch.ones(1, 3, 3))
    with pytest.raises(InputError, match="tolerance"):
        hit_cells(np.ones((4, 4), bool), (2, 2), -1)
    with pytest.raises(InputError, match="at least one cell"):
        hit_cells(np.ones((4, 4), bool), (0, 2))
    with pytest.raises(InputError, match="a mask has shape"):
        hit_cells(np.ones(4, bool), (2, 2))


# -- what needs no map -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerance", [0.0, 0.05, TOLERANCE, 1 / 8, 0.3, 2.0])
def test_chance_is_the_rate_of_a_peak_that_is_anywhere(tolerance: float) -> None:
    masks = np.random.default_rng(0).random((4, 24, 31)) < 0.01
    masks[0] = False
    masks[1] = True
    everywhere = hit_cells(masks, (24, 31), tolerance)  # a grid whose cells are the pixels
    np.testing.assert_allclose(pointing_chance(masks, tolerance), everywhere.mean((-2, -1)), rtol=1e-6)
    assert np.isnan(pointing_chance(masks, tolerance)[0])
    assert pointing_chance(masks, tolerance)[1] == 1
    assert (pointing_chance(masks, 1e6)[1:] == 1).all()


def test_the_centre_scores_where_a_single_cell_would() -> None:
    masks = np.zeros((4, 30, 30), bool)
    masks[0, 14:16, 14:16] = masks[1, 0, 0] = masks[2, 15, 17] = True
    assert pointing_centre(masks)[:3].tolist() == [1, 0, 1]
    assert np.isnan(pointing_centre(masks)[3])
    assert pointing_centre(masks, 0)[:3].tolist() == [1, 0, 0]


def test_random_peaks_score_the_chance_and_a_centred_object_is_no_merit() -> None:
    mask = np.zeros((1, 70, 70), bool)
    mask[0, 25:45, 25:45] = True
    maps = torch.rand(2000, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    rate = pointing(maps, torch.from_numpy(hit_cells(mask, (7, 7)))).mean().item()
    assert rate == pytest.approx(float(hit_cells(mask, (7, 7)).mean()), abs=0.03)
    assert rate == pytest.approx(pointing_chance(mask).item(), abs=0.1)  # 49 centres are a coarse sample of the image
    assert pointing_centre(mask).item() == 1


def test_masks_and_tolerances_that_are_none_are_refused() -> None:
    for score in (pointing_chance, pointing_centre):
        with pytest.raises(InputError, match=r"a mask has shape \(\.\.\., H, W\)"):
            score(np.ones(3, bool))
        with pytest.raises(InputError, match="tolerance=-1"):
            score(np.ones((3, 3), bool), -1)
