"""Energy equals that of the upsampled map on any grid, and undefined energy is NaN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import Tensor

from bincam.errors import InputError
from bincam.metrics.localization.energy import (
    area_share,
    concentration,
    empty,
    mass,
    published_energy,
    region_measures,
    relevance_rank,
)
from bincam.resample import project, upsample


def random_maps(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def random_masks(*shape: int, share: float = 0.3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def on_grid(mask: np.ndarray, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    size = mask.shape[-2:]
    return torch.from_numpy(project(mask, grid)), torch.from_numpy(project(np.ones(size), grid))


# -- energy ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grid", "size"), [((7, 7), (224, 224)), ((3, 5), (20, 33)), ((1, 1), (8, 8)), ((9, 4), (5, 6))]
)
def test_energy_equals_that_of_the_upsampled_map(grid: tuple[int, int], size: tuple[int, int]) -> None:
    maps, mask = random_maps(3, 2, *grid).abs() - 0.3, random_masks(3, 2, *size)
    weights, total = on_grid(mask, grid)
    got = region_measures(maps, weights, total)
    full, inside = upsample(maps.relu(), size), torch.from_numpy(mask)
    expected = (full * inside).sum((-2, -1)) / full.sum((-2, -1))
    torch.testing.assert_close(got.energy, expected, equal_nan=True, rtol=1e-12, atol=1e-12)
    f = inside.double().mean((-2, -1)).where(~expected.isnan(), torch.nan)
    torch.testing.assert_close(got.lift, expected / f, equal_nan=True)
    cells = grid[0] * grid[1]
    defined = torch.minimum(f, 1 - f) * cells >= 1
    gain = ((expected - f) / (1 - f)).where(defined, torch.nan)
    torch.testing.assert_close(got.gain, gain, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gain_needs_a_cell_inside_and_one_outside(dtype: torch.dtype) -> None:
    """A region of all but one pixel, with the map's evidence at that pixel: energy 0.999 would be a gain of -48."""
    maps = torch.zeros(1, 1, 7, 7, dtype=dtype)
    maps[0, 0, 0, 0] = 1
    masks = np.ones((6, 1, 224, 224), bool)
    masks[0, 0, 0, 0] = False  # all but a pixel
    masks[1] = ~masks[0]  # a pixel
    masks[2, 0, :32, :32] = False  # all but a cell
    masks[3] = ~masks[2]  # a cell
    masks[4, 0, :32, :31] = False  # all but a little less than a cell
    masks[5] = ~masks[4]
    weights, total = on_grid(masks, (7, 7))
    got = region_measures(maps.expand(6, 1, 7, 7), weights.to(dtype), total)
    assert torch.isnan(got.gain).flatten().tolist() == [True, True, False, False, True, True]
    assert torch.isfinite(got.energy).all()
    assert torch.isfinite(got.lift).all()
    assert got.lift.max().item() == pytest.approx(49)
    f = 1 - 1 / 49
    assert got.gain[2, 0].item() == pytest.approx((got.energy[2, 0].item() - f) / (1 - f), rel=1e-5)
    assert got.gain[2, 0] < got.gain[3, 0]  # the same evidence, outside and inside
    alone = region_measures(maps, weights[:1].to(dtype), total)
    assert torch.equal(alone.energy[0], got.energy[0])


def test_the_gain_of_a_grid_of_one_cell_is_undefined() -> None:
    """Any region has the energy of its area there: 0 would be called chance, but nothing was located."""
    mask = random_masks(1, 1, 40, 40, share=0.5)
    got = region_measures(torch.ones(1, 1, 1, 1), *on_grid(mask, (1, 1)))
    assert torch.isnan(got.gain).all()
    torch.testing.assert_close(got.energy, got.area)


def test_by_hand() -> None:
    """A 2x2 grid in a 2x2 image: U is the identity."""
    maps = torch.tensor([[[[3.0, 1.0], [-5.0, 0.0]]]])
    weights, total = on_grid(np.array([[[True, False], [True, False]]]), (2, 2))
    got = region_measures(maps, weights, total)
    assert got.energy.item() == 0.75  # the negative cell counts for nothing
    assert got.lift.item() == 1.5
    assert got.gain.item() == 0.5
    assert got.area.item() == 0.5
    assert mass(maps).item() == 4
    assert concentration(maps).item() == 0.75
    # Two of four cells fit: 3 and 1. Of the region's two cells one is among them.
    assert relevance_rank(maps, weights, total).item() == 0.5


def test_shared_regions_are_those_of_every_image() -> None:
    maps, mask = random_maps(4, 3, 5, 5), random_masks(3, 30, 30)
    weights, total = on_grid(mask, (5, 5))
    shared, own = region_measures(maps, weights, total), region_measures(maps, weights.expand(4, -1, -1, -1), total)
    assert torch.equal(shared.gain, own.gain)
    assert torch.equal(relevance_rank(maps, weights, total), relevance_rank(maps, weights.expand_as(maps), total))
    given = region_measures(maps, weights, total, torch.from_numpy(mask.mean((-2, -1))))
    torch.testing.assert_close(given.gain, shared.gain)


def test_area_share_of_projected_weights_is_that_of_the_mask() -> None:
    mask = random_masks(6, 37, 23)
    assert_allclose(area_share(*on_grid(mask, (7, 7))).numpy(), mask.mean((-2, -1)), rtol=1e-12)


def test_undefined_is_nan() -> None:
    maps = torch.ones(5, 1, 2, 2)
    maps[1] = -1  # empty
    maps[2, 0, 0, 0] = torch.nan
    maps[3, 0, 0, 0] = torch.inf
    maps[4, 0, 0, 0] = -torch.inf  # rectified it would look like 0
    weights, total = on_grid(np.ones((1, 4, 4)) * [[[1], [1], [0], [0]]], (2, 2))
    got = region_measures(maps, weights, total)
    for value in (got.energy, got.lift, got.gain, relevance_rank(maps, weights, total), concentration(maps)):
        assert torch.isfinite(value[0]).all()
        assert torch.isnan(value[1:]).all()
    assert mass(maps)[:2].flatten().tolist() == [4, 0]
    assert empty(maps)[:2].flatten().tolist() == [0, 1]
    assert torch.isnan(mass(maps)[2:]).all()
    assert torch.isnan(empty(maps)[2:]).all()


def test_regions_that_are_nothing_everything_or_missing() -> None:
    maps = random_maps(2, 3, 7, 7, dtype=torch.float32)
    mask = np.zeros((3, 50, 50), bool)
    mask[1] = True
    weights, total = on_grid(mask, (7, 7))
    weights[2] = torch.nan
    got = region_measures(maps, weights, total)
    assert torch.isnan(got.energy[:, [0, 2]]).all()
    assert torch.isnan(got.lift[:, [0, 2]]).all()
    torch.testing.assert_close(got.energy[:, 1], torch.ones(2))
    torch.testing.assert_close(got.lift[:, 1], torch.ones(2))
    assert torch.isnan(got.gain).all()
    rounded = region_measures(maps, weights, total, torch.tensor([0, 1 - 1e-7, torch.nan], dtype=torch.float64))
    assert torch.isnan(rounded.gain).all()  # an area share that rounding keeps from 1
    rank, published = relevance_rank(maps, weights, total), published_energy(maps, weights, total, (50, 50))
    for value in (rank, published):
        assert torch.isnan(value[:, [0, 2]]).all()
        torch.testing.assert_close(value[:, 1], torch.ones(2))


def test_sparse_maps_are_measured_not_lost() -> None:
    """One cell among 49, far below the usual scale: no epsilon in a denominator may swallow it."""
    maps = torch.zeros(1, 1, 7, 7)
    maps[0, 0, 2, 3] = 1e-20
    mask = np.zeros((1, 7, 7), bool)
    mask[0, 2, 3] = True
    weights, total = on_grid(mask, (7, 7))
    assert region_measures(maps, weights, total).gain.item() == pytest.approx(1)
    assert published_energy(maps, weights, total, (7, 7)).item() == 1
    assert relevance_rank(maps, weights, total).item() == 1
    assert concentration(maps).item() == 1


# -- the published convention ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(224, 224), (63, 49), (50, 33), (7, 7)])
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_published_energy_is_that_of_grad_cams_maps(size: tuple[int, int], offset: float) -> None:
    """With an offset every cell is positive, and the minimum that is subtracted is the upsampled map's own."""
    maps, mask = random_maps(4, 2, 7, 7) + offset, random_masks(4, 2, *size)
    weights, total = on_grid(mask, (7, 7))
    scaled = scale_cam_image(maps.relu().flatten(0, 1).numpy(), size[::-1])  # cv2 takes (width, height)
    theirs = np.stack([scale_cam_image(one[None])[0] for one in scaled]).reshape(mask.shape)
    expected = (theirs * mask).sum((-2, -1)) / theirs.sum((-2, -1))
    assert_allclose(published_energy(maps, weights, total, size).numpy(), expected, rtol=2e-6)


def test_the_minimum_is_that_of_every_pixel() -> None:
    maps = random_maps(50, 1, 4, 6).abs()
    for size in ((11, 17), (224, 100), (4, 6), (3, 2)):
        full = upsample(maps, size)
        full = full - full.amin((-2, -1), keepdim=True)
        mask = random_masks(1, *size, share=0.5)
        weights, total = on_grid(mask, (4, 6))
        expected = (full * torch.from_numpy(mask)).sum((-2, -1)) / full.sum((-2, -1))
        torch.testing.assert_close(published_energy(maps, weights, total, size), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_published_energy_does_not_stretch_rounding_errors(dtype: torch.dtype) -> None:
    noise = torch.finfo(dtype).eps * torch.arange(25, dtype=dtype).remainder(3).reshape(1, 1, 5, 5)
    weights, total = on_grid(random_masks(1, 40, 40), (5, 5))
    assert published_energy(3 + noise, weights, total, (40, 40)).item() == 0
    assert 0 < published_energy(3 + 1e4 * noise, weights, total, (40, 40)).item() < 1


def test_published_energy_is_zero_when_there_is_nothing() -> None:
    maps = torch.tensor([0.0, -1.0, 0.3, torch.nan])[:, None, None, None].expand(4, 1, 5, 5)
    weights, total = on_grid(random_masks(1, 40, 40), (5, 5))
    got = published_energy(maps, weights, total, (40, 40)).flatten()
    assert got[:3].tolist() == [0, 0, 0]
    assert torch.isnan(got[3])


# -- ranks -------------------------------------------------------------------------------------------------------------


def test_relevance_rank_is_the_mean_over_orders_of_ties() -> None:
    """Three cells tie for one place; the region is one of them."""
    maps = torch.tensor([[[[2.0, 2.0], [2.0, 0.0]]]])
    weights, total = on_grid(np.array([[[True, False], [False, False]]]), (2, 2))
    assert relevance_rank(maps, weights, total).item() == pytest.approx(1 / 3)
    constant = torch.ones(1, 1, 6, 6)
    weights, total = on_grid(random_masks(1, 6, 6), (6, 6))
    torch.testing.assert_close(relevance_rank(constant, weights, total)[0].double(), area_share(weights, total))


def test_relevance_rank_of_pixels_is_the_papers() -> None:
    """Where a cell is a pixel and nothing ties, it is |top-K ∩ M| / K."""
    maps, mask = random_maps(3, 2, 8, 8).abs(), random_masks(3, 2, 8, 8)
    got = relevance_rank(maps, *on_grid(mask, (8, 8)))
    for b in range(3):
        for a in range(2):
            k = int(mask[b, a].sum())
            top = maps[b, a].flatten().topk(k).indices.numpy()
            assert got[b, a].item() == pytest.approx(mask[b, a].ravel()[top].mean())


def test_concentration() -> None:
    assert concentration(torch.ones(1, 1, 7, 7)).item() == pytest.approx(0.25)  # 12.25 of 49 cells
    assert concentration(torch.ones(1, 1, 1, 1)).item() == 0.25
    one = torch.zeros(1, 1, 7, 7)
    one[..., 3, 3] = 5
    assert concentration(one).item() == 1
    ranked = torch.arange(1.0, 7.0).reshape(1, 1, 2, 3)  # a quarter of six is 1.5 cells: 6 and half of 5
    assert concentration(ranked).item() == pytest.approx((6 + 2.5) / 21)


# -- how it may be called ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [(7, 7), (14, 14), (224, 224)])
def test_batch_mates_do_not_change_a_bit(grid: tuple[int, int]) -> None:
    maps = random_maps(5, 3, *grid, dtype=torch.float32)
    weights, total = (x.float() for x in on_grid(random_masks(3, 224, 224), grid))
    whole = _all(maps, weights, total)
    for index in range(5):
        for together, alone in zip(whole, _all(maps[index : index + 1], weights, total), strict=True):
            assert torch.equal(together[index], alone[0])


def _all(maps: Tensor, weights: Tensor, total: Tensor) -> list[Tensor]:
    found = region_measures(maps, weights, total)
    published = published_energy(maps, weights, total, (224, 224))
    more = [published, mass(maps), empty(maps), concentration(maps), relevance_rank(maps, weights, total)]
    return [found.energy, found.lift, found.gain, *more]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_in_single(dtype: torch.dtype) -> None:
    maps = random_maps(2, 2, 7, 7, dtype=dtype)
    weights, total = on_grid(random_masks(2, 70, 70), (7, 7))
    for half, single in zip(_all(maps, weights, total), _all(maps.float(), weights, total), strict=True):
        assert half.dtype == torch.float32
        assert torch.equal(half, single)


def test_maps_on_a_graph_stay_out_of_it() -> None:
    maps = random_maps(1, 1, 3, 3).requires_grad_()
    assert not region_measures(maps, *on_grid(random_masks(1, 9, 9), (3, 3))).energy.requires_grad


def test_wrong_shapes_are_refused() -> None:
    weights, total = on_grid(random_masks(2, 9, 9), (3, 3))
    for maps in (torch.ones(2, 3, 3), torch.ones(1, 2, 3, 3).long(), torch.ones(1, 2, 0, 3)):
        with pytest.raises(InputError, match=r"\(B, A, h, w\)"):
            mass(maps)
    with pytest.raises(InputError, match=r"regions have shape \(2, 3, 3\)"):
        region_measures(torch.ones(1, 3, 3, 3), weights, total)
    with pytest.raises(InputError, match="grid is"):
        region_measures(torch.ones(1, 2, 3, 3), weights, total[:2])
