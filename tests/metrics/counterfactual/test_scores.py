"""Scores over pairs: identities, ratios of sums, groups, counts and status."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bincam.metrics.counterfactual.changes import MapChanges, map_changes
from bincam.metrics.counterfactual.scores import FIGURES, counterfactual_score
from bincam.stats.estimate import Estimate

SIDE, COUNT = 5, 60
PEOPLE = [f"person {number // 2}" for number in range(COUNT)]


def of_maps(inside: float, seed: int = 0, z: Tensor | None = None, **options: object) -> MapChanges:
    """Maps whose change is inside of the mask by a known share, and holds all of the logit's."""
    random = np.random.default_rng(seed)
    mask = torch.zeros(COUNT, SIDE, SIDE, dtype=torch.float64)
    mask[:, 1:3, 1:3] = 1
    size = torch.from_numpy(random.uniform(0.5, 3.0, COUNT) * random.choice([-1, 1], COUNT))
    spread = inside * mask / 4 + (1 - inside) * (1 - mask) / (SIDE * SIDE - 4)
    maps = spread * size[:, None, None]
    change = size if z is None else z
    return map_changes(
        torch.zeros_like(maps), maps, torch.zeros(COUNT), change, mask, torch.ones(SIDE, SIDE),
        people=PEOPLE, **options,
    )  # type: ignore[arg-type]  # fmt: skip


def test_planted_shares_are_measured() -> None:
    score = counterfactual_score(of_maps(0.75), people=PEOPLE)
    figures = score.figures
    assert tuple(figures) == FIGURES
    assert figures["held"].value == pytest.approx(1)
    assert figures["held_inside"].value == pytest.approx(0.75)
    assert figures["toward"].value == figures["absolute"].value == pytest.approx(0.75)
    assert figures["toward_over_area"].value == pytest.approx(0.75 - 4 / 25)
    assert figures["auroc"].value == 1
    assert figures["toward_over_other"].value == pytest.approx(0)  # all maps have the same shape
    assert (score.pairs, score.judged, score.still, score.undefined, score.unplaced) == (COUNT, COUNT, 0, 0, 0)
    assert (figures["auroc"].images, figures["auroc"].identities) == (COUNT, COUNT // 2)


def test_an_identity_is_a_point_and_equal_values_without_one_are_small() -> None:
    changes = of_maps(0.5)
    exact = counterfactual_score(changes, people=PEOPLE, complete=True).figures["held"]
    assert (exact.low, exact.high, exact.status, exact.method) == (exact.value, exact.value, "ok", "identity")
    of_a_set = of_maps(0.5, z=torch.where(changes.change > 0, 1.0, -1.0) * 3)  # its constant differs between images
    varying = counterfactual_score(of_a_set, people=PEOPLE, complete=True).figures["held"]
    assert varying.method != "identity"
    assert varying.low < varying.value < varying.high
    by_chance = counterfactual_score(changes, people=PEOPLE).figures["held"]
    assert by_chance.status == "small"
    assert np.isnan(by_chance.low)


def test_pairs_count_by_the_size_of_their_change() -> None:
    """Half of the pairs hold all of 1, the others nothing of 3: a quarter, where the mean of ratios is a half."""
    maps = torch.zeros(COUNT, SIDE, SIDE, dtype=torch.float64)
    maps[::2, 2, 2] = 1.0
    z = torch.where(torch.arange(COUNT) % 2 == 0, 1.0, 3.0)
    mask = torch.zeros_like(maps)
    mask[:, 2, 2] = 1
    changes = map_changes(torch.zeros_like(maps), maps, torch.zeros(COUNT), z, mask, torch.ones(SIDE, SIDE))
    held = counterfactual_score(changes).figures["held"]
    assert held.value == pytest.approx(0.25)
    assert held.low < 0.25 < held.high
    assert held.status == "ok"
    assert held.identities is None


def test_pairs_left_out_are_counted() -> None:
    z = torch.ones(COUNT)
    z[:10], z[10] = 0.01, torch.nan
    score = counterfactual_score(of_maps(0.5, z=z), people=PEOPLE, direction=np.ones(COUNT))
    assert (score.judged, score.still, score.undefined) == (COUNT - 11, 10, 1)
    assert score.figures["toward"].images <= COUNT - 11
    assert score.figures["size"].images == COUNT - 1  # of all pairs with a logit
    assert score.figures["response"].images == COUNT - 1
    assert score.figures["response"].value == 1


def test_the_direction_of_the_edit_is_followed_or_not() -> None:
    changes = of_maps(0.5)
    followed = counterfactual_score(changes, people=PEOPLE, direction=changes.change.sign().numpy())
    against = counterfactual_score(changes, people=PEOPLE, direction=-changes.change.sign().numpy())
    unknown = counterfactual_score(changes, people=PEOPLE, direction=np.full(COUNT, np.nan))
    assert (followed.figures["response"].value, against.figures["response"].value) == (1, 0)
    assert not unknown.figures["response"].defined
    assert 0.8 < followed.figures["response"].low < 1  # never a point


def test_a_group_is_scored_by_itself() -> None:
    changes = of_maps(0.5)
    some = np.arange(COUNT) < 30
    score = counterfactual_score(changes, people=PEOPLE, of=some)
    assert (score.pairs, score.figures["auroc"].identities) == (30, 15)
    nothing = counterfactual_score(changes, people=PEOPLE, of=np.zeros(COUNT, bool))
    assert nothing.pairs == 0
    assert all(figure.status == "undefined" for figure in nothing.figures.values())


def test_one_person_has_no_interval() -> None:
    score = counterfactual_score(of_maps(0.5), people=["ann"] * COUNT)
    held = score.figures["held_inside"]
    assert held.status == "small"
    assert np.isnan(held.low)
    assert held.identities == 1


def test_another_unit_is_undefined_not_a_number() -> None:
    score = counterfactual_score(of_maps(0.5, in_logits=False), people=PEOPLE, complete=False)
    for name in ("held", "held_inside", "other_held_inside"):
        assert score.figures[name].status == "undefined"
    assert score.figures["auroc"].defined


def test_json_round_trips() -> None:
    content = counterfactual_score(of_maps(0.5), people=PEOPLE).to_json()
    assert content["judged"] == COUNT
    held = Estimate.from_json(content["figures"]["held_inside"])
    assert held.value == pytest.approx(0.5)
