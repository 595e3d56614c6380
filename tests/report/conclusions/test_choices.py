"""Which of two models to take, rule by rule, and on planted audits."""

import math

import pytest

from bincam.compare.contrast import compare
from bincam.report.conclusions import reading
from bincam.report.conclusions.choices import choice, choices, counts
from bincam.report.conclusions.facts import AttributeFacts, Pair, ReferenceGain
from bincam.report.conclusions.reading import conclude
from bincam.report.html.page import open_source
from tests.report.conclusions.test_actions import HIGH, LOW, MOVED, facts, rate
from tests.report.conclusions.test_verdict import NAMES, SHIFT, planted

MODELS = ("unbalanced", "balanced")
FEW = rate(0.0, 0.0, 0.1, 8, 3)
NOTHING, BETTER = rate(0.0, -0.02, 0.02), rate(0.4, 0.3, 0.5)
WORSE = rate(-0.3, -0.4, -0.2)
GAIN, LOSS, TRADED = Pair(BETTER, NOTHING), Pair(NOTHING, WORSE), Pair(BETTER, WORSE)
SAME = Pair(NOTHING, NOTHING)


@pytest.mark.parametrize(
    ("first", "second", "change", "take", "title"),
    [
        (facts(HIGH), facts(), GAIN, "second", "take balanced"),
        (facts(), facts(HIGH), LOSS, "first", "take unbalanced"),
        (facts(HIGH, **MOVED), facts(), GAIN, "second", "take balanced"),  # nothing has to be moved
        (facts(HIGH, **MOVED), facts(HIGH), TRADED, "first", "take unbalanced, its threshold moved"),
        (facts(HIGH, **MOVED), facts(HIGH, **MOVED), GAIN, "either", "either, its threshold moved"),
        (facts(HIGH), facts(HIGH), GAIN, "neither", "neither: retrain or collect"),
        (facts(), facts(), SAME, "either", "either"),
        (facts(), facts(), GAIN, "second", "take balanced"),
        (facts(), facts(), TRADED, "either", "either"),
        (facts(FEW), facts(FEW), GAIN, "second", "take balanced"),
        (facts(FEW), facts(FEW), SAME, "few", "too few images to say"),
        (facts(FEW), facts(HIGH), SAME, "few", "too few images to say"),  # what nobody knows is no reason
        (facts(FEW), facts(HIGH), LOSS, "first", "take unbalanced"),
        (facts(FEW), facts(HIGH), GAIN, "few", "too few images to say"),
        (facts(FEW), facts(HIGH), Pair(rate(0.4, 0.3, 0.5, 8, 3), WORSE), "few", "too few images to say"),
        (facts(), facts(), None, "either", "either"),
    ],
)
def test_the_rules(first, second, change, take, title):
    found = choice(first, second, change, MODELS)
    assert (found.take, found.title) == (take, title)
    assert [one.attribute for one in found.actions] == ["Bald", "Bald"]


def test_a_choice_tells_its_gain_and_its_cost():
    found = choice(facts(HIGH, LOW), facts(LOW, rate(0.12, 0.1, 0.15)), TRADED, MODELS)
    assert found.why == (
        "balanced errs in 5 of 100 cases instead of 60 with Bald and 12 of 100 cases instead of 5 without Bald"
    )
    turned = choice(facts(LOW, LOW), facts(LOW, HIGH), LOSS, MODELS)
    assert turned.why == "unbalanced errs in 5 of 100 cases instead of 60 without Bald"
    assert choice(facts(HIGH, **MOVED), facts(HIGH), TRADED, MODELS).why == ""  # of the audited threshold, not of this
    assert found.harm == 0.1
    assert choice(facts(HIGH), facts(HIGH), None, MODELS).harm == 0.5
    stored = found.to_json()
    assert [one["title"] for one in stored["models"]] == ["retrain or collect", "fine"]
    nothing = rate(math.nan, math.nan, math.nan)
    undefined = choice(facts(nothing, nothing), facts(nothing, nothing), None, MODELS)
    assert (undefined.take, undefined.to_json()["harm"]) == ("few", None)


def test_rows_are_sorted_by_the_harm_that_remains_and_counted():
    def named(name, minority):
        return AttributeFacts(name, ("with", "without"), Pair(minority, LOW))

    first = [named("a", LOW), named("b", HIGH), named("c", HIGH), named("d", rate(0.4, 0.3, 0.5))]
    second = [named("a", LOW), named("b", LOW), named("c", HIGH), named("d", rate(0.4, 0.3, 0.5))]
    rows = choices(first, second, {"b": GAIN}, MODELS)
    assert [one.attribute for one in rows] == ["c", "d", "b", "a"]
    assert counts(rows) == [("neither: retrain or collect", 2), ("take balanced", 1), ("either", 1)]
    assert [one.settled for one in rows] == [False, False, False, True]


def test_planted_audits_that_lean_are_taken_at_moved_thresholds(tmp_path, monkeypatch):
    tuned = {name: 0.9 * shift for name, shift in SHIFT.items()}
    audits = [planted(tmp_path / "unbalanced", prior=0.9, tuned=tuned), planted(tmp_path / "balanced", noise=3.0)]
    compare(*audits, tmp_path / "c")
    source = open_source(tmp_path / "c")
    found = conclude(source.arms, source.contrast)
    assert found.actions == ()
    assert [one.take for one in found.choices] == ["first", "first"]
    assert [one.title for one in found.choices] == ["take unbalanced, its threshold moved"] * 2
    assert {one.kind for choice in found.choices for one in choice.actions} == {"threshold", "retrain"}
    assert {one.attribute for one in found.choices} == set(NAMES)
    assert found.model_counts[0] == [("move the threshold", 2)]
    assert [one["take"] for one in found.to_json()["choices"]] == ["first", "first"]
    known = ReferenceGain("validation", Pair(LOW, LOW), MOVED["gained"])
    monkeypatch.setattr(reading, "reference_gain", lambda *_: known)
    there = "It gains on the validation split"
    assert there in conclude(source.arms, source.contrast).choices[0].actions[0].advice
    compare(*audits, tmp_path / "stated", moved=tuned)  # of which the audit knows nothing
    source = open_source(tmp_path / "stated")
    assert there not in conclude(source.arms, source.contrast).choices[0].actions[0].advice
