"""A few views of a plan: their order, and how they are typed."""

from __future__ import annotations

import pytest

from bincam.errors import InputError
from bincam.inference import View, centred_first, chosen_plan, view_plan
from bincam.inference.zoom.selection import parse_views

SIZE = (224, 224)


def test_the_order_is_centre_edges_corners_and_nearest_to_the_plain_prediction() -> None:
    short = view_plan("short", SIZE)
    added, before = [], set()
    for count in range(1, len(short) + 1):
        now = set(centred_first(short, count).views)
        assert before < now, "each number adds one view to those before"
        added += list(now - before)
        before = now
    assert added[0] == short.views[short.one_crop]
    assert [view.size for view in added[:6]] == [256, 224, 320, 448, 128, 640]
    assert all((view.row, view.column) == (1, 1) for view in added[:6])
    assert [(view.row, view.column) for view in added[6:10]] == [(0, 1), (1, 0), (1, 2), (2, 1)]
    assert all(abs(view.row - 1) + abs(view.column - 1) == 2 for view in added[30:])
    assert centred_first(short, 54).views == short.views


def test_it_is_of_any_plan_and_of_the_plans_input() -> None:
    own = view_plan([(300, 0, 0), (250, 2, 2), (90, 0, 1)], SIZE)
    assert centred_first(own, 2).views == (View(90, 0, 1), View(250, 2, 2))
    small = centred_first(view_plan("short", (32, 48)), 1)
    assert (small.input_size, small.views) == ((32, 48), (View(37, 1, 1),))


@pytest.mark.parametrize("count", [0, -1, 55])
def test_more_views_than_there_are_and_none_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} views cannot be chosen from the 54 views of the plan 'short'"):
        chosen_plan(count, SIZE)


def test_views_are_a_number_or_a_list() -> None:
    assert len(chosen_plan(parse_views("7"), SIZE)) == 7
    typed = parse_views("448:0:2,256:1:1")
    assert chosen_plan(typed, SIZE).views == (View(256, 1, 1), View(448, 0, 2))
    for text in ("", "many", "3.5", "256:1", "256:1:1:1", "256:1:x", "256:1:1,", "256 1 1"):
        with pytest.raises(InputError, match="expected a number of views, such as 8"):
            parse_views(text)
    with pytest.raises(InputError, match="the plan repeats 1 view"):
        chosen_plan(parse_views("256:1:1,256:1:1"), SIZE)
