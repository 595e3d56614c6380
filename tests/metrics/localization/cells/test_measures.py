"""Measures of cells against known libraries, enumeration by hand, degenerate masks, and planted evidence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import hypergeom
from sklearn.metrics import roc_auc_score
from torch import Tensor

from bincam.errors import InputError
from bincam.metrics import (
    Foreground,
    cell_auroc,
    cell_shares,
    foreground,
    independent_chance,
    recoverable,
    recovery,
    recovery_chance,
)
from bincam.resample import project

H, W = 5, 4


def masks_of(cells: Tensor) -> Foreground:
    """A foreground of whole cells."""
    return foreground(cells.double(), torch.ones(cells.shape[-2:], dtype=torch.float64))


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def cells(random: torch.Generator) -> Tensor:
    """Masks of all sizes, some of them empty."""
    level = torch.rand(8, 6, 1, 1, generator=random)
    return torch.rand(8, 6, H, W, generator=random) < level**2


def test_auroc_is_that_of_scikit_learn(cells: Tensor, random: torch.Generator) -> None:
    scores = torch.randn(8, 6, H, W, dtype=torch.float64, generator=random).round(decimals=1)  # with ties
    found = cell_auroc(scores, masks_of(cells))
    for image, a in itertools.product(range(8), range(6)):
        inside = cells[image, a].flatten().numpy()
        if inside.all() or not inside.any():
            assert found[image, a].isnan()
        else:
            assert found[image, a].item() == pytest.approx(roc_auc_score(inside, scores[image, a].flatten()), abs=1e-12)
    assert found.isnan().any()
    torch.testing.assert_close(cell_auroc(scores + 7, masks_of(cells)), found, equal_nan=True)


def by_moving(said: np.ndarray, inside: np.ndarray) -> tuple[float, int]:
    """Share of the placements in which some cell says yes, and their number, by moving the list of cells."""
    at = np.argwhere(inside)
    at -= at.min(0)
    hits = [
        said[tuple((at + np.array([down, across])).T)].any()
        for down in range(said.shape[0] - at[:, 0].max())
        for across in range(said.shape[1] - at[:, 1].max())
    ]
    return float(np.mean(hits)), len(hits)


def test_chance_is_that_of_all_placements(cells: Tensor, random: torch.Generator) -> None:
    yes = (torch.rand(8, 6, H, W, generator=random) < 0.15).double()
    small = cells.clone()
    small[:, :3, 3:] = False  # so that several places fit
    small[:, :3, :, 2:] = False
    found = recovery_chance(yes, masks_of(small))
    compared = 0
    for image, a in itertools.product(range(8), range(6)):
        inside = small[image, a].numpy()
        if not inside.any() or inside.all():
            assert found[image, a].isnan()
            continue
        share, places = by_moving(yes[image, a].numpy() == 1, inside)
        if places == 1:
            assert found[image, a].isnan()
        else:
            assert found[image, a].item() == pytest.approx(share, abs=1e-12)
            compared += 0 < share < 1
    assert compared > 5


def test_independent_chance_is_hypergeometric(cells: Tensor, random: torch.Generator) -> None:
    yes = (torch.rand(8, 6, H, W, generator=random) < 0.3).double()
    found = independent_chance(yes, masks_of(cells))
    for image, a in itertools.product(range(8), range(6)):
        k, m = int(cells[image, a].sum()), int(yes[image, a].sum())
        if 0 < k < H * W:
            assert found[image, a].item() == pytest.approx(1 - hypergeom.pmf(0, H * W, m, k), abs=1e-12)


def test_of_connected_masks_on_smooth_maps_independent_chance_is_too_high(random: torch.Generator) -> None:
    noise = torch.randn(3000, 1, 7, 7, dtype=torch.float64, generator=random)
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2, count_include_pad=False)
    inside = torch.zeros(3000, 1, 7, 7)
    places = torch.stack([torch.randint(6, (3000,), generator=random), torch.randint(5, (3000,), generator=random)], 1)
    for image, (top, left) in enumerate(places.tolist()):
        inside[image, 0, top : top + 2, left : left + 3] = 1
    yes = (smooth > smooth.flatten(2).quantile(0.85, -1)[..., None, None]).double()
    masks = masks_of(inside)
    found, closed = recovery_chance(yes, masks).mean(), independent_chance(yes, masks).mean()
    assert found < closed - 0.1
    assert recovery(yes, masks).mean().item() == pytest.approx(found.item(), abs=0.03), "objects are anywhere"


def test_a_set_of_half_the_cells_is_found_by_any_five_in_98_percent() -> None:
    yes = (torch.arange(49) < 25).double().view(1, 1, 7, 7)
    inside = torch.zeros(1, 7, 7)
    inside[0, 0, :5] = 1
    assert independent_chance(yes, masks_of(inside)).item() == pytest.approx(0.98, abs=0.003)


def test_shares_and_recovery_by_hand() -> None:
    yes = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]).view(1, 1, 2, 3)
    inside = torch.tensor([[1, 0, 0], [1, 0, 0]]).view(1, 2, 3)
    shares = cell_shares(yes, masks_of(inside))
    assert (shares.inside.item(), shares.outside.item(), shares.contrast.item()) == (0.5, 0.5, 0.0)
    assert recovery(yes, masks_of(inside)).item() == 1
    assert recovery(1 - yes, masks_of(torch.tensor([[[1, 1, 0], [0, 0, 0]]]))).item() == 0
    wrong = torch.tensor([[True], [False]])
    assert recoverable(torch.ones(2, 1), torch.full((2, 1), 0.25), wrong)[0].item() == 0.75
    assert recoverable(torch.ones(2, 1), torch.full((2, 1), 0.25), wrong)[1].isnan()


def test_which_cells_a_mask_covers() -> None:
    masks = np.zeros((6, 32, 32), bool)
    masks[0, :16, :16] = True  # one of four cells
    masks[1, 3:5, 20:22] = True  # smaller than a cell
    masks[3] = True  # everything; number 2 is empty
    masks[4, :, :16] = True
    masks[5, :, :31] = True  # nearly everything: no background
    weights = torch.from_numpy(project(masks, (2, 2)).astype(np.float32))
    weights = torch.cat([weights, torch.full((1, 2, 2), torch.nan)])
    found = foreground(weights, torch.from_numpy(project(np.ones((32, 32)), (2, 2))))
    assert found.defined.tolist() == [True, True, False, False, True, True, False]
    assert found.cells.sum((-2, -1)).tolist() == [1, 1, 0, 0, 2, 4, 0]
    assert found.cells[1].int().tolist() == [[0, 1], [0, 0]]
    np.testing.assert_array_equal(found.fallback, [0, 1, np.nan, np.nan, 0, 0, np.nan])
    np.testing.assert_array_equal(found.share, [0.25, 0.25, np.nan, np.nan, 0.5, 1, np.nan])
    yes = torch.ones(1, 7, 2, 2)
    shares = cell_shares(yes, found)
    np.testing.assert_array_equal(shares.inside[0], [1, 1, np.nan, np.nan, 1, 1, np.nan])
    np.testing.assert_array_equal(shares.contrast[0], [0, 0, np.nan, np.nan, 0, np.nan, np.nan])
    np.testing.assert_array_equal(recovery_chance(yes, found)[0], [1, 1, np.nan, np.nan, 1, np.nan, np.nan])


def test_a_cell_that_says_nothing_leaves_the_image_undefined() -> None:
    masks = masks_of(torch.tensor([[[1, 0], [0, 0]]]))
    values = torch.tensor([[0.0, 1.0], [1.0, torch.nan]]).view(1, 1, 2, 2)
    for measure in (cell_auroc, recovery, recovery_chance, independent_chance):
        assert measure(values, masks).isnan().all()


def test_every_image_is_measured_on_its_own(cells: Tensor, random: torch.Generator) -> None:
    scores = torch.randn(8, 6, H, W, generator=random)
    yes = (scores > 0.8).float()
    together = [f(v, masks_of(cells)) for f, v in ((cell_auroc, scores), (recovery_chance, yes), (recovery, yes))]
    for image in range(8):
        own = slice(image, image + 1)
        alone = [
            f(v[own], masks_of(cells[own])) for f, v in ((cell_auroc, scores), (recovery_chance, yes), (recovery, yes))
        ]
        assert all(torch.equal(a.nan_to_num(-1), t[own].nan_to_num(-1)) for a, t in zip(alone, together, strict=True))


def test_other_grids_are_refused() -> None:
    with pytest.raises(InputError, match=r"grid of \(2, 2\) cells, their total \(3, 3\)"):
        foreground(torch.ones(1, 2, 2), torch.ones(3, 3))
    with pytest.raises(InputError, match="the foreground has shape"):
        cell_auroc(torch.zeros(1, 1, 3, 3), masks_of(torch.ones(1, 2, 2)))
