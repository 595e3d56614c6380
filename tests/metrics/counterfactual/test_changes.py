"""Changes of maps: by hand, by identity in float64, planted, and degenerate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import InputError
from bincam.metrics.counterfactual.changes import MapChanges, map_changes
from bincam.resample import project

SIDE = 6


def weights(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Of masks on the grid itself, a pixel a cell."""
    return masks.double(), torch.ones(masks.shape[1:], dtype=torch.float64)


def squares(count: int, seed: int = 0) -> Tensor:
    """A mask of 2 x 2 cells for each pair."""
    random = np.random.default_rng(seed)
    masks = torch.zeros(count, SIDE, SIDE)
    for mask in masks:
        top, left = (int(random.integers(0, SIDE - 1)) for _ in range(2))
        mask[top : top + 2, left : left + 2] = 1
    return masks


def changed(before: Tensor, after: Tensor, masks: Tensor, z: Tensor | None = None, **options: object) -> MapChanges:
    """Pairs whose logit changes by ``z``, by default by the sum of the map's change."""
    change = (after - before).sum((1, 2)) if z is None else z
    return map_changes(before, after, torch.zeros_like(change), change, *weights(masks), **options)  # type: ignore[arg-type]


def test_by_hand() -> None:
    """Δz = -4; the map loses 3 inside and 2 outside, and gains 1 outside."""
    before = torch.zeros(1, 2, 2)
    after = torch.tensor([[[-3.0, 1.0], [-2.0, 0.0]]])
    mask = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    found = changed(before, after, mask, torch.tensor([-4.0]))
    assert (found.change.item(), found.held.item(), found.held_inside.item()) == (-4.0, 4.0, 3.0)
    assert found.toward.item() == pytest.approx(3 / 5)
    assert found.absolute.item() == pytest.approx(3 / 6)
    assert (found.auroc.item(), found.area.item(), found.reach.item()) == (1.0, 0.25, 1.0)
    assert found.other.item() == -1
    assert found.other_toward.isnan().item()


def test_the_maps_of_an_exact_head_hold_all_of_it_in_float64() -> None:
    """A linear head on features of one pixel each: whatever is edited, ΣΔS = Δz, and all of it is in the mask."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 1)).double()
    before = torch.randn(30, 3, SIDE, SIDE, dtype=torch.float64)
    masks = squares(30)
    after = torch.where(masks[:, None] > 0, 10 * torch.randn_like(before), before)
    explainer = Explainer(model, ["a"], method="cam")
    first, second = explainer(before, side="positive"), explainer(after, side="positive")
    assert first.complete
    found = map_changes(
        first.maps[:, 0], second.maps[:, 0], first.logits[:, 0], second.logits[:, 0], *weights(masks), least=1e-6
    )
    size = found.change.abs()
    assert found.judged.all()
    torch.testing.assert_close(found.held, size, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.held_inside, size, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.absolute, torch.ones_like(size), rtol=0, atol=1e-12)
    assert (found.auroc == 1).all()
    assert (found.reach == 1).all()
    assert (found.other_toward < 1).any()  # of other pairs' maps, whose squares are elsewhere


def test_a_map_that_ignores_the_place_holds_nothing_there() -> None:
    torch.manual_seed(1)
    masks = squares(200)
    noise = torch.randn(200, SIDE, SIDE, dtype=torch.float64)
    ignoring = changed(torch.zeros_like(noise), torch.where(masks > 0, 0.0, noise), masks, torch.ones(200))
    assert not ignoring.held_inside.any()
    assert not ignoring.absolute.any()
    assert not ignoring.auroc.any()
    anywhere = changed(torch.zeros_like(noise), noise, masks, torch.ones(200))  # it does not know of the mask
    assert anywhere.auroc.mean().item() == pytest.approx(0.5, abs=0.03)
    assert (anywhere.absolute - anywhere.area).mean().item() == pytest.approx(0, abs=0.01)
    assert (anywhere.auroc - anywhere.other_auroc).mean().item() == pytest.approx(0, abs=0.04)


def test_a_template_is_told_by_the_maps_of_other_pairs() -> None:
    """A map that changes in the centre whatever is edited beats the area, and not the null."""
    centre = torch.zeros(SIDE, SIDE, dtype=torch.float64)
    centre[2:4, 2:4] = 1
    masks = torch.zeros(20, SIDE, SIDE)
    masks[:, 2:4, 2:5] = 1
    size = torch.rand(20, dtype=torch.float64) + 0.5
    found = changed(torch.zeros(20, SIDE, SIDE, dtype=torch.float64), centre * size[:, None, None], masks)
    assert (found.toward > found.area).all()
    torch.testing.assert_close(found.toward, found.other_toward)
    torch.testing.assert_close(found.auroc, found.other_auroc)
    torch.testing.assert_close(found.other_held_inside / found.other_change, found.held_inside / found.change)


def test_auroc_is_scikit_learns() -> None:
    torch.manual_seed(2)
    masks, maps = squares(5), torch.randn(5, SIDE, SIDE, dtype=torch.float64)
    found = changed(torch.zeros_like(maps), maps, masks, torch.ones(5))
    for row in range(5):
        expected = roc_auc_score(masks[row].flatten(), maps[row].abs().flatten())
        assert found.auroc[row].item() == pytest.approx(expected)


def test_shares_are_those_of_the_upsampled_map() -> None:
    """At another resolution, as explicit upsampling gives them."""
    torch.manual_seed(3)
    masks = torch.zeros(2, 18, 24)
    masks[0, 3:11, 5:9] = masks[1, 10:, 13:22] = 1
    grid = (6, 8)
    w, t = (torch.from_numpy(project(each.numpy(), grid)) for each in (masks, torch.ones(18, 24)))
    maps = torch.rand(2, *grid, dtype=torch.float64)
    found = map_changes(torch.zeros_like(maps), maps, torch.zeros(2), torch.ones(2), w, t)
    drawn = nn.functional.interpolate(maps[:, None], (18, 24), mode="bilinear")[:, 0]
    torch.testing.assert_close(found.absolute, (drawn * masks).sum((1, 2)) / drawn.sum((1, 2)))
    torch.testing.assert_close(found.area, masks.double().mean((1, 2)))
    assert (found.absolute <= found.reach).all()


def test_other_pairs_are_of_another_person_and_of_another_attribute_where_there_are_several() -> None:
    torch.manual_seed(4)
    maps = torch.rand(12, SIDE, SIDE)
    people = [f"person {number // 4}" for number in range(12)]
    z = torch.ones(12)
    z[0] = 0.0  # not judged, so that nobody gets its map
    for names in (["hat", "smile"] * 6, ["hat"] * 12):
        found = changed(torch.zeros_like(maps), maps, squares(12), z, attributes=names, people=people)
        assert found.other[0] == -1
        for row, other in list(enumerate(found.other.tolist()))[1:]:
            assert other > 0
            assert people[other] != people[row]
            assert (names[other] != names[row]) == (len(set(names)) > 1)
        assert len(set(found.other.tolist())) > 6  # not the same few
        torch.testing.assert_close(found.other_change[1:], z.double()[found.other[1:]])


def test_pairs_of_unknown_people_are_of_different_ones() -> None:
    maps = torch.rand(3, SIDE, SIDE)
    found = changed(torch.zeros_like(maps), maps, squares(3), torch.ones(3), people=["", "", "ann"])
    assert sorted(found.other.tolist()) == [0, 1, 2]
    alone = changed(torch.zeros_like(maps), maps, squares(3), torch.ones(3), people=["ann"] * 3)
    assert alone.other.tolist() == [-1] * 3
    assert alone.other_auroc.isnan().all()


def test_pairs_that_do_not_change_are_counted_and_left_out() -> None:
    maps = torch.rand(3, SIDE, SIDE)
    identical = changed(maps, maps, squares(3))
    assert identical.still.all()
    assert not identical.judged.any()
    assert identical.held.isnan().all()
    assert identical.toward.isnan().all()
    assert identical.auroc.isnan().all()
    found = changed(torch.zeros_like(maps), maps, squares(3), torch.tensor([0.09, -0.11, 0.1]), least=0.1)
    assert found.still.tolist() == [True, False, False]


def test_values_that_are_not_finite_are_neither_judged_nor_still() -> None:
    maps = torch.rand(3, SIDE, SIDE)
    after = maps + 1
    after[1, 0, 0] = torch.inf
    found = changed(maps, after, squares(3), torch.tensor([torch.nan, 1.0, 1.0]))
    assert found.judged.tolist() == [False, False, True]
    assert not found.still.any()
    assert found.held.isnan().tolist() == [True, True, False]
    assert found.other.tolist() == [-1, -1, -1]  # no other pair is judged


def test_a_mask_of_nothing_or_of_everything_has_no_place() -> None:
    maps = torch.rand(3, SIDE, SIDE)
    masks = torch.stack([torch.zeros(SIDE, SIDE), torch.ones(SIDE, SIDE), torch.full((SIDE, SIDE), torch.nan)])
    found = changed(torch.zeros_like(maps), maps, masks, torch.ones(3))
    assert found.judged.all()
    assert not found.placed.any()
    assert found.held.isfinite().all()  # needs no mask
    for name in ("held_inside", "toward", "absolute", "auroc", "area", "reach", "other_toward"):
        assert getattr(found, name).isnan().all(), name


def test_maps_in_another_unit_hold_no_logits() -> None:
    maps = torch.rand(2, SIDE, SIDE)
    found = changed(torch.zeros_like(maps), maps, squares(2), torch.ones(2), in_logits=False)
    assert found.held.isnan().all()
    assert found.held_inside.isnan().all()
    assert found.other_held_inside.isnan().all()
    assert found.toward.isfinite().all()
    assert found.auroc.isfinite().all()


def test_a_map_that_does_not_change_has_no_share() -> None:
    maps = torch.rand(2, SIDE, SIDE)
    found = changed(maps, maps, squares(2), torch.ones(2))
    assert found.held.tolist() == [0, 0]
    assert found.toward.isnan().all()
    assert found.auroc.tolist() == [0.5, 0.5]  # all cells are equal


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        ([(2, 3, 3), (2, 3, 4), (2,), (2,), (2, 3, 3), (3, 3)], {}, "edited images: expected"),
        ([(2, 3, 3), (2, 3, 3), (3,), (2,), (2, 3, 3), (3, 3)], {}, "logits of the originals"),
        ([(2, 3, 3), (2, 3, 3), (2,), (2,), (3, 3), (3, 3)], {}, "weights of the masks"),
        ([(2, 3, 3), (2, 3, 3), (2,), (2,), (2, 3, 3), (3, 4)], {}, "Uᵀ1"),
        ([(2, 1, 3, 3), (2, 3, 3), (2,), (2,), (2, 3, 3), (3, 3)], {}, r"maps of pairs are \(N, h, w\)"),
        ([(2, 3, 3), (2, 3, 3), (2,), (2,), (2, 3, 3), (3, 3)], {"least": 0.0}, "least=0"),
        ([(2, 3, 3), (2, 3, 3), (2,), (2,), (2, 3, 3), (3, 3)], {"people": ["a"]}, "2 names"),
        ([(2, 3, 3), (2, 3, 3), (2,), (2,), (2, 3, 3), (3, 3)], {"attributes": ["a"]}, "2 names"),
    ],
)
def test_mistakes_are_refused(shapes: list[tuple[int, ...]], options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        map_changes(*(torch.rand(shape) for shape in shapes), **options)  # type: ignore[arg-type]
