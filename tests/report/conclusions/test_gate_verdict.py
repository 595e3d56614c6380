"""The verdict of a gate in plain words, rule by rule."""

from bincam.audit.gate.judgements import Judgement
from bincam.audit.gate.maps import not_passed
from bincam.audit.gate.rules import Rule
from bincam.report.conclusions.gate_verdict import gate_verdict
from bincam.stats.estimate import estimate, undefined

ERROR = Rule("minority_error<=0.2", "minority_error", None, "all", "<=", 0.2)
GAIN = Rule("gain>=0.1", "gain", None, "all", ">=", 0.1)
RATE = estimate(0.31, 0.24, 0.39, 150, 60, "wilson")


def judgement(verdict, rule=ERROR, name="Bald", figure=RATE, reason=""):
    return Judgement(rule, name, verdict, figure, reason)


def texts(*judged, open_=False):
    return [one.text for one in gate_verdict(judged, open_=open_)]


def test_an_open_gate_is_one_sentence():
    assert texts(judgement("pass"), judgement("pass"), open_=True) == ["The gate is open: all 2 checks pass."]
    assert texts(judgement("pass"), open_=True) == ["The gate is open: the only check passes."]
    allowed = texts(judgement("pass"), judgement("insufficient"), open_=True)
    assert allowed[0] == "The gate is open: of 2 checks 1 lacks evidence, which was allowed."


def test_a_broken_rule_is_told_as_a_frequency_and_the_worst_first():
    mild = judgement("fail", name="Young", figure=estimate(0.25, 0.21, 0.29, 150, 60, "wilson"))
    low = judgement("fail", GAIN, "Hat", estimate(0.02, -0.01, 0.05, 150, 60, "t"))
    found = texts(mild, judgement("fail"), low, judgement("pass"))
    assert found == [
        "The gate is closed: of 4 checks 3 fail.",
        "Bald: minority error in 31 of 100 cases, where at most 20 are allowed.",
        "Hat: gain is 0.02, where at least 0.1 is asked for.",
        "Young: minority error in 25 of 100 cases, where at most 20 are allowed.",
    ]
    assert texts(*[judgement("fail")] * 5)[-1] == "2 more break theirs, see below."


def test_the_reasons_of_undecided_rules_are_counted_apart():
    gates = {"cam": {"verdict": "fail", "passed": False, "reason": "the same map for every image"}}
    doubt = not_passed({"methods": ["cam"], "gates": gates}, "gain")
    found = texts(
        judgement("insufficient", GAIN, reason=doubt),
        judgement("insufficient", figure=estimate(0.1, 0.0, 0.4, 8, 3, "wilson"), reason="too few: 8 images"),
        judgement("insufficient", reason="the interval contains 0.2"),
        judgement("error", figure=undefined("wilson", 10), reason="undefined on all of 10 images"),
    )
    assert found == [
        "The gate is closed: of 4 checks 1 is undefined and 3 lack evidence.",
        "3 checks could not be decided: 1 because of maps that did not pass the sanity test, 1 because of too few "
        "images or people and 1 because the interval reaches to both sides of the bound.",
    ]
