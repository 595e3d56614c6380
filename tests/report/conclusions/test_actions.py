"""The action on an attribute, rule by rule, and the order of the rows."""

import math

import numpy as np
import pytest

from bincam.report.conclusions.actions import Action, action, actions, counts
from bincam.report.conclusions.facts import AttributeFacts, Pair, ReferenceGain
from bincam.report.conclusions.people_needed import more_for_half, needed_for, needed_to_decide
from bincam.report.conclusions.reading import attribute_facts
from bincam.report.conclusions.thresholds import least_error
from bincam.report.html.page import open_source
from bincam.stats.estimate import estimate
from bincam.stats.intervals import wilson
from tests.report.conclusions.test_verdict import NAMES, SHIFT, planted


def rate(value, low, high, images=300, people=100):
    return estimate(value, low, high, images, people, "wilson, design effect")


LOW, HIGH = rate(0.05, 0.02, 0.1), rate(0.6, 0.5, 0.7)
GAINED = Pair(rate(0.55, 0.45, 0.65), rate(-0.05, -0.08, -0.02))
MOVED = {"threshold": -1.5, "at_threshold": Pair(LOW, LOW), "gained": GAINED}


def facts(minority=LOW, majority=LOW, **further):
    return AttributeFacts("Bald", ("with Bald", "without Bald"), Pair(minority, majority), **further)


def kind(**given):
    return action(facts(**given)).kind


def test_the_rules_in_their_order():
    assert kind() == "fine"
    assert kind(minority=HIGH) == "retrain"
    assert kind(minority=HIGH, **MOVED) == "threshold"
    assert kind(minority=HIGH, least_error=0.1) == "threshold"
    assert kind(minority=HIGH, least_error=0.3) == "retrain"
    assert kind(minority=rate(0.15, 0.1, 0.3)) == "few"
    assert kind(minority=rate(0.0, 0.0, 0.1, 8, 3)) == "few"
    assert kind(minority=HIGH, majority=rate(0.0, 0.0, 0.1, 8, 3)) == "retrain"  # what is certain needs no more images
    assert kind(elsewhere="the evidence is at the lower right") == "elsewhere"
    assert kind(shows_the_image=True) == "maps"
    assert kind(minority=HIGH, elsewhere="x", shows_the_image=True) == "retrain"


def test_a_threshold_whose_gain_is_not_shown_or_that_harms_the_other_class_is_no_advice():
    moved = {"threshold": -1.5, "at_threshold": Pair(LOW, LOW)}
    unsure = Pair(rate(0.55, -0.01, 0.65), rate(-0.05, -0.08, -0.02))
    assert kind(minority=HIGH, **moved, gained=unsure) == "retrain"
    harmful = Pair(LOW, HIGH)
    assert kind(minority=HIGH, threshold=-1.5, at_threshold=harmful, gained=GAINED) == "retrain"


def test_what_a_threshold_gains_is_told_of_the_reference_split_where_it_is_known():
    gain = Pair(rate(0.5, 0.4, 0.6), rate(-0.04, -0.07, -0.01))
    known = ReferenceGain("validation", Pair(rate(0.1, 0.06, 0.16), rate(0.06, 0.03, 0.1)), gain)
    found = action(facts(HIGH, **MOVED, on_reference=known))
    assert found.kind == "threshold"
    assert found.advice == (
        "to −1.50 (logit). It gains on the validation split, judged on people whom it was not chosen on: 10 of 100 "
        "cases instead of 60 with Bald and 6 of 100 cases instead of 2 without Bald. On the audited images 5 of 100 "
        "cases instead of 60 with Bald and 5 of 100 cases instead of 5 without Bald"
    )
    nothing = ReferenceGain("validation", known.chosen, Pair(rate(0.5, -0.1, 0.6), LOW))
    assert kind(minority=HIGH, **MOVED, on_reference=nothing) == "retrain"  # not shown where it was not chosen
    above = ReferenceGain("validation", Pair(rate(0.3, 0.25, 0.35), LOW), gain)
    assert kind(minority=HIGH, **MOVED, on_reference=above) == "retrain"
    few = ReferenceGain("validation", known.chosen, Pair(rate(0.5, 0.4, 0.6, 8, 3), gain.majority))
    assert "tuned on validation. On the audited images" in action(facts(HIGH, **MOVED, on_reference=few)).advice


def test_what_an_action_says():
    moved = action(facts(HIGH, **MOVED))
    assert moved.threshold == -1.5
    assert moved.advice == (
        "to −1.50 (logit), tuned on validation. On the audited images 5 of 100 cases instead of 60 with Bald and 5 of "
        "100 cases instead of 5 without Bald"
    )
    assert moved.harm == 0.5
    collect = action(facts(HIGH))
    assert collect.people == more_for_half(HIGH)
    assert "more people with Bald would make the interval half as wide" in collect.advice
    few = action(facts(rate(0.0, 0.0, 0.1, 8, 3)))
    assert few.advice == "only 8 images of 3 people with Bald; at least 20 of 5 people are needed"
    undecided = action(facts(rate(0.15, 0.1, 0.3)))
    assert "cannot be told of images with Bald; about " in undecided.advice
    assert undecided.people > 0
    at_the_bound = action(facts(rate(0.2, 0.1, 0.3)))
    assert "too close to it for any number of images" in at_the_bound.advice
    noted = action(facts(HIGH, elsewhere="x", shows_the_image=True))
    assert noted.notes == ("looks elsewhere than expected", "its maps show the image, not the attribute")
    confused = action(facts(HIGH, taken_for="taken for Gray_Hair in 9 of 20 images", of_set="hair"))
    assert "are misclassified, taken for Gray_Hair in 9 of 20 images" in confused.advice
    assert confused.of_set == "hair"
    assert Action(**{**noted.__dict__, "harm": math.nan}).to_json()["harm"] is None


def test_rows_are_sorted_by_harm_and_counted():
    rows = [
        AttributeFacts(name, ("with", "without"), Pair(one, LOW))
        for name, one in {"a": LOW, "b": rate(0.4, 0.3, 0.5), "c": HIGH, "d": rate(0.0, 0.0, 0.1, 8, 3)}.items()
    ]
    chosen = actions(rows)
    assert [one.attribute for one in chosen] == ["c", "b", "d", "a"]
    assert counts(chosen) == [("retrain or collect", 2), ("too few images to say", 1), ("fine", 1)]
    assert counts(actions(rows, tolerated=0.9)) == [("too few images to say", 1), ("fine", 3)]


@pytest.mark.parametrize(("share", "count"), [(0.5, 60), (0.1, 60), (0.02, 100), (0.0, 40)])
def test_people_that_were_asked_for_make_the_interval_that_was_promised(share, count):
    low, high = map(float, wilson(share, count / 2))  # images of a person are alike: worth half as many
    now = estimate(share, low, high, 3 * count, count, "wilson, design effect")
    more = more_for_half(now)
    then = wilson(share, (count + more) / 2)
    assert then[1] - then[0] == pytest.approx((high - low) / 2, rel=0.02)
    assert needed_for(now, high - low) == pytest.approx(count, abs=1)


def test_people_that_decide_move_the_end_of_the_interval_to_the_bound():
    low, high = map(float, wilson(0.12, 40))
    needed = needed_to_decide(estimate(0.12, low, high, 200, 40, "wilson"), 0.2)
    assert float(wilson(0.12, needed)[1]) <= 0.2 < float(wilson(0.12, needed - 2)[1])
    assert needed_to_decide(estimate(0.12, 0.1, 0.14, 200, 40, "wilson"), 0.2) is None  # it is decided
    assert needed_to_decide(estimate(0.2, 0.1, 0.3, 200, 40, "wilson"), 0.2) is None  # no number of people would
    assert needed_for(estimate(0.2, 0.2, 0.2, 200, 40, "wilson"), 0.1) is None


def test_thresholds_are_judged_on_the_audited_images(tmp_path):
    tuned = {NAMES[0]: 0.9 * SHIFT[NAMES[0]], NAMES[1]: 0.0}  # the second is the audited one
    arm = open_source(planted(tmp_path / "a", prior=0.9, tuned=tuned).folder).arms[0]
    first, second = attribute_facts(arm, NAMES)
    label, logit = (arm.column(NAMES[0], name) for name in ("label", "logit"))
    known = np.isfinite(logit) & np.isfinite(label)
    missed = (logit < tuned[NAMES[0]])[known & (label > 0)].mean()
    assert first.at_threshold.minority.value == pytest.approx(missed)
    assert first.gained.minority.value == pytest.approx(first.errors.minority.value - missed)
    assert second.at_threshold is None
    cuts = np.sort(logit[known])
    worst = [
        max((logit < cut)[known & (label > 0)].mean(), (logit >= cut)[known & (label == 0)].mean()) for cut in cuts
    ]
    assert least_error(arm, NAMES[0]) == pytest.approx(min(worst))
    assert action(first).kind == "threshold"
    assert action(second).advice.startswith("tune it on validation (none that was tuned")
