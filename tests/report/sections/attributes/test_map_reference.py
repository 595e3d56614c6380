"""Pages say what their maps are counted from, and give the bias share from the same reference, or from both."""

from __future__ import annotations

import re

import pytest

from bincam.references import MAP_REFERENCES
from bincam.report import write_report
from bincam.report.html.page import open_source
from bincam.report.sections.attributes.map_reference import NAMES, counted_from, maps_and_shares
from tests.report.conftest import finished_audit

SHARE = r"[\d.]+\s% \[[\d.]+, [\d.]+\] \([^)]*\) from "


def arm_of(folder, name):
    finished_audit(
        folder,
        images=60,
        attributes=("Smiling", "Bald", "Young"),
        prevalence=(0.5, 0.3, 0.6),
        manifest={"map_reference": name} if name != "zero" else None,
    )
    return open_source(folder).arms[0]


@pytest.mark.parametrize("name", MAP_REFERENCES)
def test_the_reference_stands_beside_maps_and_shares(tmp_path, name):
    arm = arm_of(tmp_path / "audit", name)
    assert counted_from(arm) == NAMES[name]
    (text,) = maps_and_shares([arm], "Bald")
    first, second = ("midpoint", "zero") if name == "midpoint" else ("zero", "midpoint")
    words = {"zero": "zero", "midpoint": "the midpoint"}
    assert re.search(f"{SHARE}{words[first]} and {SHARE}{words[second]}\\.$", text), text
    assert {
        "zero": "counted from zero: what they leave out is the head's own constant",
        "midpoint": "counted from the midpoint reference, and so is the bias share",
        "template": "still the head's own constant",
        "attribute_mean": "the mean of the maps of all 3 attributes",
    }[name] in text


def test_models_of_a_contrast_have_shares_of_their_own(tmp_path):
    arm = arm_of(tmp_path / "audit", "zero")
    lead, one, other = maps_and_shares([arm, arm], "Bald")
    assert lead.endswith("constant.")
    assert one == other
    assert one.startswith(f"{arm.phrase[0].upper()}{arm.phrase[1:]}: Bias share where it predicts “no”: ")


def test_the_page_names_the_reference_under_every_scale(tmp_path):
    arm_of(tmp_path / "audit", "template")
    write_report(tmp_path / "audit", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    scales = re.findall(r'<span class="unit">([^<]*)</span>', page)
    assert scales
    assert all("logit per cell, counted from the template: " in scale for scale in scales)
    assert "contribute nothing more or less than the template" in page
    assert re.search(r"maps counted from</\w+>\s*<\w+>the template", page)
