"""Errors by group on the first screen: a planted difference is told, its twin is not, and too few people are named."""

from types import SimpleNamespace

import numpy as np
import pytest

from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.groups.gaps import FAMILY, gap_family
from bincam.audit.summary.groups.names import group_name
from bincam.audit.summary.groups.slices import slice_panel
from bincam.report.sections.first_screen.people import people_part
from tests.audit.summary.groups.planted import division, panel


def arm(planted, *divisions, name="audited model"):
    slices = [entry for by in divisions for entry in slice_panel(planted, by, {})]
    family = gap_family(planted, divisions)
    return SimpleNamespace(
        name=name, phrase=name, summary={"slices": slices}, family=lambda asked: family if asked == FAMILY else None
    )


def by_sex(planted, values=("positive", "negative")):
    of_groups = division(planted, len(values))
    return Slicing.of("Male", values, of_groups.codes)


def test_a_planted_difference_is_told_with_direction_people_and_interval():
    planted = panel(fnr=(0.5, 0.2), images=1600, attributes=("Bald", "Smiling"), per_person=2)
    part = people_part([arm(planted, by_sex(planted))], ["Bald", "Smiling"], {"Bald": "attribute-1"})
    (sentence,) = part.sentences
    assert sentence.startswith("By Male: errors differ for 1 of 2 attributes. Most: Bald, missed ")
    assert " among Male and " in sentence
    assert " among not Male, a difference of " in sentence
    assert "people" in sentence
    (row,) = part.table.rows
    assert (row[0].text, row[0].link) == ("Bald: missed", "#attribute-1-by-group")
    assert row[1].text.startswith("Male ")
    assert row[2].text.startswith("not Male ")
    assert row[-1].text.startswith("differs, p < 0.001")
    assert "6 tests" in part.table.caption  # two attributes, one division, three errors


def test_without_a_difference_it_says_what_would_have_been_found():
    planted = panel(fnr=(0.3, 0.3), images=800)
    part = people_part([arm(planted, by_sex(planted))], ["Bald"], {})
    (sentence,) = part.sentences
    assert sentence.startswith("By Male: no difference in errors was found; a true difference of ")
    assert [row[-1].text.split(",")[0] for row in part.table.rows] == ["not shown"]


def test_rows_without_a_finding_are_those_that_came_closest():
    planted = panel(fnr=(0.3, 0.3), images=500, attributes=("Bald", "Smiling", "Young", "Hat"), seed=3)
    part = people_part([arm(planted, by_sex(planted))], planted.attributes, {})
    p = [float(row[-1].text.rpartition(" ")[2]) for row in part.table.rows]
    assert len(p) == 3
    assert p == sorted(p)


def test_groups_of_too_few_people_are_named():
    planted = panel(fnr=(0.3, 0.3, 0.9), images=600, shares=(0.49, 0.49, 0.02))
    slicing = Slicing.of("group.age", ("old", "young", "baby"), division(planted, 3).codes)
    part = people_part([arm(planted, slicing)], ["Bald"], {})
    assert part.notes == ["Too few images or people to compare an error: age: baby."]
    alone = np.where(slicing.codes == 0, 0, 2)
    nobody = Slicing.of("group.age", ("old", "young", "baby"), np.where(planted.label[:, 0] == 2, 1, alone * 0))
    part = people_part([arm(planted, nobody)], ["Bald"], {})
    assert part.sentences[0].startswith("By age: in no attribute do two groups have enough")
    assert part.table is None


def test_two_models_are_named_and_an_audit_without_groups_has_no_part():
    planted = panel(fnr=(0.5, 0.2), images=900)
    arms = [arm(planted, by_sex(planted), name="first"), arm(panel(fnr=(0.3, 0.3), images=900), by_sex(planted))]
    part = people_part(arms, ["Bald"], {})
    assert [sentence.partition(":")[0] for sentence in part.sentences] == ["By Male (first)", "By Male (audited model)"]
    assert part.table.heads[1] == "Model"
    assert people_part([SimpleNamespace(name="a", phrase="a", summary={"slices": []})], ["Bald"], {}) is None
    former = arm(planted, by_sex(planted))
    former.family = lambda _: None
    assert "'bincam summarise' compares them" in people_part([former], ["Bald"], {}).notes[0]


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("Male", "positive", "Male"),
        ("group.sex", "positive", "sex: positive"),
        ("Male*group.age", "negative*old", "not Male × age: old"),
        ("race", "White", "race: White"),
        ("group.a*b", "x", "a*b: x"),
    ],
)
def test_groups_are_named_in_words(column, value, name):
    assert group_name(column, value) == name
