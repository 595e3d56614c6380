"""Rules of measures that are stated at something, or compare the groups of a column."""

from types import SimpleNamespace

import pytest

from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.errors import InputError

AUDIT = SimpleNamespace(attributes=("Smiling", "Male"), methods=("grad_cam",), masks=())


def figure(value, low, high, status="ok", **more):
    return {"value": value, "low": low, "high": high, "images": 100, "identities": None, "status": status, **more}


def summary():
    stated = [
        {"measure": "sensitivity", "at": "specificity", "stated": 0.95, **figure(0.9, 0.85, 0.94)},
        {"measure": "sensitivity", "at": "specificity", "stated": 0.99}
        | figure(None, None, None, "undefined", reason="cannot be told from 1", too_few=True),
        {"measure": "sensitivity", "at": "specificity", "stated": 0.98}
        | figure(None, None, None, "undefined", reason="share the highest score", too_few=False),
        {"measure": "sensitivity", "at": "specificity", "stated": 0.97}
        | figure(0.8, 0.7, 0.9, "small", reason="are few for a specificity of 0.97"),
        {"measure": "ppv", "at": "prevalence", "stated": "audited", **figure(0.7, 0.6, 0.8)},
        {"measure": "ppv", "at": "prevalence", "stated": 0.01, **figure(0.1, 0.05, 0.2)},
    ]
    differences = [
        {"attribute": attribute, "measure": "equalised_odds_difference", **column, **figure(0.05, 0.0, 0.12)}
        for attribute, column in (
            ("Smiling", {"column": "group.sex"}),
            ("Male", {"column": "group.sex"}),
            ("Smiling", {"column": "Male"}),
            ("Smiling", {"column": "Male*group.age", "columns": ["Male", "group.age"]}),
        )
    ]
    entry = {"rates": {}, "measures": {}, "stated": stated}
    return {
        "methods": ["grad_cam"],
        "attributes": {"Smiling": entry, "Male": entry},
        "group_differences": differences,
        "stated": {"specificity": [0.95], "sensitivity": [], "prevalence": {}},
    }


@pytest.mark.parametrize(
    ("text", "attribute", "measure", "condition", "bound"),
    [
        ("sensitivity@specificity=0.95>=0.8", None, "sensitivity", "specificity=0.95", 0.8),
        ("Smiling.sensitivity @ specificity = .950 > 0.8", "Smiling", "sensitivity", "specificity=0.95", 0.8),
        ("ppv>=0.5", None, "ppv", "prevalence=audited", 0.5),
        ("npv@prevalence=audited>=0.5", None, "npv", "prevalence=audited", 0.5),
        ("ppv@prevalence=1e-2>=0.5", None, "ppv", "prevalence=0.01", 0.5),
        ("equalised_odds_difference@sex<=0.1", None, "equalised_odds_difference", "sex", 0.1),
        ("equalised_odds_difference@group.sex * age<=0.1", None, "equalised_odds_difference", "sex*age", 0.1),
    ],
)
def test_rules_are_read(text, attribute, measure, condition, bound):
    rule = parse_rule(text, AUDIT)
    assert (rule.attribute, rule.measure, rule.group, rule.bound) == (attribute, measure, condition, bound)
    assert not rule.is_rate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sensitivity>=0.8", "sensitivity is stated at a specificity: write sensitivity@specificity=0.95"),
        ("sensitivity@sensitivity=0.9>=0.8", "expected sensitivity@specificity=NUMBER"),
        ("sensitivity@0.9>=0.8", "expected sensitivity@specificity=NUMBER"),
        ("sensitivity@specificity=95>=0.8", "got 95, expected a number between 0 and 1, such as 0.95"),
        ("sensitivity@specificity=high>=0.8", "the specificity 'high' is no number"),
        ("sensitivity@specificity=audited>=0.8", "is no number"),
        ("overall.ppv>=0.5", "ppv has no mean over attributes"),
        ("equalised_odds_difference<=0.1", "write equalised_odds_difference@COLUMN"),
        ("equalized_odds_difference@sex<=0.1", "did you mean 'equalised_odds_difference'"),
        ("sensitivty@specificity=0.95>=0.8", "did you mean 'sensitivity'"),
        ("error=0.2", "is no rule"),
        ("error=<0.2", "is no rule"),
        ("coverage@>=0.5", "is no rule"),
        ("sensitivity@>=0.8", "is no rule"),
    ],
)
def test_wrong_rules_are_refused(text, message):
    with pytest.raises(InputError, match="--rule") as refused:
        parse_rule(text, AUDIT)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "verdict", "reason"),
    [
        ("Smiling.sensitivity@specificity=0.95>=0.8", "pass", ""),
        ("Smiling.sensitivity@specificity=0.95>=0.95", "fail", "breaks >= 0.95"),
        ("Smiling.sensitivity@specificity=0.99>=0.5", "insufficient", "cannot be told from 1"),
        ("Smiling.sensitivity@specificity=0.98>=0.5", "error", "share the highest score"),
        ("Smiling.sensitivity@specificity=0.97>=0.5", "insufficient", "are few for a specificity of 0.97"),
        ("Smiling.ppv>=0.5", "pass", ""),
        ("Smiling.ppv@prevalence=0.01>=0.1", "insufficient", "contains 0.1"),
        ("Smiling.equalised_odds_difference@sex<=0.2", "pass", ""),
        ("Smiling.equalised_odds_difference@Male*age<=0.1", "insufficient", "contains 0.1"),
    ],
)
def test_verdicts(text, verdict, reason):
    [judged] = judge(summary(), [parse_rule(text, AUDIT)])
    assert judged.verdict == verdict
    assert reason in judged.reason
    assert judged.to_json()["group"] == judged.rule.group


def test_a_rule_for_all_attributes_leaves_out_those_that_divide():
    for column in ("Male", "Male*age"):
        judged = judge(summary(), [parse_rule(f"equalised_odds_difference@{column}<=0.2", AUDIT)])
        assert [judgement.attribute for judgement in judged] == ["Smiling"]
    judged = judge(summary(), [parse_rule("equalised_odds_difference@sex<=0.2", AUDIT)])
    assert [judgement.attribute for judgement in judged] == ["Smiling", "Male"]
    with pytest.raises(InputError, match="an attribute is not divided by itself"):
        judge(summary(), [parse_rule("Male.equalised_odds_difference@Male<=0.2", AUDIT)])


def test_what_the_summary_lacks_is_named_with_the_command_that_adds_it():
    with pytest.raises(InputError) as refused:
        judge(summary(), [parse_rule("sensitivity@specificity=0.9>=0.8", AUDIT)])
    assert "'bincam summarise AUDIT --specificity 0.95,0.9'" in str(refused.value)
    with pytest.raises(InputError) as refused:
        judge(summary(), [parse_rule("equalised_odds_difference@sexx<=0.8", AUDIT)])
    assert "did you mean 'sex'" in str(refused.value)
