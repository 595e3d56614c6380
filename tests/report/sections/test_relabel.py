"""Labels to check, and person-level rates, as the page shows them."""

import csv
from urllib.parse import unquote

import numpy as np

from bincam.report.figures.pictured.examples import Photographs
from bincam.report.html.page import open_source
from bincam.report.sections.attributes.people import noise_table, people_table
from bincam.report.sections.relabel import relabel, suspects


def test_only_errors_of_both_models_are_suspects(contrast_folder):
    arms = open_source(contrast_folder).arms
    name = "Smiling"
    wrong = [np.isin(arm.column(name, "outcome"), ["FP", "FN"]) for arm in arms]
    listed = suspects(name, arms, 1000)
    assert {suspect.row for suspect in listed} == set(arms[0].rows[wrong[0] & wrong[1]].tolist())
    margins = [suspect.margin for suspect in listed]
    assert margins == sorted(margins, reverse=True)
    alone = suspects(name, arms[:1], 1000)
    assert len(alone) == wrong[0].sum() > len(listed)


def test_the_file_holds_the_names_of_images_but_no_people(audit_folder):
    arms = open_source(audit_folder).arms
    names = list(arms[0].audit.attributes)
    content = relabel(arms, names, Photographs(arms[0].audit))
    prefix, _, data = content.file.partition(",")
    assert prefix == "data:text/csv;charset=utf-8"
    rows = list(csv.DictReader(unquote(data).splitlines()))
    assert list(rows[0]) == ["attribute", "rank", "image", "row", "label", "margin", "new_label"]
    assert {row["attribute"] for row in rows} == set(names)
    images = arms[0].audit.images["image"]
    assert all(row["image"] == images[int(row["row"])] for row in rows)
    assert len(content.table.rows) == 20
    assert content.table.rows[0][0].text in {row["image"] for row in rows}


def test_people_are_shown_where_they_have_several_images(audit_folder):
    arms = open_source(audit_folder).arms
    table = people_table("Smiling", arms)
    assert [row[0].text for row in table.rows][:3] == ["error", "minority error", "majority error"]
    rates = arms[0].summary["attributes"]["Smiling"]["rates"]
    assert "people" in table.rows[0][2].note
    assert rates["person_error"]["identities"] < rates["person_error"]["images"]
    assert noise_table("Smiling", arms) is None


def test_names_that_begin_as_formulas_do_are_text_in_a_spreadsheet(audit_folder, monkeypatch):
    arms = open_source(audit_folder).arms
    names = list(arms[0].audit.attributes)
    monkeypatch.setattr(Photographs, "name", lambda *_: "=HYPERLINK(1)")
    _, _, data = relabel(arms, names, Photographs(arms[0].audit)).file.partition(",")
    rows = list(csv.DictReader(unquote(data).splitlines()))
    assert {row["image"] for row in rows} == {"'=HYPERLINK(1)"}
    assert all(float(row["margin"]) >= 0 for row in rows)
