"""Rules on maps as such: of methods and of attributes, with what cannot be told, and older audits."""

from types import SimpleNamespace

import pytest

from bincam.audit.gate.judgements import judge, passed
from bincam.audit.gate.maps import not_passed
from bincam.audit.gate.rules import Rule, parse_rule
from bincam.errors import InputError
from bincam.stats.estimate import estimate, undefined


def figure(value, low, high, images=60):
    return estimate(value, low, high, images, None, "t, skewness").to_json()


NOTHING = undefined("not computed", 60).to_json()
GATES = {
    "grad_cam": {
        "verdict": "pass",
        "reason": "",
        "excess": figure(0.01, -0.01, 0.03),
        "variance_left": figure(0.6, 0.5, 0.7),
    },
    "blob": {
        "verdict": "fail",
        "reason": "the same map for every image",
        "excess": NOTHING,
        "variance_left": figure(0.01, 0.005, 0.02),
    },
    "odd": {
        "verdict": "cannot tell",
        "reason": "the grid has 4 cells",
        "excess": NOTHING,
        "variance_left": figure(0.6, 0.5, 0.7),
    },
}
SPECIFICITY = {
    "reason": "",
    "attributes": {
        "Bald": {
            "own_share": figure(0.4, 0.3, 0.5),
            "share": {"verdict": "pass", "reason": "", "excess": figure(0.35, 0.25, 0.45)},
            "region": {"verdict": "pass", "reason": "", "excess": figure(0.2, 0.1, 0.3)},
        },
        "Young": {
            "own_share": figure(0.01, 0.0, 0.02),
            "share": {"verdict": "fail", "reason": "", "excess": figure(0.0, -0.01, 0.01)},
            "region": {"verdict": "cannot tell", "reason": "2 attributes to compare with", "excess": NOTHING},
        },
    },
}
SUMMARY = {"methods": ["grad_cam"], "attributes": {}, "gates": GATES, "specificity": SPECIFICITY}
AUDIT = SimpleNamespace(
    attributes=("Bald", "Young"), methods=("grad_cam",), masks=(), sample={"gates": GATES}, specificity=SPECIFICITY
)


def judged(text):
    return {one.attribute: one for one in judge(SUMMARY, [parse_rule(text, AUDIT)])}


def test_methods():
    found = judged("randomisation_excess <= 0.05")
    assert {name: one.verdict for name, one in found.items()} == {
        "grad_cam": "pass",
        "blob": "error",
        "odd": "insufficient",
    }
    assert found["blob"].reason == "the same map for every image"
    assert not passed([found["blob"]], allow_insufficient=True)
    assert passed([found["odd"]], allow_insufficient=True)
    assert judged("blob.variance_left>=0.05")["blob"].verdict == "fail"
    (only,) = judged("grad_cam.randomisation_excess<=0.02").values()
    assert (only.verdict, only.reason) == ("insufficient", "the interval contains 0.02")


def test_attributes():
    assert {n: one.verdict for n, one in judged("own_share>=0.1").items()} == {"Bald": "pass", "Young": "fail"}
    assert judged("Bald.own_share_gain>=0.05")["Bald"].verdict == "pass"
    young = judged("Young.own_region_gain>=0.05")["Young"]
    assert (young.verdict, young.reason) == ("insufficient", "2 attributes to compare with")


def test_what_is_not_there_is_refused():
    def refused(text, match, **changes):
        with pytest.raises(InputError, match=match):
            parse_rule(text, SimpleNamespace(**{**vars(AUDIT), **changes}))

    refused("grad_kam.randomisation_excess<=0.1", "is of a method, and 'grad_kam' is none; did you mean 'grad_cam'")
    refused("Bold.own_share>=0.1", "is of an attribute")
    refused("own_share>=0.1", "of an earlier version", specificity={})
    refused("own_share>=0.1", "one attribute", specificity={"attributes": {}, "reason": "one attribute: ..."})
    refused("variance_left>=0.1", "--gate-images", sample={})
    refused("variance_left>=0.1", "in another way", sample={"gates": {"grad_cam": {"passed": True}}})
    refused("own_shar>=0.1", "did you mean 'own_share'")


FAILED = {"grad_cam": {"verdict": "fail", "passed": False, "reason": "the same map for every image"}}
NOT_OF_MAPS = (
    *("minority_error", "gap(minority_error)", "person_error", "ece", "sensitivity", "equalised_odds_difference"),
    *("coverage", "bias_share", "zero.bias_share", "floor.empty", "own_share", "randomisation_excess", "variance_left"),
)


@pytest.mark.parametrize(
    ("measure", "method"),
    [
        ("gain", "grad_cam"),
        ("grad_cam.energy", "grad_cam"),
        ("hirescam@pre_activation.gain", "hirescam@pre_activation"),
        ("gap(gain)", "grad_cam"),
        ("object_gain", "grad_cam"),
        ("box_accuracy", "grad_cam"),
        ("cell_auroc", "grad_cam"),
        ("cells.midpoint_auroc_gain", "grad_cam"),
        *[(name, "") for name in NOT_OF_MAPS],
    ],
)  # fmt: skip
def test_only_what_is_made_of_maps_falls_with_their_test(measure, method):
    methods = ["grad_cam", "hirescam@pre_activation"]
    failed = {name: {**FAILED["grad_cam"]} for name in methods}
    reason = not_passed({"methods": methods, "gates": failed}, measure)
    assert reason.startswith(f"{method} did not pass the randomisation test (the same map") if method else reason == ""
    passed = {name: {"verdict": "pass", "passed": True} for name in methods}
    assert not_passed({"methods": methods, "gates": passed}, measure) == ""
    assert ("was not put to the randomisation test" in not_passed({"methods": methods}, measure)) == bool(method)


def test_a_rule_on_maps_that_fail_is_not_decided_unless_that_is_allowed():
    gain = {"grad_cam.gain": {"all": figure(0.5, 0.4, 0.6)}}
    summary = {"methods": ["grad_cam"], "attributes": {"Bald": {"measures": gain}}, "gates": FAILED}
    rules = [Rule(text, "gain", None, "all", ">=", bound) for text, bound in (("gain>=0.1", 0.1), ("gain>=0.9", 0.9))]
    refused = judge(summary, rules)
    assert [one.verdict for one in refused] == ["insufficient", "insufficient"]
    assert all("the same map for every image" in one.reason for one in refused)
    assert [one.verdict for one in judge(summary, rules, allow_untested=True)] == ["pass", "fail"]
