"""Sentences on what maps are worth: verdicts, older audits, marks, and audits without specificity."""

import pytest

from bincam.report.html.page import Source, build, open_source
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.attributes import map_checks
from bincam.report.sections.words.definitions import provenance
from bincam.stats.estimate import estimate, undefined


def figure(value, low, high):
    return estimate(value, low, high, 64, 30, "cluster t, skewness").to_json()


NOTHING = undefined("not computed").to_json()
EXCESS, LEFT = figure(0.012, -0.014, 0.031), figure(0.62, 0.5, 0.7)
PASS = {"verdict": "pass", "passed": True, "reason": "", "excess": EXCESS, "variance_left": LEFT, "template": 0.85}
FAIL = {**PASS, "verdict": "fail", "passed": False, "reason": "the same map for every image", "excess": NOTHING}
UNDECIDED = {**FAIL, "verdict": "cannot tell", "reason": "the grid has 4 cells; at least 9 are needed"}


def own(mark, share, region):
    return {
        "mark": mark,
        "own_share": share,
        "null": 0.03,
        "region": {"verdict": "fail", "excess": region, "p": 0.4, "reason": ""},
        "competitors": ["a", "b", "c"],
    }


SPECIFICITY = {
    "attributes": {
        "Smiling": own("shows the image, not the attribute", figure(0.02, 0.01, 0.03), figure(0.01, -0.01, 0.03)),
        "Bald": own("its own", figure(0.4, 0.35, 0.45), NOTHING),
        "Young": own("cannot tell", NOTHING, NOTHING),
    }
}


@pytest.fixture
def arm_of(bare):

    arm = open_source(bare).arms[0]
    return lambda **summary: Arm(arm.name, arm.audit, {**arm.summary, **summary})


def test_provenance_has_the_figures(arm_of):
    def tested(gate):
        return dict(provenance(arm_of(gates={"grad_cam": gate})).entries)["model-parameter randomisation test"]

    assert tested(PASS) == (
        "passed by grad_cam; 62\u202f% of the maps' variance is left without their mean map; |Spearman| of the same "
        "image greater by +0.01 [−0.01, +0.03] (one-sided 95\u202f% bounds, 64 images); |Spearman| of the mean maps "
        "themselves 0.85"
    )
    assert tested(UNDECIDED).startswith("undecided by grad_cam; 62")
    assert tested({"passed": True}) == "passed by grad_cam"


def test_marks_are_named_and_each_card_has_a_sentence(arm_of, tmp_path):
    arm = arm_of(specificity=SPECIFICITY)
    names = ["Smiling", "Bald", "Young"]
    (note,) = map_checks.notes(arm, "the model", names)
    assert note.startswith("Maps that show the image, not the attribute: Smiling. The other attributes' maps explain")
    (of_first,) = map_checks.notes(arm, "the first model", names)
    assert of_first.startswith("Maps of the first model that show the image")
    assert map_checks.notes(arm, "the model", ["Bald"]) == []
    (smiling,) = map_checks.own_maps([arm], "Smiling")
    assert smiling == (
        "The map shows the image, not the attribute: the other attributes' maps leave 2.0\u202f% [1.0, 3.0] of its "
        "variance unexplained (of a row of a random head: 3.0\u202f%) and the share of its evidence in its region, "
        "less that of the evidence for 3 unrelated attributes, is +1\u202fpoints [−1, +3]."
    )
    assert map_checks.own_maps([arm], "Bald")[0].startswith("The map is the attribute's own: the other attributes'")
    assert map_checks.own_maps([arm], "Young") == []
    assert map_checks.own_maps([arm, arm], "Bald")[0].startswith(f"{arm.name}: the map is")
    page = build(Source((arm,)), tmp_path / "report.html")
    assert note in page.notes
    assert smiling in next(card for card in page.cards if card.name == "Smiling").sentences
    assert map_checks.own_maps([arm_of()], "Smiling") == []
