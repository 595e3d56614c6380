"""SARIF: the members that the standard requires, and names of any kind."""

import json
import re
from dataclasses import replace

import pytest

from bincam.audit.gate.judgements import Judgement
from bincam.audit.gate.output.sarif import message, sarif, uri
from bincam.audit.gate.rules import Rule, read_rules
from bincam.stats.estimate import estimate, undefined
from tests.audit.gate.test_groups import simple
from tests.audit.gate.test_rules import ODD

RULE = Rule("minority_error<=0.2", "minority_error", None, "all", "<=", 0.2)
FOUND = estimate(0.31, 0.24, 0.39, 150, 60, "wilson")


def judgements():
    return [
        Judgement(RULE, "Bald", "fail", FOUND, "the whole interval breaks <= 0.2"),
        Judgement(RULE, "Young", "pass", FOUND, ""),
        Judgement(replace(RULE, text="auroc>=0.5", measure="auroc"), "Bald", "error", undefined("", 9), "undefined"),
        Judgement(replace(RULE, file="a b/rules.yaml", line=3), "Hat", "insufficient", FOUND, "too few"),
    ]


def check(document):
    """Hold a document to what SARIF 2.1.0 requires of the members that are written (sections 3.13 to 3.58)."""
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-2.1.0.json")
    for run in document["runs"]:
        driver = run["tool"]["driver"]
        assert driver["name"]
        ids = [rule["id"] for rule in driver["rules"]]
        assert len(set(ids)) == len(ids)
        assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
        assert all(isinstance(one["executionSuccessful"], bool) for one in run["invocations"])
        for result in run["results"]:
            assert result["message"]["text"]
            assert result["kind"] == "fail"  # any other kind has no level
            assert result["level"] in ("none", "note", "warning", "error")
            assert ids[result["ruleIndex"]] == result["ruleId"]
            for location in result["locations"]:
                physical = location["physicalLocation"]
                assert re.fullmatch(r"[A-Za-z0-9/._~%:-]+", physical["artifactLocation"]["uri"])
                assert physical.get("region", {"startLine": 1})["startLine"] >= 1
                assert all(one["name"] for one in location["logicalLocations"])
    return document["runs"][0]


def test_a_result_for_each_judgement_that_is_no_pass():
    run = check(json.loads(sarif(judgements(), "audits/one")))
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["minority_error<=0.2", "auroc>=0.5"]
    assert run["invocations"][0]["exitCode"] == 1
    assert run["properties"]["verdicts"] == {"fail": 1, "pass": 1, "error": 1, "insufficient": 1}
    first, _, third = (result["locations"][0]["physicalLocation"] for result in run["results"])
    assert first == {"artifactLocation": {"uri": "audits/one/summary.json"}}
    assert third == {"artifactLocation": {"uri": "a%20b/rules.yaml"}, "region": {"startLine": 3}}
    text = run["results"][0]["message"]["text"]
    assert text.startswith("Bald: minority_error<=0.2: broken: the whole interval breaks <= 0.2")
    assert "0.31 [0.24, 0.39] (150 images of 60 people)" in text


def test_insufficient_evidence_that_is_allowed_is_a_note():
    allowed = [one for one in judgements() if one.verdict in ("pass", "insufficient")]
    run = check(json.loads(sarif(allowed, "audits/one", allow_insufficient=True)))
    assert [result["level"] for result in run["results"]] == ["note"]
    assert run["invocations"][0]["exitCode"] == 0


def test_rules_of_a_file_are_located_at_their_lines(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(
        "# two\nrules:\n  - minority_error@Male:negative<=0.2\n\n  - >-\n    gap(minority_error,\n    Male)<=0.1\n"
    )
    rules = read_rules(file, simple())
    assert [(rule.line, rule.file) for rule in rules] == [(3, str(file)), (5, str(file))]
    file.write_text("rules: [error<=1]\nrules: [error<=1, error<=0.5]\n")
    assert [rule.line for rule in read_rules(file, simple())] == [2, 2]


@pytest.mark.parametrize("name", [*ODD, "{0}", "a" * 5000])
def test_it_holds_any_name(name):
    rule = replace(RULE, text=f"{name}.error<=0.2", file=f"/srv/{name[:50]}.yaml".replace("\0", ""), line=1)
    text = sarif([Judgement(rule, name, "fail", FOUND, f"because of {name}")], name)
    text.encode("ascii")
    run = check(json.loads(text))
    (result,) = run["results"]
    shown = result["message"]["text"]
    assert len(shown) <= 3000
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", shown)
    assert not re.search(r"(?<!\\)\[[^\]]*\]\(", shown)  # no link
    assert not re.search(r"(?<!\{)\{(?!\{)", shown)  # no placeholder
    other = replace(rule, text=f"{name}.error<=0.3")
    pair = json.loads(sarif([Judgement(one, "x", "fail", FOUND, "r") for one in (rule, other)], "a"))
    assert len({one["id"] for one in check(pair)["tool"]["driver"]["rules"]}) == 2


def test_messages_and_uris():
    assert message("see [0.1, 0.2] (3 images)") == "see [0.1, 0.2] (3 images)"  # an interval is no link
    assert message("[x](javascript:y) {0}") == "\\[x](javascript:y) {{0}}"
    assert uri("/a/ä.yaml") == "file:///a/%C3%A4.yaml"
