"""A model that looks elsewhere than at the object is told of, its honest twin is not; nothing is said of too few."""

from dataclasses import replace

import numpy as np
import pytest

from bincam.audit.pipeline.runner import run
from bincam.report import write_report
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.attributes.elsewhere import Elsewhere, elsewhere, finding, sentence
from bincam.stats.estimate import estimate, undefined
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import reader
from tests.audit.planted_cells import cell_settings, write_pictures

pytestmark = NOTES_ALLOWED
SAID = "looks elsewhere than at the object"


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    """The model that reads the object's red; its twin that reads a green square elsewhere; the twin without boxes."""
    root = tmp_path_factory.mktemp("elsewhere")
    table = write_pictures(root, 150, seed=1)
    audits = {
        name: run(reader(channel), table, root / name, cell_settings(root, boxes=boxes))
        for name, channel, boxes in (("on", 0, True), ("off", 1, True), ("off, no boxes", 1, False))
    }
    return {name: Arm("audit", audit, audit.summary) for name, audit in audits.items()}


def test_the_twin_that_looks_elsewhere_is_told_of(arms):
    found = elsewhere(arms["off"])
    assert list(found) == ["Object"]
    assert found["Object"].gain.high < 0.1
    assert found["Object"].auroc.low > 0.75
    folder = arms["off"].audit.folder
    page = write_report(folder, folder / "report.html").read_text()
    assert f"Object: the model {SAID}" in page
    assert page.count("the evidence is not on the object") >= 2  # on the first screen, and in its card


def test_of_the_honest_model_nothing_is_said(arms):
    assert elsewhere(arms["on"]) == {}
    folder = arms["on"].audit.folder
    page = write_report(folder, folder / "report.html").read_text()
    assert SAID not in page
    assert SAID.capitalize() in page  # its definition


def changed(arm, **changes):
    """The arm with other figures of the attribute ``Object``; None takes one away."""
    summary = {**arm.summary, "attributes": {**arm.summary["attributes"]}}
    entry = {**summary["attributes"]["Object"]}
    if "auroc" in changes:
        entry["rates"] = {**entry["rates"], "auroc": changes["auroc"].to_json()}
    if "gain" in changes:
        gains = {**entry["measures"]["grad_cam.object_gain"], "outcome:TP": changes["gain"].to_json()}
        entry["measures"] = {**entry["measures"], "grad_cam.object_gain": gains}
    boxes = {**summary["boxes"]["attributes"]["Object"], **changes.get("boxes", {})}
    summary["boxes"] = {**summary["boxes"], "attributes": {"Object": boxes}}
    summary["attributes"]["Object"] = entry
    return replace(arm, summary=summary)


@pytest.mark.parametrize(
    "changes",
    [
        {"auroc": estimate(0.8, 0.7, 0.9, 100, None, "")},  # not certain to be told apart well
        {"auroc": estimate(0.99, 0.95, 1.0, 12, None, "")},  # too few
        {"auroc": undefined("one class")},
        {"gain": estimate(0.05, 0.0, 0.12, 40, None, "")},
        {"gain": estimate(0.01, 0.0, 0.02, 15, None, "")},
        {"gain": estimate(0.01, np.nan, np.nan, 40, None, "")},
        {"gain": undefined("no image")},
    ],
)
def test_nothing_is_said_where_an_interval_leaves_it_open(arms, changes):
    assert elsewhere(changed(arms["off"])) != {}
    assert elsewhere(changed(arms["off"], **changes)) == {}


def test_nothing_is_said_where_the_grid_could_not_show_it(arms):
    peaked = estimate(0.3, 0.1, 0.5, 40, None, "").to_json()
    for boxes in ({"judgement": "cannot be judged on this grid"}, {"pointing_over_chance": peaked}):
        assert elsewhere(changed(arms["off"], boxes=boxes)) == {}


def test_nothing_is_said_without_boxes_because_little_energy_on_a_small_object_is_no_proof(arms):
    assert elsewhere(arms["off, no boxes"]) == {}


def test_nothing_is_said_of_evidence_for_no(arms):
    audit = arms["off"].audit
    against = replace(audit, manifest=audit.manifest.model_copy(update={"side": "negative"}))
    assert elsewhere(replace(arms["off"], audit=against)) == {}


def one(name="star", **changes):
    figures = {
        "auroc": estimate(1.0, 0.97, 1.0, 320, None, ""),
        "gain": estimate(0.01, 0.0, 0.02, 130, None, ""),
        "peaked": estimate(0.12, 0.07, 0.18, 130, None, ""),
        "chance": estimate(0.16, 0.15, 0.16, 130, None, ""),
        "place": "lower right",
        "share": estimate(1.0, 0.97, 1.0, 130, None, ""),
    }
    return Elsewhere(name, **{**figures, **changes})


def test_the_sentence_has_each_figure_that_is_known():
    whole = sentence(one())
    for part in ("AUROC 1.00 [0.97, 1.00]", "(130 images)", "by chance in 16", "peak is at the lower right"):
        assert part in whole
    assert "lower right" not in sentence(one(place="", share=undefined("")))


def test_the_first_screen_names_a_few_of_many():
    assert finding({}) == ""
    two = finding({name: one(name) for name in ("star", "ring")}, "the balanced model")
    assert two.startswith("2 attributes of which the balanced model looks elsewhere")
    assert "star and ring" in two
    many = finding({f"a{n}": one(f"a{n}") for n in range(9)})
    assert "a5 and 3 more" in many
    assert "a6" not in many
