"""Plans: the published views, their scaling to other inputs, and plans that are refused."""

from __future__ import annotations

import pytest

from bincam.errors import InputError
from bincam.inference import Plan, View, view_plan
from bincam.inference.zoom.plan import PAPER, SHORT, scaled


def test_the_published_plan_has_324_views():
    plan = view_plan("paper", (224, 224))
    assert plan.sizes == PAPER
    assert len(plan) == len(set(plan.views)) == 36 * 9
    assert plan.coinciding == ()
    # The paper's list is 27 chosen scales and ten equally spaced ones; two of these are among the chosen.
    spaced = {int(10 + k * (1024 - 10) / 9) for k in range(10)}
    assert spaced <= set(PAPER)


def test_the_short_plan_is_a_part_of_it():
    short = view_plan("short", (224, 224))
    assert len(short) == 54
    assert set(short.views) < set(view_plan("paper", (224, 224)).views)
    assert [round(size / 224, 2) for size in SHORT] == [0.57, 1, 1.14, 1.43, 2, 2.86]
    assert short.views[short.one_crop] == View(256, 1, 1)


@pytest.mark.parametrize(("side", "views"), [(448, 324), (112, 324), (32, 306), (8, 234)])
def test_coinciding_scales_are_told_and_run_once(side, views):
    plan = view_plan("paper", (side, side))
    assert len(plan) == views
    dropped = sum(len(group) - 1 for group in plan.coinciding)
    assert 9 * (36 - dropped) == views
    for group in plan.coinciding:
        assert len({scaled(size, (side, side)) for size in group}) == 1


def test_scales_follow_the_shorter_side_of_the_input():
    assert (
        view_plan("short", (64, 96)).sizes == view_plan("short", (96, 64)).sizes == view_plan("short", (64, 64)).sizes
    )


def test_a_list_of_ones_own_is_sorted_and_not_scaled():
    plan = view_plan([(300, 2, 0), View(20, 1, 1)], (64, 64))
    assert plan.views == (View(20, 1, 1), View(300, 2, 0))
    assert plan.one_crop is None
    assert isinstance(plan, Plan)
    assert plan.to_json()["views"] == [[20, 1, 1], [300, 2, 0]]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("papre", "did you mean 'paper'"),
        ([], "without views"),
        ([(20, 1, 1), (20, 1, 1)], "repeats 1 view, first"),
        ([(0, 1, 1)], "1 to 65,536 pixels"),
        ([(10**9, 1, 1)], "1 to 65,536 pixels"),
        ([(20, 3, 1)], "anchors from 0 to 2"),
        ([(20, 1)], "expected"),
        ([(20.5, 1, 1)], "expected"),
    ],
)
def test_plans_that_are_refused(plan, message):
    with pytest.raises(InputError, match=message):
        view_plan(plan, (64, 64))


def test_an_input_without_pixels_is_refused():
    with pytest.raises(InputError, match=r"got \(0, 64\)"):
        view_plan("short", (0, 64))
