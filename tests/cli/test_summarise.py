"""Summaries made again, and the rules that ask for what a summary lacks: their advice is followed."""

import json
import re
import shlex

import pytest

from bincam.audit import open_audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.summary.summarize import summarise
from tests.audit.synthetic import make_audit


@pytest.fixture
def audit(tmp_path):
    folder = make_audit(tmp_path / "one", images=400, attributes=("Smiling", "Young"), prevalence=(0.5, 0.8), masks=())
    opened = open_audit(folder)
    AuditWriter(folder, opened.manifest).write_summary(summarise(opened, resamples=100))
    return folder


def test_a_summary_is_made_again_at_other_rates_and_groups(command, audit):
    before = open_audit(audit).summary
    outcome = command(
        "summarise", audit, "--specificity", "0.9,0.8", "--prevalence", "Smiling=0.01,0.1", "--slice-by", "sex*age",
        "--sensitivity", "", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    after = open_audit(audit).summary
    assert json.loads(outcome.out)["stated"] == after["stated"]
    assert after["stated"] == {"specificity": [0.9, 0.8], "sensitivity": [], "prevalence": {"Smiling": [0.01, 0.1]}}
    assert {entry["column"] for entry in after["slices"]} == {"group.sex*group.age"}
    for name, entry in after["attributes"].items():
        assert entry["rates"]["auroc"]["value"] == before["attributes"][name]["rates"]["auroc"]["value"]
    plain = command("summarise", audit)
    assert plain.out.startswith("399 images, 2 attributes: ")
    assert open_audit(audit).summary["stated"] == before["stated"]  # what is not given is the audit's


@pytest.mark.parametrize(
    "rule",
    [
        "sensitivity@specificity=0.9>=0.1",
        "Smiling.specificity@sensitivity=0.8>=0.1",
        "Smiling.ppv@prevalence=0.3>=0.1",
        "Young.equalised_odds_difference@sex*age<=0.9",
    ],
)
def test_the_advice_of_a_rule_that_the_summary_cannot_answer_is_followed(command, audit, rule):
    assert command("summarise", audit, "--slice-by", "sex", "--prevalence", "Smiling=0.5").code == 0
    mistake = command("gate", audit, "--rule", rule).mistake
    advice = shlex.split(re.search("'(bincam summarise AUDIT .*)'", mistake)[1].replace("\\'", "'"))
    assert command(*[str(audit) if word == "AUDIT" else word for word in advice[1:]]).code == 0
    outcome = command("gate", audit, "--rule", rule)
    assert outcome.code == 0, outcome
    summary = open_audit(audit).summary
    assert 0.95 in summary["stated"]["specificity"]  # the advice keeps what was stated before
    if "prevalence" in rule:
        assert summary["stated"]["prevalence"]["Smiling"] == [0.5, 0.3]
    if "odds" in rule:
        assert {entry["column"] for entry in summary["slices"]} == {"group.sex", "group.sex*group.age"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--specificity", "95"], "specificity: got 95, expected a number between 0 and 1, such as 0.95 for 95 %"),
        (["--specificity", "high"], "--specificity high: expected a finite number"),
        (["--prevalence", "0.1", "--prevalence", "Smiling=0.2"], "not both"),
        (["--prevalence", "Smilin=0.2"], "'Smilin' is not audited; did you mean 'Smiling'"),
        (["--slice-by", "sex*agee"], "did you mean 'age'"),
    ],
)
def test_mistakes_are_one_line_and_leave_the_summary(command, audit, words, message):
    before = (audit / "summary.json").read_bytes()
    assert message in command("summarise", audit, *words).mistake
    assert (audit / "summary.json").read_bytes() == before
