"""Cards of sets of outputs: the confusion table, the outputs, and what is taken with p below one half."""

import csv
import re
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from bincam.audit.pipeline.runner import run
from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.sets.records import read_sets
from bincam.progress import track
from bincam.report import write_report
from bincam.report.figures.audited.confusion import confusion
from bincam.report.html.page import build, open_source
from bincam.report.sections.sets.card import taken_with
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import COLOURS, audit_settings, weak_reader, write_pictures
from tests.report.accessibility import faults

pytestmark = NOTES_ALLOWED


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    table = write_pictures(folder / "pictures")
    model, settings = weak_reader(), audit_settings(batch_size=8, shard_images=16)
    changes = {"small": {}, "large": {"one_of_rows": 2}, "alone": {"attributes": ["colour"]}}
    return {name: run(model, table, folder / name, settings.replace(**change)) for name, change in changes.items()}


@pytest.fixture(scope="module")
def pages(audited):
    return {name: build(open_source(audit.folder), audit.folder / "page.html") for name, audit in audited.items()}


def test_the_card_of_a_set_has_its_table_its_outputs_and_their_maps(audited, pages):
    page, entry = pages["small"], audited["small"].summary["sets"]["colour"]
    (of_set,) = page.sets
    assert [card.name for card in page.cards] == ["Bright"]
    assert [row.name for row in page.rows] == ["Bright"]
    counts = np.array(entry["confusion"]["counts"])
    drawn = re.findall(r">(\d+)</text>", of_set.confusion.svg)
    assert all(str(count) in drawn for count in counts[counts > 0].tolist())
    assert f"{np.trace(counts)} of 40 images on the diagonal" in of_set.confusion.lines[0]
    assert [row[0].text for row in of_set.outputs.rows] == list(COLOURS)
    assert "Misses" in of_set.outputs.heads
    assert [maps.name for maps in of_set.maps] == list(COLOURS)
    assert all(maps.outline for maps in of_set.maps)
    assert "green and blue" in of_set.lead
    spoken = " ".join([of_set.lead, *of_set.sentences, of_set.outputs.caption])
    assert "minority class" not in spoken
    assert "not comparable with that of a yes-or-no attribute" in spoken
    assert any(finding.startswith("colour: the true of 3 outputs is predicted in") for finding in page.findings)


def test_outputs_taken_with_p_below_one_half_are_said_to_be(audited, pages):
    (records,) = read_sets(audited["small"], read_panel(audited["small"], []))
    probabilities = np.exp(records.scores.astype(float))
    highest = (probabilities / probabilities.sum(1, keepdims=True)).max(1)
    below = int((highest < 0.5).sum())
    assert below > 0
    (of_set,) = pages["small"].sets
    sentence = next(sentence for sentence in of_set.sentences if "p < ½" in sentence)
    assert sentence.startswith(f"In {below} images")
    assert f"taken with p = {highest.min():.2f}" in sentence
    assert all("taken with p = 0.4" in example.verdicts[0] for example in of_set.uncertain)
    assert any("wrong" in example.verdicts[0] for example in of_set.errors)
    assert all(example.verdicts[1].startswith("true: ") for example in of_set.errors)


def test_examples_of_a_long_audit_are_those_of_its_sample_which_the_page_says(audited, monkeypatch, tmp_path):
    audit = audited["small"]
    monkeypatch.setattr("bincam.audit.folder.parts.sampled.MOST", 25)
    source = open_source(audit.folder)
    (arm,) = source.arms
    panel = read_panel(arm.sample, [])
    (records,) = read_sets(arm.sample, panel)
    assert panel.rows.tolist() == arm.sample_rows.tolist()
    assert len(panel.rows) == 25
    page = build(source, tmp_path / "page.html")
    (of_set,) = page.sets
    probability = taken_with(records)
    lowest = panel.rows[np.argsort(probability, kind="stable")[: len(of_set.uncertain)]]
    assert [example.caption for example in of_set.uncertain] == audit.images["image"][lowest].tolist()
    note = "Examples and labels to check of sets of outputs are of a random sample of 25 of the 40 images."
    assert note in page.notes
    assert "Bright" in [card.name for card in page.cards]


def test_a_large_set_lists_its_confusions_and_the_maps_of_two_rows(audited, pages):
    (of_set,) = pages["large"].sets
    assert of_set.confusion is None
    assert [maps.name for maps in of_set.maps] == ["predicted", "true"]
    cells = audited["large"].summary["sets"]["colour"]["confusion"]["cells"]
    most = max(count for true, predicted, count in cells if true != predicted)
    assert of_set.confusions.rows[0][2].text == str(most)
    assert len(of_set.outputs.heads) == len(pages["small"].sets[0].outputs.heads) - 2  # no maps of each output


def test_the_page_of_a_set_alone_shows_no_empty_tables(audited, tmp_path):
    text = write_report(audited["alone"].folder, tmp_path / "page.html").read_text()
    for section in ("overview", "table", "attributes"):
        assert f'<section id="{section}" aria-labelledby="{section}-head" hidden>' in text
        assert f'href="#{section}">' not in text.split("</nav>")[0]
    assert 'href="#sets"' in text
    assert faults(text) == []
    assert "a model trained on imbalanced labels can" not in text.lower()


def test_the_page_of_a_set_has_no_fault_in_a_browser(audited, browser, tmp_path):
    for name in ("small", "alone"):
        path = write_report(audited[name].folder, tmp_path / f"{name}.html")
        page, said = browser.new_page(viewport={"width": 390, "height": 800}), []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("#sets svg.plot").count() == 2
        assert said == []
        page.close()


def test_the_card_draws_the_confidence_and_states_its_error(audited, pages):
    for name in ("small", "large", "alone"):
        confidence = audited[name].summary["sets"]["colour"]["confidence"]
        (of_set,) = pages[name].sets
        first = of_set.confidence.lines[0]
        assert first.startswith("expected calibration error ")
        assert "a perfectly calibrated model would have" in first
        assert "probability of the predicted output [%]" in of_set.confidence.svg
        signed = confidence["rates"]["signed_calibration_error"]["value"]
        sentence = next(text for text in of_set.sentences if text.startswith("Confidence, the mean probability"))
        assert f"{100 * abs(signed):.0f}\u202fpoints" in sentence
        assert sentence.endswith("under-confident.") == (confidence["rates"]["signed_calibration_error"]["high"] < 0)


def test_a_summary_of_an_earlier_version_has_no_confidence_and_its_page_neither(audited):
    source = open_source(audited["alone"].folder)
    del source.arms[0].summary["sets"]["colour"]["confidence"]
    (of_set,) = build(source, audited["alone"].folder / "page.html").sets
    assert of_set.confidence is None
    assert not any(sentence.startswith("Confidence") for sentence in of_set.sentences)


def test_a_row_without_images_is_empty_in_the_heat_map():
    figure = confusion([[3, 1], [0, 0]], ["a", "b" * 40])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[:2] == ["3", "1"]
    assert figure.axes[0].get_yticklabels()[1].get_text() == "b" * 17 + "…"


def test_labels_to_check_hold_the_errors_of_sets_as_the_audit_lists_them(audited, pages):
    for name in ("small", "large", "alone"):
        page, audit = pages[name], audited[name]
        listed = pd.read_csv(audit.folder / "relabel.csv", dtype=str)
        listed = listed[listed["attribute"] == "colour"]
        rows = [[cell.text for cell in row] for row in page.relabel.table.rows if row[1].text == "colour"]
        assert len(rows) == min(len(listed), 20) > 5
        assert {row[0] for row in rows} <= set(listed["image"])
        label = dict(zip(listed["image"], listed["label"], strict=True))
        margin = dict(zip(listed["image"], listed["margin"].astype(float), strict=True))
        for row, cells in zip(rows, page.relabel.table.rows, strict=True):
            assert row[2] == label[row[0]]
            assert cells[3].sort == pytest.approx(margin[row[0]], rel=1e-4)
        file = list(csv.DictReader(unquote(page.relabel.file.partition(",")[2]).splitlines()))
        assert [line["label"] for line in file if line["attribute"] == "colour"][:3] == [row[2] for row in rows][:3]
        assert "those of a set by how far" in page.relabel.table.caption


def test_the_report_of_sets_alone_shows_no_bar_of_nothing(audited, tmp_path, capsys):
    write_report(audited["alone"].folder, tmp_path / "page.html", track=lambda names: track(names, "report"))
    assert "0/0" not in capsys.readouterr().err
