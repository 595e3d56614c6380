"""The summary of an attribute: five columns over the same images, paired with the constant box, and a verdict."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from bincam.data.regions.boxes import box_mask
from bincam.errors import InputError
from bincam.metrics import (
    box_columns,
    box_scores,
    box_summary,
    clean_histograms,
    fit_constant_boxes,
    hit_cells,
    pointing,
    pxap_estimate,
)
from bincam.metrics.localization.boxes.overlaps import overlap_hits
from bincam.metrics.localization.boxes.scores import DELTA, hit_rate
from bincam.metrics.localization.boxes.summary import ON_MASKS
from bincam.metrics.localization.boxes.verdict import CANNOT, JUDGED, UNDEFINED
from bincam.stats import Clusters
from tests.metrics.localization.boxes.test_columns import SIZE, planted, scenes

PEOPLE = Clusters(np.repeat(np.arange(30), 2), known=True)


def summary_of(maps, boxes, **options):
    fitted = fit_constant_boxes([scenes(60, seed=3)], SIZE)
    return box_summary(box_columns(maps, [[one] for one in boxes], SIZE, fitted=fitted), 0, PEOPLE, **options)


def test_a_localiser_beats_the_constant_box_and_its_twin_does_not():
    boxes = scenes(60, seed=2)
    found, twin = (summary_of(planted(boxes, on=on), boxes) for on in (True, False))
    assert found.over_constant.low > 0
    assert twin.over_constant.low < 0
    assert found.judgement == twin.judgement == JUDGED  # a bad model is judged, and a bad grid is not
    for one in (found, twin):
        assert one.over_constant.value == pytest.approx(one.known.fixed.value - one.constant.value)
        counts = {e.images for e in (one.known.fixed, one.constant, one.centred, one.reach, one.over_constant)}
        assert counts == {40}
        assert one.constant.identities <= 30


def test_its_figures_are_those_of_the_parts():
    boxes, decided = scenes(60, seed=2), np.arange(60) % 2 == 0
    maps = planted(boxes) + 0.3 * torch.randn(60, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    columns = box_columns(maps, [[one] for one in boxes], SIZE)
    got = box_summary(columns, 0, PEOPLE, chosen_level=0.4, decided=decided)
    overlaps = columns.overlaps.attribute(0)
    assert got.known.to_json() == box_scores(overlaps, PEOPLE, chosen_level=0.4).to_json()
    assert got.top_1.to_json() == box_scores(overlaps, PEOPLE, chosen_level=0.4, decided=decided).to_json()
    assert got.reach == hit_rate(overlap_hits(columns.reach[:, 0], columns.status[:, 0], DELTA), PEOPLE)
    assert got.known.fixed.value > got.top_1.fixed.value
    json.dumps(got.to_json(), allow_nan=False)


def test_with_masks_it_has_pxap_and_the_pointing_game_and_without_says_why_not():
    boxes = scenes(60, seed=2)
    masks = [[box_mask(one, SIZE) if len(one) else None] for one in boxes]
    maps = planted(boxes) + 0.1 * torch.rand(60, 1, 12, 12, generator=torch.Generator().manual_seed(0))  # one peak each
    truth = [[one] for one in boxes]
    found = box_summary(box_columns(maps, truth, SIZE, masks=masks), 0, PEOPLE)
    assert found.pxap == pxap_estimate(clean_histograms(maps, masks, SIZE)[:, 0], PEOPLE)
    hits = np.stack([hit_cells(np.zeros(SIZE, bool) if mask is None else mask, (12, 12)) for (mask,) in masks])
    game = pointing(maps, torch.from_numpy(hits)[:, None]).numpy()[:, 0]
    assert found.pointing.value == pytest.approx(np.nanmean(game))
    assert found.pointing.images == int(np.isfinite(game).sum())
    assert found.pointing_over_chance.low > 0
    plain = box_summary(box_columns(maps, truth, SIZE), 0, PEOPLE)
    for name in ON_MASKS:
        assert getattr(plain, name).method == "no masks, only boxes"
    assert plain.known.to_json() == found.known.to_json()


def test_without_fitted_boxes_their_rates_are_undefined_and_not_0():
    boxes = scenes(60, seed=2)
    got = box_summary(box_columns(planted(boxes), [[one] for one in boxes], SIZE), 0, PEOPLE)
    for one in (got.centred, got.constant, got.over_constant):
        assert one.status == "undefined"
    assert got.top_1 is None
    assert got.known.chosen.status == "undefined"


def test_a_coarse_grid_cannot_be_judged():
    boxes = [[[30, 30, 34, 34]]] * 60
    maps = torch.rand(60, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    assert summary_of(maps, boxes).judgement == CANNOT
    assert summary_of(maps, [[]] * 60).judgement == UNDEFINED
    nothing = box_summary(box_columns(torch.ones(0, 1, 3, 3), [], SIZE), 0, Clusters.of([]), decided=[])
    assert nothing.judgement == UNDEFINED
    assert nothing.known.images == 0
    json.dumps(nothing.to_json(), allow_nan=False)


def test_a_miss_counts_against_the_map_alone():
    """A map without a box misses; the constant box and the reach of the same image are still measured."""
    boxes = scenes(60, seed=2)
    got = summary_of(torch.zeros(60, 1, 12, 12), boxes)
    assert got.known.fixed.value == 0
    assert got.known.no_box == got.known.images == 40
    assert got.reach.value == 1


def test_what_does_not_fit_is_refused():
    columns = box_columns(torch.rand(1, 1, 2, 2), [[[[0, 0, 4, 4]]]], SIZE)
    with pytest.raises(InputError, match="attribute 1: the columns are of 1"):
        box_summary(columns, 1, Clusters.of([""]))
    with pytest.raises(InputError, match="columns of 1 images, but clusters of 60"):
        box_summary(columns, 0, PEOPLE)
