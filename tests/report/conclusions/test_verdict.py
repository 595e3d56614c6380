"""Every rule of the verdict, on planted audits (the whole way from records) and on figures by hand."""

import json

import numpy as np
import pytest

from bincam.audit.folder import reader
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.summary.summarize import summarise
from bincam.compare.contrast import compare
from bincam.files import write_json
from bincam.report.conclusions.facts import Facts, MapTest, Pair
from bincam.report.conclusions.reading import conclude
from bincam.report.conclusions.verdict import verdict
from bincam.report.html.page import open_source
from bincam.stats.estimate import estimate, undefined
from tests.audit.synthetic import make_audit

NAMES, PREVALENCE = ("Bald", "Hat"), (0.15, 0.2)
SHIFT = {name: float(np.log(p / (1 - p))) for name, p in zip(NAMES, PREVALENCE, strict=True)}


def planted(folder, *, prior=0.0, seed=1, images=700, noise=0.0, tuned=None, gates=None):
    """An audit of which it is known what is wrong with it.

    Args:
        folder: Where to.
        prior: How much the model leans to the frequent class; a threshold lower by that much undoes it.
        seed: Of the model.
        images: How many.
        noise: Standard deviation of what is added to the logits: a worse model.
        tuned: Thresholds that the card says were tuned on validation.
        gates: The randomisation tests of the summary.
    """
    given = {"attributes": NAMES, "prevalence": PREVALENCE, "methods": ("grad_cam",), "masks": ()}
    make_audit(folder, images=images, prior=prior, seed=seed, noise=noise, finished=False, **given)
    if tuned:
        manifest = json.loads((folder / reader.MANIFEST).read_text(encoding="utf-8"))
        manifest["model"]["card"]["tuned_thresholds"] = tuned
        write_json(folder / reader.MANIFEST, manifest)
    audit = reader.open_audit(folder, unfinished=True)
    summary = summarise(audit, resamples=20)
    summary["gates"] = gates or {}
    AuditWriter(folder, audit.manifest).write_summary(summary)
    return reader.open_audit(folder)


def of_audit(audit):
    source = open_source(audit.folder)
    return {one.rule: one for one in conclude(source.arms).verdict}


def of_contrast(first, second, out, moved=None):
    compare(first, second, out, moved=moved, moved_from="validation" if moved else "given")
    source = open_source(out)
    return {one.rule: one for one in conclude(source.arms, source.contrast).verdict}


@pytest.fixture(scope="module")
def leaning(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("leaning") / "unbalanced", prior=0.9)


@pytest.fixture(scope="module")
def even(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("even") / "balanced", seed=2)


def test_a_moved_threshold_suffices_for_a_model_that_only_leans(leaning, even, tmp_path):
    found = of_contrast(leaning, even, tmp_path / "c", {name: 0.9 * shift for name, shift in SHIFT.items()})
    assert list(found) == ["trade-off", "threshold suffices", "maps undecided"]
    text = found["trade-off"].text
    assert text.startswith("Model balanced misses rare attributes in ")
    assert ", but raises false alarms in " in text
    assert found["threshold suffices"].text == (
        "Moving the thresholds of model unbalanced does the same; retraining was not needed for this."
    )
    assert "[" in found["threshold suffices"].behind


def test_without_a_tuned_threshold_nothing_is_claimed_of_one(leaning, even, tmp_path):
    found = of_contrast(leaning, even, tmp_path / "c")
    assert "threshold suffices" not in found
    assert found["threshold unknown"].tone == "care"


def test_harm_by_balancing_is_told_as_harm(even, tmp_path):
    worse = planted(tmp_path / "worse", noise=2.0, seed=3)
    found = of_contrast(even, worse, tmp_path / "c")
    assert found["harm"].tone == "bad"
    assert "and no gain is shown for it" in found["harm"].text
    assert not {"trade-off", "better", "threshold suffices"} & set(found)
    back = of_contrast(worse, even, tmp_path / "back", SHIFT)  # the same from the other side
    assert "better" in back
    assert "threshold suffices" not in back


def test_nothing_is_found_between_two_models_that_do_the_same(even, tmp_path):
    found = of_contrast(even, planted(tmp_path / "twin", seed=4), tmp_path / "c", SHIFT)
    assert "no difference" in found
    assert not {"trade-off", "better", "harm"} & set(found)
    assert not any("threshold" in rule for rule in found)


def test_too_few_people_end_the_verdict(tmp_path):
    audit = planted(tmp_path / "a", images=24)
    found = of_audit(audit)
    assert list(found) == ["too few people", "maps undecided"]
    assert found["too few people"].text.startswith("There are too few images or people to say how often the model errs")
    both = of_contrast(audit, planted(tmp_path / "b", images=24, seed=5), tmp_path / "c", SHIFT)
    assert list(both) == ["too few people", "maps undecided"]


def test_one_model_that_leans_serves_the_rarer_class_worse_and_thresholds_help(tmp_path):
    tuned = {name: 0.9 * shift for name, shift in SHIFT.items()}
    found = of_audit(planted(tmp_path / "a", prior=0.9, tuned=tuned))
    assert found["errors by class"].tone == "bad"
    assert "It serves the rarer class worse; attribute by attribute, that is shown for 2 of 2." in (
        found["errors by class"].text
    )
    assert found["threshold moves"].text.startswith("With thresholds tuned on validation it misses rare attributes in ")
    assert "nothing found" not in found


def test_one_model_that_is_even_has_no_harm_that_is_shown(even):
    found = of_audit(even)
    assert "nothing found" in found
    assert found["errors by class"].tone == "plain"
    assert "worse" not in found["errors by class"].text


@pytest.mark.parametrize(("verdict_of_test", "rule"), [("fail", "maps fail"), ("cannot tell", "maps undecided")])
def test_a_failed_sanity_test_is_told_in_the_verdict(tmp_path, verdict_of_test, rule):
    gate = {"verdict": verdict_of_test, "passed": False, "reason": "the same map for every image"}
    found = of_audit(planted(tmp_path / "a", images=200, gates={"grad_cam": gate}))
    assert found[rule].text.startswith("Do not rely on the maps")
    passed = {"verdict": "pass", "passed": True, "reason": ""}
    assert not any(
        name.startswith("maps") for name in of_audit(planted(tmp_path / "b", images=200, gates={"grad_cam": passed}))
    )


def rate(value, low, high, images=300):
    return estimate(value, low, high, images, 100, "wilson, design effect")


PASSED = MapTest("the model", "cam", "pass", "", undefined(""), 0.05, undefined(""), 0.05)


def two(change, left=None, errors=None, **further):
    first, second = errors or (Pair(rate(0.64, 0.6, 0.68), rate(0.04, 0.02, 0.06)),
                               Pair(rate(0.2, 0.16, 0.24), rate(0.21, 0.18, 0.24)))  # fmt: skip
    given = {"models": ("the unbalanced model", "the balanced model"), "direction": "positive", "left_out": ()}
    given |= {"attributes": ("A", "B"), "errors": (first, second), "change": change, "left": left, "maps": (PASSED,)}
    return {one.rule: one for one in verdict(Facts(**{**given, **further}))}


TRADED = Pair(rate(0.44, 0.4, 0.48), rate(-0.17, -0.2, -0.14))
SAME = Pair(rate(0.01, -0.02, 0.04), rate(-0.01, -0.03, 0.01))


def test_the_sentences_of_the_paper():
    found = two(TRADED, SAME)
    assert found["trade-off"].text == (
        "The balanced model misses rare attributes in 20 of 100 cases instead of 64, but raises false alarms in 21 of "
        "100 cases instead of 4."
    )
    assert found["threshold suffices"].text == (
        "Moving the thresholds of the unbalanced model does the same; retraining was not needed for this."
    )


@pytest.mark.parametrize(
    ("left", "rule"),
    [
        (SAME, "threshold suffices"),
        (Pair(rate(0.01, -0.02, 0.04), rate(-0.17, -0.2, -0.14)), "threshold suffices"),  # and at a lower cost
        (Pair(rate(0.01, -0.02, 0.04), rate(0.1, 0.05, 0.15)), "threshold costs more"),
        (Pair(rate(0.44, 0.4, 0.48), rate(-0.17, -0.2, -0.14)), "threshold does not suffice"),
        (Pair(rate(0.2, 0.15, 0.25), rate(-0.01, -0.03, 0.01)), "threshold in part"),
        (Pair(rate(0.3, -0.1, 0.7), rate(-0.01, -0.03, 0.01)), "threshold unclear"),
        (None, "threshold unknown"),
    ],
)
def test_what_a_moved_threshold_does(left, rule):
    assert [name for name in two(TRADED, left) if name.startswith("threshold")] == [rule]


def test_a_threshold_that_does_better_is_said_to():
    cheaper = two(TRADED, Pair(rate(0.01, -0.02, 0.04), rate(-0.17, -0.2, -0.14)))["threshold suffices"]
    assert "does better" in cheaper.text
    assert "expect less" in two(TRADED, SAME, optimistic=True)["threshold suffices"].text


def test_an_interval_that_contains_zero_states_no_difference():
    touching = Pair(rate(0.4, -0.01, 0.8), rate(-0.17, -0.4, 0.0))
    found = two(touching, SAME, detectable="a true difference of 10 points would be found in 8 of 10 such audits")
    assert list(found) == ["no difference"]
    assert "10 points" in found["no difference"].text
    small = Pair(estimate(0.4, 0.3, 0.5, 8, 3, "wilson"), rate(-0.17, -0.4, 0.0))
    assert list(two(small, SAME)) == ["no difference"]


def test_attributes_of_too_few_people_are_named_beside_the_means():
    found = two(TRADED, SAME, left_out=tuple("PQRSTU"))
    assert "P, Q, R, S and 2 more" in found["too few people"].text


def test_one_attribute_is_called_by_its_name_and_a_rare_negative_is_a_false_alarm():
    one = two(TRADED, SAME, attributes=("Bald",))
    assert one["trade-off"].text.startswith("The balanced model misses Bald in 20 of 100")
    turned = two(TRADED, SAME, direction="negative")
    assert turned["trade-off"].text.startswith("The balanced model raises false alarms in 20 of 100")
    mixed = two(TRADED, SAME, direction="mixed", example="with Bald")
    assert "is wrong about the rarer class (such as images with Bald) in 20 of 100" in mixed["trade-off"].text
