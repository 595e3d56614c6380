"""Tables of stated rates, of differences between groups and of intersections on an attribute's card."""

import pytest

from bincam.audit import open_audit
from bincam.audit.folder.writer import AuditWriter
from bincam.audit.summary.summarize import summarise
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.attributes.slices import slice_table
from bincam.report.sections.attributes.stated import group_difference_table, stated_table
from tests.audit.synthetic import make_audit


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    folder = make_audit(tmp_path_factory.mktemp("audits") / "one", images=300, methods=("grad_cam",), masks=())
    audit = open_audit(folder)
    summary = summarise(audit, resamples=100, slice_by=["sex", "sex*age"], specificity=(0.95, 0.999), prevalence=0.01)
    AuditWriter(folder, audit.manifest).write_summary(summary)
    return Arm("model", audit, audit.summary)


def text(row):
    return [cell.text.replace("\u202f", " ") for cell in row]


def test_rates_stand_with_their_interval_threshold_and_reason(arm):
    table = stated_table("Smiling", [arm])
    rows = [text(row) for row in table.rows]
    assert [row[:2] for row in rows] == [
        ["sensitivity", "specificity 95 %"],
        ["sensitivity", "specificity 99.9 %"],
        ["specificity", "sensitivity 95 %"],
        *([value, rows[3][1]] for value in ("positive predictive value", "negative predictive value")),
        *([value, "prevalence 1 %"] for value in ("positive predictive value", "negative predictive value")),
    ]
    assert rows[3][1].endswith("(audited)")
    assert table.rows[0][2].interval.startswith("[")
    assert rows[1][2] == "–"
    assert rows[1][-1].startswith("a specificity of 0.999 cannot be told from 1 with ")
    both = stated_table("Smiling", [arm, Arm("other", arm.audit, arm.summary)])
    assert both.heads[2] == "Model"
    assert [row[2].text for row in both.rows[:2]] == ["model", "other"]


def test_differences_stand_with_what_chance_gives(arm):
    table = group_difference_table("Smiling", [arm])
    odds, parity, crossed, _ = (text(row) for row in table.rows)
    assert odds[:2] == ["sex", "equalised odds"]
    assert crossed[:2] == ["sex × age", "equalised odds"]
    assert parity[1] == "demographic parity"
    assert "points" in odds[2]
    assert odds[3].count("%") == 2
    assert (odds[4] != "–", parity[4]) == (True, "–")
    assert "true-positive rate" in odds[5]
    assert "by chance" in table.caption
    rare = [text(row) for row in group_difference_table("Bald", [arm]).rows[2:]]
    assert rare[0][2] == "–"
    assert rare[0][5].endswith("enough positives and negatives to compare")
    assert "too few positives: " in rare[0][6]


def test_cells_of_an_intersection_show_their_number_of_images(arm):
    table = slice_table("Smiling", [arm])
    assert table.heads[:2] == ["Group", "Images"]
    crossed = [row for row in table.rows if row[0].text.startswith("sex × age")]
    assert {row[0].text for row in crossed} == {
        f"sex × age: {sex} × {age}" for sex in ("female", "male") for age in ("old", "young")
    }
    assert sum(int(row[1].text) for row in crossed) > 250


def test_summaries_of_earlier_versions_have_no_such_tables(arm):
    entry = {key: value for key, value in arm.summary["attributes"]["Smiling"].items() if key != "stated"}
    former = {**arm.summary, "attributes": {"Smiling": entry}}
    del former["group_differences"]
    assert stated_table("Smiling", [Arm("model", arm.audit, former)]) is None
    assert group_difference_table("Smiling", [Arm("model", arm.audit, former)]) is None
