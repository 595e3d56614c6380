"""The change of a gap between groups: identities, hand cases, and how often its interval holds."""

import numpy as np
import pytest

from bincam.stats.clustered.gap_change import _ends, gap_change
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import estimate


def wrong(rates, size=200):
    return np.concatenate([np.arange(size) < round(rate * size) for rate in rates]).astype(float)


def of(first, second, size=200, clusters=None):
    groups = np.repeat(np.arange(len(first)), size)
    people = Clusters.of([""] * len(groups)) if clusters is None else clusters
    return gap_change(wrong(first, size), wrong(second, size), groups, people)


def test_two_answers_that_are_the_same_change_nothing_and_are_not_tested():
    same = of((0.4, 0.1), (0.4, 0.1))
    assert same.difference.value == 0
    assert same.difference.low < 0 < same.difference.high
    assert np.isnan(same.test.p)


def test_errors_that_fall_alike_in_both_groups_change_no_gap():
    alike = of((0.4, 0.3), (0.2, 0.1))
    assert alike.difference.value == pytest.approx(0, abs=1e-12)
    assert alike.difference.low < 0 < alike.difference.high
    assert alike.test.p > 0.9


def test_exchanging_the_answers_turns_the_difference_round():
    there, back = of((0.4, 0.1), (0.2, 0.1)), of((0.2, 0.1), (0.4, 0.1))
    assert there.difference.value == pytest.approx(-back.difference.value)
    assert there.test.p == pytest.approx(back.test.p)
    assert there.gaps == back.gaps[::-1]


def test_a_gap_that_turns_round_is_found_by_the_test_and_not_called_smaller():
    turned = of((0.4, 0.1), (0.1, 0.4))
    assert turned.between == ((0, 1), (1, 0))
    assert turned.difference.value == pytest.approx(0, abs=1e-12)
    assert turned.difference.low < 0 < turned.difference.high
    assert turned.test.p < 0.001


def test_of_three_groups_the_pair_may_be_another():
    change = of((0.5, 0.1, 0.1), (0.1, 0.1, 0.4))
    assert change.between == ((0, 1), (2, 0))
    assert change.gaps == (pytest.approx(0.4), pytest.approx(0.3))
    assert change.difference.low < -0.1 < change.difference.high
    assert "all of 3 pairs at once" in change.difference.method


def test_one_group_or_none_has_no_gap():
    codes, values = np.where(np.arange(400) < 200, 0, -1), wrong((0.4, 0.1))
    one = gap_change(values, values, codes, Clusters.of([""] * 400))
    assert one.between == (None, None)
    assert one.difference.status == "undefined"
    assert one.difference.images == 200


@pytest.mark.parametrize("rates", [(1.0, 0.0), (0.95, 0.05)])
def test_a_gap_that_turns_round_whole_moves_by_twice_as_much_and_no_end_of_that_is_cut(rates):
    """Each group's errors change by up to 1, and their difference by up to 2: a bound of 1 would leave nothing."""
    turned = of(rates, rates[::-1])
    assert turned.between == ((0, 1), (1, 0))
    assert turned.difference.value == pytest.approx(0, abs=1e-12)
    assert -0.2 < turned.difference.low < 0 < turned.difference.high < 0.2
    assert turned.test.p < 0.001


def test_a_gap_cannot_change_by_more_than_all():
    few = of((0.9, 0.1), (0.1, 0.1), size=24, clusters=Clusters.of([str(n // 4) for n in range(48)])).difference
    assert -1 <= few.low <= few.value == pytest.approx(-0.8, abs=0.05)
    assert few.high <= 1


def test_of_one_person_in_a_group_there_is_a_change_and_no_interval():
    people = Clusters.of(["one"] * 24 + [f"person {n}" for n in range(24)])
    lonely = of((0.5, 0.25), (0.25, 0.25), size=24, clusters=people).difference
    assert lonely.value == pytest.approx(-0.25)
    assert np.isnan([lonely.low, lonely.high]).all()


def test_images_of_people_that_are_alike_count_for_less():
    independent = of((0.4, 0.1), (0.2, 0.1))
    people = Clusters.of([str(n // 8) for n in range(400)])
    clustered = of((0.4, 0.1), (0.2, 0.1), clusters=people)
    assert clustered.difference.identities == 50
    wider = clustered.difference.high - clustered.difference.low
    assert wider > 1.5 * (independent.difference.high - independent.difference.low)


@pytest.mark.parametrize(
    ("x", "y", "d"),
    [
        ((-0.1, 0.3), (-0.2, 0.4), (-0.4, 0.2)),
        ((0.1, 0.3), (-0.1, 0.2), (-0.25, -0.1)),
        ((-0.3, 0.1), (0.2, 0.4), (0.2, 0.6)),
    ],
)
def test_the_ends_are_those_of_all_that_three_intervals_leave_possible(x, y, d):
    three = [estimate(sum(ends) / 2, *ends, 99, None, "") for ends in (x, y, d)]
    a, b = np.meshgrid(np.linspace(*x, 801), np.linspace(*y, 801))
    every = (np.abs(b) - np.abs(a))[(b - a >= d[0]) & (b - a <= d[1])]
    low, high = _ends(*three)
    assert low - 1e-9 <= every.min() <= low + 0.003
    assert high - 0.003 <= every.max() <= high + 1e-9


@pytest.mark.parametrize(
    ("first", "second"), [((0.3, 0.3), (0.3, 0.3)), ((0.4, 0.2), (0.25, 0.2)), ((0.2, 0.3), (0.3, 0.2))]
)
def test_intervals_hold_at_least_as_often_as_they_say(first, second):
    random = np.random.default_rng(0)
    truth = abs(second[0] - second[1]) - abs(first[0] - first[1])
    groups, clusters = np.repeat([0, 1], 120), Clusters.of([""] * 240)
    held = []
    for _ in range(150):
        hard = random.random(240)  # images are hard for both answers
        one, other = ((hard < np.repeat(rates, 120)).astype(float) for rates in (first, second))
        redrawn = random.random(240) < 0.5
        other = np.where(redrawn, random.random(240) < np.repeat(second, 120), other).astype(float)
        found = gap_change(one, other, groups, clusters).difference
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.94
