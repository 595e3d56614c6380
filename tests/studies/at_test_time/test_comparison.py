"""Comparing answers before and after: cases counted by hand, planted pulls and their twins, the degenerate."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.stats import Clusters
from bincam.stats.sets.mean_rates import mean_rate
from bincam.studies.at_test_time.comparison import compare_answers
from bincam.studies.at_test_time.wording import sentence
from bincam.studies.zoom.encoding import encoded

RARE = [False, True]


def nobody(count: int) -> Clusters:
    return Clusters.of([""] * count)


def test_errors_are_those_counted_by_hand() -> None:
    #                 right both   spoilt  corrected wrong both  right  spoilt
    true = np.repeat([1, 1, 1, 1, 0, 0], [4, 3, 2, 1, 8, 2])
    before = np.repeat([1, 1, 0, 0, 0, 0], [4, 3, 2, 1, 8, 2])
    after = np.repeat([1, 0, 1, 0, 0, 1], [4, 3, 2, 1, 8, 2])
    found = compare_answers(before, after, true, RARE, nobody(20))
    assert (found.minority.before.value, found.minority.after.value) == (0.3, 0.4)
    assert found.minority.difference.value == pytest.approx(0.1)
    assert (found.majority.before.value, found.majority.after.value) == (0, 0.2)
    assert found.error.before.value == pytest.approx(3 / 20)
    assert found.error.after.value == pytest.approx(6 / 20)
    assert (found.corrected, found.spoilt) == (2, 5)
    assert found.changed.value == pytest.approx(7 / 20)
    assert found.pull.before.value == pytest.approx(13 / 20)
    assert found.pull.difference.value == pytest.approx(-1 / 20), "3 + 1 + 8 of 20 answers are no afterwards"


def test_a_set_averages_the_miss_rates_of_its_rare_outputs() -> None:
    rng = np.random.default_rng(0)
    true = rng.choice(4, 400, p=[0.7, 0.15, 0.1, 0.05])
    before, after = (np.where(rng.random(400) < p, rng.integers(0, 4, 400), true) for p in (0.2, 0.4))
    rare = [False, True, True, True]
    people = Clusters.of([str(row // 2) for row in range(400)])
    found = compare_answers(before, after, true, rare, people)
    rates = [np.mean([(said != true)[true == k].mean() for k in (1, 2, 3)]) for said in (before, after)]
    assert found.minority.before.value == pytest.approx(rates[0])
    assert found.minority.difference.value == pytest.approx(rates[1] - rates[0])
    assert found.minority.before == mean_rate((before != true).astype(float), true, [1, 2, 3], people)
    assert found.minority.before.identities is not None


@pytest.mark.parametrize(("turned", "meaning"), [(0, "pulls to the majority"), (1, "pulls to the minority")])
def test_a_planted_pull_is_found(turned: int, meaning: str) -> None:
    rng = np.random.default_rng(0)
    true = (rng.random(600) < 0.3).astype(int)
    before = np.where(rng.random(600) < 0.1, 1 - true, true)
    after = np.where(rng.random(600) < 0.2, turned, before)
    entry = encoded(compare_answers(before, after, true, RARE, nobody(600)))
    told = sentence("MEMO", "Bald", entry, minimises_entropy=True)
    assert f"Lowering entropy {meaning}" in told
    assert "It pulls" in sentence("Mean", "Bald", entry, minimises_entropy=False)


def test_its_twin_that_turns_answers_both_ways_is_not() -> None:
    rng = np.random.default_rng(1)
    true = (rng.random(600) < 0.5).astype(int)
    after = true.copy()
    for k in (0, 1):
        after[np.flatnonzero(true == k)[:40]] = 1 - k
    entry = encoded(compare_answers(true, after, true, RARE, nobody(600)))
    told = sentence("MEMO", "Bald", entry, minimises_entropy=True)
    assert "is not shown to pull to the majority" in told
    unchanged = compare_answers(true, true, true, RARE, nobody(600))
    assert unchanged.pull.difference.low < 0 < unchanged.pull.difference.high, "no certainty from nothing"


def test_images_without_an_answer_are_in_no_figure_and_counted() -> None:
    true = np.array([1, 1, 0, 0, -1])
    found = compare_answers([1, -1, 0, 0, 1], [1, 1, -1, 1, 1], true, RARE, nobody(5))
    assert (found.undefined_before, found.undefined_after) == (1, 1)
    assert found.error.before.images == found.error.after.images == found.error.difference.images == 2
    assert found.error.after.value == 0.5
    assert found.pull.before.images == 3, "an image without a label has an answer all the same"


def test_a_class_without_images_is_undefined_and_said_so() -> None:
    found = compare_answers([0] * 30, [0] * 30, [0] * 30, RARE, nobody(30))
    assert found.minority.before.status == found.minority.difference.status == "undefined"
    entry = encoded(compare_answers([-1] * 3, [0] * 3, [1] * 3, RARE, nobody(3)))
    assert sentence("MEMO", "Bald", entry, minimises_entropy=True) == (
        "Bald, MEMO: no labelled image has an answer before and after."
    )


@pytest.mark.parametrize(
    ("before", "after", "true", "rare", "problem"),
    [
        ([0, 1], [0], [0, 1], RARE, r"before and after, got \(2,\) and \(1,\)"),
        ([0, 2], [0, 1], [0, 1], RARE, "answers are from 0 to 1"),
        ([0, 1], [0, 1], [0], RARE, "expected answers"),
        ([0, 1], [0, 1], [0, 1], [RARE], r"expected rare \(K,\)"),
    ],
)
def test_what_does_not_fit_is_refused(before: list, after: list, true: list, rare: list, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        compare_answers(before, after, true, rare, nobody(len(true)))
