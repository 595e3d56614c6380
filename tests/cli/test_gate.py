import json
from xml.etree import ElementTree as ET

import pytest

from bincam.audit import open_audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.summary.summarize import summarise
from tests.audit.synthetic import make_audit


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    folder = make_audit(tmp_path_factory.mktemp("audits") / "one", images=200)
    opened = open_audit(folder)
    AuditWriter(folder, opened.manifest).write_summary(summarise(opened, resamples=100))
    return folder


def test_a_gate_that_opens_exits_0_and_writes_what_was_asked_for(command, audit, tmp_path):
    outcome = command(
        "gate", audit, "--rule", "error<=0.5", "--markdown", tmp_path / "gate.md", "--junit", tmp_path / "gate.xml"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("# Gate open")
    assert "6 checks: 6 pass." in outcome.out
    assert (tmp_path / "gate.md").read_text() == outcome.out
    assert ET.parse(tmp_path / "gate.xml").getroot().get("tests") == "6"


def test_a_gate_that_stays_closed_exits_1(command, audit):
    outcome = command("gate", audit, "--rule", "No_Beard.minority_error<=0.01", "--json")
    assert outcome.code == 1
    found = json.loads(outcome.out)
    assert found["open"] is False
    assert found["counts"]["fail"] == 1
    assert found["checks"][0]["attribute"] == "No_Beard"


def test_too_little_evidence_passes_only_where_allowed(command, audit, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - Wearing_Hat.gain@outcome:TP>=0.3\n")
    assert command("gate", audit, "--rules", rules).code == 1
    assert command("gate", audit, "--rules", rules, "--allow-insufficient").code == 0


def test_mistakes_are_told_before_anything_is_judged(command, audit, tmp_path):
    assert "did you mean 'gain'" in command("gate", audit, "--rule", "error<=1", "--rule", "gian>=0").mistake
    assert "no rules" in command("gate", audit).mistake
    assert "no such folder" in command("gate", tmp_path / "none", "--rule", "error<=1").mistake
    (tmp_path / "file").mkdir()
    assert "it is a folder" in command("gate", audit, "--rule", "error<=1", "--junit", tmp_path / "file").mistake
