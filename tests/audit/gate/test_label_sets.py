"""Rules on label sets: which study they read, what they refuse, and what is too little."""

from types import SimpleNamespace

import pytest

from bincam.audit.gate.judgements import judge
from bincam.audit.gate.label_sets import label_set_figure
from bincam.audit.gate.rules import parse_rule
from bincam.errors import InputError
from bincam.stats.estimate import estimate

AUDIT = SimpleNamespace(
    attributes=("Bald", "cat", "dog"), methods=("grad_cam",), masks=(), one_of={"pet": ("cat", "dog")},
    manifest=SimpleNamespace(yes_or_no=("Bald",), large_sets=(), cells=None),
)  # fmt: skip


def figure(value, images=400):
    return estimate(value, value - 0.02, value + 0.02, images, None, "wilson").to_json()


def rules(minority, recall=None):
    entry = {
        "coverage": figure(0.9),
        "minority_coverage": figure(minority),
        "size": figure(1.2),
        "several": figure(0.2),
        "worst_class": {"name": "dog", **figure(minority)},
        "worst_slice": None,
        "per_class": {"cat": figure(0.95), "dog": figure(minority)},
    }
    return {"lac": entry | (recall or {}), "average_k=1.5": entry}


SUMMARY = {
    "methods": ["grad_cam"],
    "attributes": {"Bald": {}},
    "sets": {"pet": {"outputs": {"cat": {}, "dog": {}}}},
    "label_sets": {
        "summary": {
            "primary": "lac",
            "subjects": {
                "Bald": {"kind": "yes_or_no", "answers": ["no", "yes"], "rules": rules(0.5)},
                "pet": {"kind": "one_of", "answers": ["cat", "dog"], "rules": rules(0.95)},
            },
            "attributes": {"answers": ["Bald"], "rules": {"crc": {"recall": {"Bald": figure(0.7)}}}},
            "left_out": [{"subject": "Bald", "rule": "class_conditional", "reason": "too few images"}],
        }
    },
}


def judged(text, summary=SUMMARY):
    return {one.attribute: one for one in judge(summary, [parse_rule(text, AUDIT)])}


def test_a_rule_without_a_name_applies_to_every_subject_by_the_primary_rule():
    found = judged("minority_coverage>=0.8")
    assert {name: one.verdict for name, one in found.items()} == {"Bald": "fail", "pet": "pass"}
    assert found["Bald"].rule.group == "primary"


@pytest.mark.parametrize(
    ("text", "name", "verdict"),
    [
        ("pet.worst_class_coverage>=0.9", "pet", "pass"),
        ("dog.coverage>=0.9", "dog", "pass"),
        ("Bald.set_size@average_k=1.5<=1.3", "Bald", "pass"),
        ("Bald.cannot_say<=0.1", "Bald", "fail"),
        ("set_recall>=0.6", "Bald", "pass"),
        ("Bald.set_recall@crc>=0.8", "Bald", "fail"),
    ],
)
def test_measures(text, name, verdict):
    assert judged(text)[name].verdict == verdict


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Bald.minority_coverage@class_conditional>=0.8", "no class_conditional of Bald: too few images"),
        ("Bald.coverage@average_k=2>=0.8", "no average_k=2 of Bald; did you mean 'average_k=1.5'"),
        ("Bald.worst_slice_coverage>=0.8", "fewer than two slices have enough images"),
        ("Bald.set_recall@per_attribute>=0.8", "no per_attribute of Bald"),
    ],
)
def test_what_the_study_has_not_is_insufficient_with_the_reason(text, reason):
    (found,) = judged(text).values()
    assert found.verdict == "insufficient"
    assert reason in found.reason


def test_recall_of_attributes_of_an_audit_that_has_none_is_refused():
    of_sets = SimpleNamespace(
        attributes=("cat", "dog"), methods=("grad_cam",), masks=(), one_of={"pet": ("cat", "dog")},
        manifest=SimpleNamespace(yes_or_no=(), large_sets=(), cells=None),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"none was audited; of a set write pet\.worst_class_coverage"):
        parse_rule("set_recall@crc>=0.8", of_sets)


def test_without_a_study_it_is_insufficient_with_advice():
    for summary, reason in (({}, "'bincam sets AUDIT --calibrate half' makes one"), ({"reason": "older"}, "older")):
        (found,) = judged("minority_coverage>=0.8", SUMMARY | {"label_sets": summary}).values()
        assert (found.attribute, found.verdict) == ("all", "insufficient")
        assert reason in found.reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("overall.coverage>=0.8", "no mean over attributes"),
        ("dog.minority_coverage>=0.8", "is an output of set 'pet' and has no minority_coverage"),
        ("pet.set_recall>=0.8", "set_recall is of yes-or-no attributes; of a set write pet.worst_class_coverage"),
        ("coverage@lacs>=0.8", "coverage is of sets by lac, class_conditional, average_k, aps, raps, got 'lacs'"),
        ("set_recall@lac>=0.8", "set_recall is of sets by global, per_attribute, crc, got 'lac'"),
        ("minority_coverge>=0.8", "did you mean 'minority_coverage'"),
    ],
)
def test_what_has_no_such_sets_is_refused(text, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        parse_rule(text, AUDIT)


def test_a_damaged_study_is_insufficient():
    broken = {"label_sets": {"summary": {**SUMMARY["label_sets"]["summary"], "attributes": None}}}
    found = label_set_figure(SUMMARY | broken, "set_recall", "primary", "Bald")
    assert found["too_few"]
