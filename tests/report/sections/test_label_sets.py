"""The page's section on label sets: shown where a study rests on the audit, and what it says."""

import json
import re

import pytest

from bincam.audit import open_audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.summary.summarize import summarise
from bincam.report import write_report
from bincam.studies.folder import study_folder
from bincam.studies.sets.settings import SetsSettings
from bincam.studies.sets.study import run_sets
from tests.folders import restate_summary
from tests.report.accessibility import faults
from tests.studies.sets.made import drawn_heads, drawn_set, write_made

OUTPUTS = ("cat", "dog", "fox")


def summarised(audit):
    AuditWriter(audit.folder, audit.manifest).write_summary(summarise(audit, resamples=50))
    return open_audit(audit.folder)


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    heads, of_set = drawn_heads(600, [0.1, 0.5]), drawn_set(600, [0.6, 0.3, 0.1])
    folder = tmp_path_factory.mktemp("made") / "audit"
    return summarised(write_made(folder, names=("Bald", "Even"), outputs=OUTPUTS, **{**of_set, **heads}))


def page_of(audit, folder):
    return write_report(audit.folder, folder / "report.html").read_text()


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.replace("\u202f", " ")))


def test_the_page_says_whom_sets_leave_out(audit, tmp_path):
    study = run_sets(audit, SetsSettings(free=1))
    page = page_of(audit, tmp_path)
    said = words(page)
    assert '<a href="#label-sets">' in page
    assert faults(page) == []
    assert "Which answers does the score leave open?" in said
    assert "on average over 2 attributes and 1 set; largest difference: Bald" in said
    assert "so its coverage looks lower than it is" in said
    for subject in ("Bald", "Even", "pet"):
        assert f'id="label-sets-{subject}"' in page
    assert page.count("coverage against the mean number of answers") == 3
    assert "One λ for all keeps as many labels as are true" in said
    entry = study.summary["subjects"]["Bald"]["rules"]["lac"]
    assert f"{100 * entry['minority_coverage']['value']:.0f} %" in said
    assert "the model cannot say for" in said
    assert "top-K" in said


def test_a_study_of_other_measurements_is_not_shown_and_it_is_told(audit, tmp_path):
    study = study_folder(audit, "sets") / "study.json"
    content = json.loads(study.read_text())
    study.write_text(json.dumps(content | {"audit": "0" * 64}))
    try:
        page = page_of(audit, tmp_path)
    finally:
        study.write_text(json.dumps(content))
    assert 'id="label-sets"' not in page
    assert "is not shown:" in page
    assert "rests on other measurements" in page


def test_without_a_study_there_is_no_section(audit, tmp_path):
    folder = study_folder(audit, "sets")
    folder.rename(folder.with_name("elsewhere"))
    try:
        page = page_of(audit, tmp_path)
    finally:
        folder.with_name("elsewhere").rename(folder)
    assert 'id="label-sets"' not in page
    assert "is not shown:" not in page


def test_subjects_without_rules_have_a_card_and_a_damaged_study_is_told(tmp_path):
    made = drawn_heads(200, [0.3, 0.5])
    made["logits"][:, 0] = float("nan")
    audit = summarised(write_made(tmp_path / "audit", names=("Bald", "Even"), **made))
    study = run_sets(audit)
    said = words(page_of(audit, tmp_path))
    assert "Bald, LAC: left out, because 0 images to calibrate on" in said
    restate_summary(study.folder, "sets", subjects=[])
    assert "&#39;subjects&#39; is missing or damaged" in page_of(audit, tmp_path)


def test_too_few_of_a_minority_are_told_on_the_first_screen(tmp_path):
    audit = summarised(write_made(tmp_path / "audit", outputs=OUTPUTS, **drawn_set(300, [0.6, 0.39, 0.01])))
    run_sets(audit, SetsSettings(free=1, methods=("lac",)))
    said = words(page_of(audit, tmp_path))
    assert "Label sets of the model by LAC hold the true answer for" in said
    assert "(pet); of the minority there are too few images to say." in said
