"""The section on the zoom study: what it says, what it draws, and studies that are told and not shown."""

from __future__ import annotations

import json
import shutil

import pytest

from bincam.audit import open_audit
from bincam.report import write_report
from bincam.report.figures.audited.zoom import (
    SMALLEST,
    AnchorMap,
    ScaleCurve,
    anchor_maps,
    deviation_limit,
    scale_curves,
)
from bincam.report.html.page import build, open_source
from bincam.report.sections.zoom import examples, sentences
from bincam.report.sections.zoom.examples import TITLES
from bincam.report.sections.zoom.studied import zoom_note
from bincam.stats.estimate import Estimate, estimate, undefined
from bincam.studies.zoom import Subject, run_zoom
from bincam.studies.zoom.rescuing_maps import RECORD
from tests.report.accessibility import faults
from tests.studies.zoom import planted


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """An audit with a study; the square is seen only where it is enlarged."""
    folder = tmp_path_factory.mktemp("report")
    audit, model, table = planted.audited(folder, side=5)
    run_zoom(Subject.of_audit(audit, model, table), planted.plan())
    return audit.folder


@pytest.fixture
def copy(studied, tmp_path):
    return shutil.copytree(studied, tmp_path / "audit")


def test_the_section_says_what_the_oracle_is_worth(studied, tmp_path):
    page = build(open_source(studied), tmp_path / "report.html")
    assert page.zoom is not None
    (finding,) = page.zoom.findings
    assert finding in page.findings
    assert "The answer to Object depends on scale and place in 33\u202f%" in finding
    oracle, _ = page.zoom.tables
    assert "Some view wrong: at least one view gives the wrong answer." in oracle.caption
    words = dict(zip(oracle.heads, [cell.text for cell in oracle.rows[0]], strict=True))
    assert words["own crop"] == "67\u202f%"
    assert words["some view right"] == "100\u202f%"
    (card,) = page.zoom.cards
    assert any("Views centred upper left differ most" in sentence for sentence in card.sentences)
    assert len(card.charts) == 2
    assert [title for title, _ in card.examples] == list(TITLES)
    example = card.examples[0][1]
    assert example.photograph is not None
    assert example.maps[0] is not None
    assert example.maps[0].source != example.photograph.source
    assert example.caption.endswith("taken for no")
    assert example.verdicts == [
        "S = 64, upper left: yes; right in 10\u202f% of the views",
        "evidence for “yes” in this view",
    ]
    texts = [example.photograph.alt, *(picture.alt for picture in example.maps)]
    assert texts[0] == f"Object in {texts[0].split()[2]} the model's own crop, taken for no although it is yes"
    assert texts[1].endswith(": the view S = 64, upper left, taken for yes, which is right")
    assert "evidence in the view S = 64, upper left, taken for yes, which is right: strongest for “yes” " in texts[2]
    assert (float(card.limit) > 0, card.unit) == (True, "logit")


def test_maps_of_one_question_share_one_scale_about_zero(studied, tmp_path, monkeypatch):
    drawn = []
    real = examples.overlay

    def overlay(grey, grid, limit):
        drawn.append((grid, limit))
        return real(grey, grid, limit)

    monkeypatch.setattr(examples, "overlay", overlay)
    build(open_source(studied), tmp_path / "report.html")
    peak = max(abs(grid).max() for grid, _ in drawn)
    assert len(drawn) == 3
    assert {limit for _, limit in drawn} == {peak}


@pytest.mark.filterwarnings("ignore:.*of an earlier bincam:bincam.errors.BincamWarning")
def test_views_without_maps_say_why(copy, tmp_path):
    summary = copy / "studies" / "zoom" / "summary.json"
    stated = json.loads(summary.read_text())
    del stated["seal"]  # as of the version that kept no maps
    summary.write_text(json.dumps(stated))
    (copy / "studies" / "zoom" / RECORD).unlink()
    part = build(open_source(copy), tmp_path / "older.html").zoom
    assert part.rule.endswith(f"are not stored; 'bincam zoom {copy} --resume' adds them.")
    (card,) = part.cards
    assert card.limit == ""
    assert [len(example.maps) for _, example in card.examples] == [1, 1, 1]
    (copy / "studies" / "zoom" / RECORD).write_text("{")
    assert "These views have no maps: " in build(open_source(copy), tmp_path / "broken.html").zoom.rule


def test_the_page_is_whole_and_hides_faces(studied, tmp_path):
    plain = write_report(studied, tmp_path / "plain.html").read_text(encoding="utf-8")
    assert 'href="#zoom"' in plain
    assert faults(plain) == []
    assert "Would another framing have seen it?" in plain
    hidden = build(open_source(studied), tmp_path / "hidden.html", hide_faces=True)
    shown = build(open_source(studied), tmp_path / "shown.html")
    assert hidden.zoom is not None
    assert shown.zoom is not None
    for one, other in zip(hidden.zoom.cards[0].examples, shown.zoom.cards[0].examples, strict=True):
        assert one[1].maps[0].source != other[1].maps[0].source


def test_a_study_of_other_measurements_is_told_and_not_shown(copy, tmp_path):
    stated = json.loads((copy / "studies" / "zoom" / "study.json").read_text())
    (copy / "studies" / "zoom" / "study.json").write_text(json.dumps(stated | {"audit": "another"}))
    page = build(open_source(copy), tmp_path / "report.html")
    assert page.zoom is None
    assert not any("depends on scale" in finding for finding in page.findings)
    (note,) = [note for note in page.notes if "zoom" in note]
    assert note.startswith("The zoom study is not shown: ")
    assert "rests on other measurements than the audit's" in note


def test_an_unfinished_study_is_told_and_none_is_silent(copy, tmp_path):
    (copy / "studies" / "zoom" / "summary.json").unlink()
    assert "is unfinished; finish it with 'bincam zoom --resume'" in zoom_note(open_audit(copy))
    shutil.rmtree(copy / "studies")
    assert zoom_note(open_audit(copy)) == ""
    assert build(open_source(copy), tmp_path / "report.html").zoom is None


def test_photographs_that_are_gone_leave_numbers(studied, tmp_path):
    pictures = studied.parent / "pictures"
    pictures.rename(tmp_path / "away")
    try:
        page = build(open_source(studied), tmp_path / "report.html")
    finally:
        (tmp_path / "away").rename(pictures)
    assert page.zoom is not None
    (_, example), *_ = page.zoom.cards[0].examples
    assert (example.photograph, example.maps[0]) == (None, None)
    assert example.maps[1] is not None  # on plain grey
    assert example.verdicts[0].startswith("S = 64, upper left: yes")


def test_nothing_is_found_in_nothing():
    few = {"sensitivity": {"all": undefined("wilson").to_json()}, "oracles": {"right": undefined("wilson").to_json()}}
    summary = {"questions": {"Bald": few}, "plan": {"views": 54}}
    assert "undefined: too few images" in sentences.finding(summary)
    one = estimate(1.0, 0.2, 1.0, 1, None, "wilson").to_json()
    few = {"sensitivity": {"all": one}, "oracles": {"right": one}}
    assert "too few images" in sentences.finding({"questions": {"Bald": few}, "plan": {"views": 54}})


def rows(values, width=0.02):
    return [[Estimate(v, v - width, v + width, 90, None, "ok", "t") for v in row] for row in values]


def test_maps_share_one_scale_about_zero():
    pale = AnchorMap("one", rows([[0.5] * 3] * 3), rows([[0.01] * 3] * 3))
    strong = AnchorMap("two", rows([[0.5] * 3] * 3), rows([[0.2, 0, -0.3], [0] * 3, [0] * 3]))
    assert deviation_limit([pale]) == SMALLEST
    limit = deviation_limit([pale, strong])
    assert limit == 0.3
    figure = anchor_maps([pale, strong], limit)
    meshes = [axes.collections[0] for axes in figure.axes if axes.get_title(loc="left")]
    assert [mesh.get_clim() for mesh in meshes] == [(-30, 30)] * 2
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["50\u202f%\n+1.0\n[−1.0, +3.0]"] * 9
    empty = AnchorMap("none", [[undefined("t")] * 3] * 3, [[undefined("t")] * 3] * 3)
    blank = anchor_maps([empty], SMALLEST)
    assert blank.axes[0].collections


def test_curves_have_the_scales_as_ticks():
    few = [Estimate(v, v - 0.1, v + 0.1, 90, None, "ok", "t") for v in (0.2, 0.6, 0.4)]
    figure = scale_curves([ScaleCurve("all anchors", (128, 256, 640), few)], own_crop=few[0], input_size=224)
    (axes,) = figure.axes
    assert axes.get_xticks().tolist() == [128, 256, 640]
    assert axes.lines[0].get_ydata().tolist() == [20, 60, 40]
    single = scale_curves([ScaleCurve("all anchors", (256,), few[:1])], own_crop=undefined("t"), input_size=224)
    assert single.axes[0].get_xticks().tolist() == [256]


def test_questions_that_depend_alike_are_counted():
    def entry(value):
        share = estimate(value, value - 0.1, min(value + 0.1, 1.0), 50, None, "wilson").to_json()
        return {"sensitivity": {"all": share}, "oracles": {"right": share, "null": share}}

    plan = {"views": 9}
    alone = sentences.finding({"plan": plan, "questions": {"a": entry(0.5), "b": entry(0.25)}})
    assert "of the images, the most of 2 questions: at least" in alone
    alike = sentences.finding({"plan": plan, "questions": {"a": entry(0.5), "b": entry(0.5), "c": entry(0.5)}})
    assert "of the images, the most of 3 questions (2 others likewise): at least" in alike
