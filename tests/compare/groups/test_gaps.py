"""Gaps between groups of two models: a planted change is found with its size and people, its twin is not."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bincam.compare.groups.gaps import FAMILY, contrast_gaps
from bincam.compare.groups.sentences import gap_findings
from bincam.compare.names import Names
from bincam.compare.paired_audits import Pair
from bincam.report.sections.first_screen.gap_changes import gap_changes
from tests.audit.summary.groups.planted import panel

IMAGES = 2400
NAMES = Names("unbalanced", "balanced", roles=True)


def compared(first, second, columns=("group.g",), **options):
    given = {"images": IMAGES, "attributes": ("Bald", "Smiling"), "per_person": 2, **options}
    one, other = panel(first, **given), panel(second, **given)  # the same images: one seed
    assert np.array_equal(one.label, other.label)
    moved = np.full(len(one.attributes), np.nan)
    pair = Pair(one, other, (), moved, "", tuple(map(str, one.rows)), None)
    images = pd.DataFrame({"row": one.rows, "group.g": one.groups["group.g"]})
    audit = SimpleNamespace(summary={"slices": [{"column": column} for column in columns]}, images=images)
    return contrast_gaps(audit, pair)


def drawn(found):
    """The page's table of a contrast with these gaps."""
    arm = SimpleNamespace(name="model")
    document = {"gaps": found.entries, "families": list(found.families)}
    return gap_changes(SimpleNamespace(document=document, first=arm, second=arm), {"Bald": "attribute-1"})


def test_a_gap_that_the_second_model_closes_is_found_and_told():
    found = compared((0.5, 0.2), (0.2, 0.2))
    missed = next(entry for entry in found.entries if entry["attribute"] == "Bald" and entry["measure"] == "fnr")
    assert missed["finding"]
    assert missed["first"] == pytest.approx(0.3, abs=0.06)
    assert missed["second"] < 0.08
    assert missed["difference"]["high"] < 0
    assert missed["difference"]["identities"] == missed["difference"]["images"] / 2  # two images of each
    assert missed["between"]["first"] == ["g0", "g1"]
    smiling = [entry for entry in found.entries if entry["attribute"] == "Smiling"]
    assert not any(entry["finding"] for entry in smiling)
    (family,) = found.families
    assert (family["name"], len(family["tests"])) == (FAMILY, 6)
    (sentence,) = gap_findings(found.entries, NAMES)
    assert sentence.startswith(
        "Between groups by g, the errors change unequally from the unbalanced model to the balanced model for 1 of 1 "
        "attribute. Most: Bald, missed: the gap ("  # the other attribute does not change, so that nothing is tested
    )
    assert f" {IMAGES // 2} people" not in sentence
    assert "people)." in sentence
    sentences, table = drawn(found)
    assert sentences == []
    assert table.rows[0][0].text == "Bald: missed"
    assert table.rows[0][0].link == "#attribute-1-by-group"
    assert table.rows[0][-1].text.startswith("differs, p < 0.001")


def test_two_models_with_the_same_gap_have_no_finding():
    found = compared((0.5, 0.2), (0.5, 0.2))
    assert gap_findings(found.entries, NAMES) == []
    assert found.families == () or not found.families[0]["findings"]
    less = compared((0.5, 0.2), (0.45, 0.15))
    assert not any(entry["finding"] for entry in less.entries)
    sentences, table = drawn(less)
    assert sentences[0].startswith("By g: no gap was found to differ between the two models; ")
    assert 0 < len(table.rows) <= 3
    assert all(row[-1].text.startswith("not shown, p = ") for row in table.rows)


def test_groups_of_too_few_people_are_not_compared_but_named():
    found = compared((0.5, 0.2, 0.2), (0.2, 0.2, 0.2), shares=(0.5, 0.497, 0.003))
    missed = next(entry for entry in found.entries if entry["measure"] == "fnr" and entry["attribute"] == "Bald")
    assert missed["few"] == ["g2"]
    assert missed["finding"]


def test_a_division_that_is_not_of_these_images_is_left_out_with_its_reason():
    found = compared((0.5, 0.2), (0.2, 0.2), columns=("group.g", "race"))
    assert {entry["column"] for entry in found.entries} == {"group.g"}
    assert found.left_out[0]["column"] == "race"
    assert "race" in found.left_out[0]["reason"]
    assert compared((0.5, 0.2), (0.2, 0.2), columns=()).entries == []
