"""Planted places, scales, covers and flips are found; their twins are not."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.inference import places_of, view_plan
from bincam.stats import (
    Clusters,
    framing_sensitivity,
    greedy_cover,
    needed_scale,
    positions_centred,
    positions_visible,
    rightness,
)

COUNT = 120
PLAN = view_plan("short", (32, 32))
SHAPES = np.tile([[40, 60], [64, 64], [90, 50]], (COUNT // 3, 1))
PLACES = places_of(PLAN, SHAPES)
PEOPLE = Clusters.of([""] * COUNT)


def answers_where(seen, rng, certain=0.95):
    """Right almost always where the object is seen, by chance elsewhere."""
    true = rng.integers(2, size=COUNT)
    knows = seen & (rng.random(seen.shape) < certain)
    return rightness(np.where(knows, true[:, None], rng.integers(2, size=seen.shape)), true)


def cells(table, name="values"):
    return np.array([[cell.value for cell in row] for row in getattr(table, name)])


@pytest.mark.parametrize("measure", ["accuracy", "any"])
@pytest.mark.parametrize("corner", [(0, 0), (2, 1), (1, 1)])
def test_a_planted_place_is_found_in_both_definitions(corner, measure):
    rng = np.random.default_rng(0)
    spot = np.tile([(corner[1] + 0.5) / 3, (corner[0] + 0.5) / 3], (COUNT, 1))
    right = answers_where(PLACES.visible(spot), rng)
    centred = positions_centred(right, PLACES.anchors, PLACES.strict, PEOPLE, measure=measure)
    assert np.unravel_index(cells(centred).argmax(), (3, 3)) == corner
    assert centred.deviations[corner[0]][corner[1]].low > 0
    visible = positions_visible(right, PLACES.visible_anchors(), PLACES.strict, PEOPLE)
    assert np.unravel_index(cells(visible).argmax(), (3, 3)) == corner
    assert (centred.definition, visible.definition) == ("centred", "visible")


def test_without_a_place_tables_are_flat():
    outside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        right = answers_where(rng.random((COUNT, len(PLAN))) < 0.5, rng)
        table = positions_centred(right, PLACES.anchors, PLACES.strict, PEOPLE)
        outside += sum(cell.low > 0 or cell.high < 0 for row in table.deviations for cell in row)
    assert outside <= 360 * 0.05 + 4 * np.sqrt(360 * 0.05)


def test_scales_that_show_the_whole_image_have_no_place():
    rng = np.random.default_rng(0)
    right = answers_where(np.ones((COUNT, len(PLAN)), bool), rng)
    other = right.copy()
    other[~PLACES.strict] = 1 - other[~PLACES.strict]
    tables = [positions_centred(r, PLACES.anchors, PLACES.strict, PEOPLE) for r in (right, other)]
    assert np.array_equal(cells(tables[0]), cells(tables[1]))
    nothing = positions_centred(right, PLACES.anchors, np.zeros_like(PLACES.strict), PEOPLE)
    assert {cell.status for row in nothing.values for cell in row} == {"undefined"}


def test_undefined_views_leave_a_mean():
    anchors = np.array([(0, 0), (0, 0)])
    right = np.tile([1.0, np.nan], (30, 1))
    table = positions_centred(right, anchors, np.ones((30, 2), bool), Clusters.of([""] * 30))
    assert table.values[0][0].value == 1
    assert table.values[2][2].status == "undefined"


@pytest.mark.parametrize("size", [18, 46, 91])
def test_the_needed_scale_follows_the_planted_one(size):
    assert size in PLAN.sizes
    rng = np.random.default_rng(0)
    centre = rng.random((COUNT, 2))
    seen = PLACES.visible(centre)
    at = np.array(PLAN.sizes)[PLACES.scale] == size
    right = answers_where(seen & at, rng)
    found = needed_scale(right, PLACES.scale, PLAN.sizes, PEOPLE, seen=seen)
    assert found.needed == size
    assert found.gain.low > 0
    assert found.judged.value > 0.8
    assert found.anchors == "seen"
    assert len(found.curve) == 6


def test_where_no_scale_is_needed_the_gain_says_so():
    inside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = needed_scale(
            answers_where(np.zeros((COUNT, len(PLAN)), bool), rng), PLACES.scale, PLAN.sizes, PEOPLE, seed=seed
        )
        inside += found.gain.low <= 0 <= found.gain.high
    assert inside >= 33
    assert found.anchors == "all"


def test_a_scale_that_sees_nothing_is_undefined():
    right = np.ones((COUNT, len(PLAN)), np.float32)
    seen = np.zeros(right.shape, bool)
    found = needed_scale(right, PLACES.scale, PLAN.sizes, PEOPLE, seen=seen)
    assert found.needed is None
    assert found.judged.status == "undefined"


def test_a_cover_is_judged_on_other_images():
    """Rare answers cover what they cannot know on the images that they were fitted on, not on the others."""
    rng = np.random.default_rng(0)
    right = (rng.random((COUNT, 200)) < 0.02).astype(np.float32)
    cover = greedy_cover(right, PEOPLE)
    assert cover.fitted[-1] > 0.9
    few = len(cover.views) // 2
    assert cover.judged[few].high < cover.fitted[few]
    assert list(cover.fitted) == sorted(cover.fitted)
    assert len(greedy_cover(right, PEOPLE, limit=3).views) == 3
    assert greedy_cover(np.zeros((COUNT, 3)), PEOPLE).views == ()
    assert greedy_cover(np.full((COUNT, 3), np.nan), PEOPLE).views == ()


def test_people_are_in_one_half():
    codes = np.repeat(np.arange(10), 12)
    right = np.eye(10)[codes]
    cover = greedy_cover(right, Clusters(codes, known=True))
    assert cover.fitted[-1] == 1
    assert [estimate.value for estimate in cover.judged] == [0.0] * 5


def test_sensitivity_is_of_the_images_whose_decisions_flip():
    answers = np.array([[0, 1], [1, 1], [-1, 1], [0, 0], [1, 0], [2, 1]])
    found = framing_sensitivity(answers, [0, 1, 1, 0, -1, 2], [False, True, True], Clusters.of([""] * 6))
    assert found.all.value == 3 / 5
    assert [estimate.images for estimate in found.by_class] == [2, 1, 1]
    assert [estimate.value for estimate in found.by_class] == [0.5, 0.0, 1.0]
    assert (found.minority.value, found.majority.value) == (0.5, 0.5)


def test_shapes_that_are_refused():
    right = np.ones((COUNT, len(PLAN)))
    for call, message in (
        (lambda: positions_centred(right, PLACES.anchors[:3], PLACES.strict, PEOPLE), "anchors"),
        (lambda: positions_centred(right, PLACES.anchors, PLACES.strict[:, :3], PEOPLE), "strict"),
        (lambda: positions_centred(right, PLACES.anchors, PLACES.strict, PEOPLE, measure="all"), "measure='all'"),
        (lambda: needed_scale(right, PLACES.scale[:3], PLAN.sizes, PEOPLE), "scales"),
        (lambda: needed_scale(right, PLACES.scale, PLAN.sizes, PEOPLE, seen=right[:3] > 0), "seen"),
        (lambda: framing_sensitivity(np.zeros((4, 2), int), np.zeros(4, int), 1, PEOPLE), "rare"),
    ):
        with pytest.raises(InputError, match=message):
            call()
