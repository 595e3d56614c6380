"""Planted faults are found in misses, evidence, rules of the gate, confident errors and doubts."""

import numpy as np
import pandas as pd
import pytest

from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule
from bincam.audit.pipeline.runner import run
from bincam.audit.summary.sets.confident_errors import with_sets
from bincam.errors import InputError
from bincam.models import AttributeClassifier
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import Eye
from tests.audit.planted_sets import COLOURS, NAMES, card, of_set, true_and_scores

pytestmark = NOTES_ALLOWED


def test_a_fault_in_one_output_is_in_its_misses_and_its_confusion_cell_and_its_twin_has_none(audits):
    honest, faulty = of_set(audits["honest"]), of_set(audits["faulty"])
    green = COLOURS.index("green")
    assert [figures["rates"]["fnr"]["value"] for figures in honest["outputs"].values()] == [0, 0, 0]
    assert [figures["rates"]["fnr"]["value"] for figures in faulty["outputs"].values()] == [0, 1, 0]
    assert np.array_equal(np.array(honest["confusion"]["counts"]), np.diag([13, 15, 12]))
    assert faulty["confusion"]["counts"][green] == [15, 0, 0]
    assert faulty["confusion"]["share"][green][0] == 1
    assert faulty["rates"]["minority_error"]["value"] == 0.5  # green and blue are rarer than a third in training
    assert faulty["rates"]["majority_error"]["value"] == 0
    assert (faulty["minority"], faulty["minority_from"]) == (["green", "blue"], "card")
    assert audits["faulty"].summary["attributes"]["Bright"]["rates"]["error"]["value"] == 0
    assert list(audits["faulty"].summary["attributes"]) == ["Bright"]


def test_the_evidence_of_each_colour_is_in_its_corner_and_of_the_fault_in_the_wrong_one(audits):
    for name, gains in {"honest": (0.5, 0.5, 0.5), "faulty": (None, -0.5, 0.5)}.items():
        outputs = of_set(audits[name])["outputs"]
        for colour, least in zip(COLOURS, gains, strict=True):
            gain = outputs[colour]["measures"]["grad_cam.gain"]["outcome:TP"]["value"]
            if least is not None and least > 0:
                assert gain > least, (name, colour)
    red = audits["faulty"].records(["attribute", "outcome", "grad_cam.gain"]).query("attribute == 'red'")
    assert (red[red["outcome"] == "TP"]["grad_cam.gain"] > 0.5).all()
    assert (red[red["outcome"] == "FP"]["grad_cam.gain"] < 0).all()  # a green square is taken for red


def test_rules_of_sets_and_outputs_are_judged(audits):
    faulty = audits["faulty"]

    def judged(text):
        return {one.attribute: one for one in judge(faulty.summary, [parse_rule(text, faulty)])}

    assert judged("colour.accuracy>=0.9")["colour"].verdict == "fail"
    assert judged("colour.minority_error<=0.2")["colour"].estimate.value == 0.5
    assert judged("green.fnr<=0.2")["green"].estimate.value == 1
    assert judged("red.fpr<=0.2")["red"].verdict == "fail"
    assert judged("colour.signed_calibration_error<=0.1")["colour"].verdict == "fail"  # sure of red where green is true
    assert judged("colour.brier<=0.1")["colour"].estimate.value == pytest.approx(15 / 40, abs=0.01)
    # The value is the debiased one, and with an upper bound above the bound of the rule nothing is decided.
    ece = judged("colour.ece<=0.4")["colour"]
    assert ece.verdict == "insufficient"
    assert ece.estimate.value == of_set(faulty)["confidence"]["error"]["debiased"]
    assert judged("colour.ece<=0.1")["colour"].verdict == "fail"
    assert set(judged("ece<=0.5")) == {"Bright", "colour", *COLOURS}
    assert set(judged("accuracy>=0.5")) == {"Bright", "colour"}
    assert set(judged("fnr<=0.5")) == {"Bright", *COLOURS}
    assert set(judged("macro_auroc>=0.5")) == {"colour"}
    assert set(judged("gain@true:minority>=0")) == {"Bright"}
    assert set(judged("gain>=0")) == {"Bright", *COLOURS}
    assert judged("red.ppv>=0.2")["red"].estimate.value == pytest.approx(13 / 28)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("green.minority_error<=0.1", "write it for the set, colour.minority_error"),
        ("colour.fnr<=0.1", "its outputs have others, such as red.fnr"),
        ("Bright.macro_auroc>=0.5", "measure of a set of outputs: write it for 'colour'"),
        ("top5_accuracy>=0.5", "more than 5 outputs; 'colour' has 3"),
        ("colour.top5_accuracy>=0.5", "more than 5 outputs; 'colour' has 3"),
        ("red.gain@true:minority>=0", "write @true:positive or :negative"),
        ("red.person_error<=0.1", "it has fnr, fpr and auroc"),
        ("brown.fnr<=0.1", "unknown attribute 'brown'"),
    ],
)
def test_rules_that_a_set_or_an_output_does_not_have_are_refused(audits, rule, message):
    with pytest.raises(InputError, match=message):
        parse_rule(rule, audits["faulty"])


def test_confident_errors_name_the_set_and_the_labelled_output(audits):
    faulty = audits["faulty"]
    listed = pd.read_csv(faulty.folder / "relabel.csv")
    assert set(listed["attribute"]) == {"colour"}
    assert set(listed["label"]) == {"green"}
    assert len(listed) == 15
    assert (np.diff(listed["margin"]) <= 0).all()
    _, scores = true_and_scores(faulty)
    order = faulty.records(["row"])["row"].to_numpy()[:: len(NAMES)].tolist()
    first = scores[order.index(listed["row"][0])]
    assert listed["margin"][0] == pytest.approx(first[0] - first[1], rel=1e-4)
    empty = pd.DataFrame({name: [] for name in ("row", "attribute", "label", "margin", "probability")})
    assert len(with_sets(empty, audits["honest"])) == 0


def test_all_scores_equal_predict_the_first_and_raise_a_doubt(coloured, chosen, tmp_path):
    flat = AttributeClassifier(Eye([[0.0] * 3] * 4, [1.0, 1.0, 1.0, 1.0]), card()).eval()
    done = run(flat, coloured, tmp_path / "flat", chosen)
    entry = of_set(done)
    assert entry["outputs"]["red"]["predicted"] == 40
    assert entry["rates"]["macro_auroc"]["value"] == 0.5
    doubts = {doubt["attribute"]: doubt["text"] for doubt in done.summary["doubts"]}
    assert "the same probabilities to all 40 images" in doubts["colour"]
