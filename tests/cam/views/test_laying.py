"""Laying maps of views back: cases by hand, sums that are kept, and cells beyond the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bincam.cam.views.laying import lay_back, overlaps


def one(maps: list[list[float]], place: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(maps, dtype=torch.float64)[None, None, None], torch.tensor([[place]], dtype=torch.float64)


def test_a_view_of_the_whole_image_on_its_own_grid_is_its_map() -> None:
    maps = torch.randn(2, 1, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    laid, beyond = lay_back(maps, torch.tensor([[[0.0, 0.0, 1.0, 1.0]]] * 2), (4, 5))
    torch.testing.assert_close(laid, maps[:, 0], atol=1e-14, rtol=0)
    assert not beyond.any(), "nothing is beyond the image, not even by rounding"


def test_a_view_of_the_left_half_lies_in_the_left_half_alone() -> None:
    maps, place = one([[1.0, 2.0], [3.0, 4.0]], [0.0, 0.0, 1.0, 0.5])
    laid, beyond = lay_back(maps, place, (2, 4))
    assert laid[0, 0].tolist() == [[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 0.0, 0.0]]
    assert beyond.item() == 0


def test_a_cell_that_straddles_the_border_is_divided_by_area() -> None:
    # One cell from a quarter of the image above it to the middle, and from the middle to a half beyond the right side.
    maps, place = one([[8.0]], [-0.5, 0.5, 0.5, 1.5])
    laid, beyond = lay_back(maps, place, (2, 2))
    assert laid[0, 0].tolist() == [[0.0, 2.0], [0.0, 0.0]]
    assert beyond.item() == 6.0


def test_a_coarse_cell_is_spread_evenly_and_a_fine_one_is_gathered() -> None:
    laid, _ = lay_back(*one([[6.0]], [0.0, 0.0, 1.0, 1.0]), (1, 3))
    assert laid[0, 0].tolist() == [[2.0, 2.0, 2.0]]
    laid, _ = lay_back(*one([[1.0, 2.0, 3.0]], [0.0, 0.0, 1.0, 1.0]), (1, 1))
    assert laid.item() == pytest.approx(6.0)


def test_sums_are_kept_at_any_places() -> None:
    rng = np.random.default_rng(0)
    maps = torch.from_numpy(rng.normal(size=(3, 5, 2, 7, 6)))
    first = rng.uniform(-0.7, 0.9, (3, 5, 2))
    places = torch.from_numpy(np.concatenate([first, first + rng.uniform(0.05, 2.0, (3, 5, 2))], -1))
    laid, beyond = lay_back(maps, places, (11, 4))
    torch.testing.assert_close(laid.sum((-2, -1)) + beyond, maps.sum((-2, -1)).mean(1), atol=1e-13, rtol=0)


def test_shares_are_those_of_counting_fine_strips() -> None:
    strips = 6000
    spots = (np.arange(strips) + 0.5) / strips  # along the view
    places = -0.3 + 1.7 * spots
    expected = np.zeros((5, 3))
    inside = (places >= 0) & (places < 1)
    np.add.at(expected, ((places[inside] * 5).astype(int), (spots[inside] * 3).astype(int)), 3 / strips)
    shares = overlaps(torch.tensor(-0.3), torch.tensor(1.4), 3, 5)
    np.testing.assert_allclose(shares, expected, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_undefined_map_leaves_its_image_undefined_and_no_other(dtype: torch.dtype) -> None:
    maps = torch.ones(2, 2, 1, 2, 2, dtype=dtype)
    maps[0, 1, 0, 1, 1] = torch.nan
    laid, beyond = lay_back(maps, torch.tensor([[[0.0, 0.0, 1.0, 1.0]] * 2] * 2), (2, 2))
    assert laid.dtype == dtype
    assert laid[0].isnan().any()
    assert beyond[0].isnan().all()
    assert not laid[1].isnan().any()
