"""Figures of sets are those of scikit-learn on the scores, and those of a yes-or-no attribute where there are two."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics

from bincam.audit import summarise
from bincam.audit.pipeline.runner import run
from bincam.audit.summary.sets.entry import set_calibration
from bincam.audit.summary.sets.records import SetRecords
from bincam.models import AttributeClassifier
from bincam.stats import Clusters
from bincam.stats.sets.scores import log_odds
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted import Eye
from tests.audit.planted_sets import COLOURS, card, of_set, true_and_scores

pytestmark = NOTES_ALLOWED


def test_figures_of_a_set_are_those_of_scikit_learn_on_its_scores(audits):
    done = audits["noisy"]
    entry, (true, scores) = of_set(done), true_and_scores(done)
    predicted = scores.argmax(1)
    probabilities = torch.from_numpy(scores).double().softmax(1).numpy()
    rates = {name: rate["value"] for name, rate in entry["rates"].items()}
    assert 0.2 < rates["error"] < 0.8
    assert rates["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted))
    assert rates["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(true, predicted))
    macro = metrics.roc_auc_score(true, probabilities, multi_class="ovr", average="macro")
    assert rates["macro_auroc"] == pytest.approx(macro)
    np.testing.assert_array_equal(entry["confusion"]["counts"], metrics.confusion_matrix(true, predicted))
    recall = metrics.recall_score(true, predicted, average=None)
    assert rates["minority_error"] == pytest.approx(1 - recall[1:].mean())
    for k, colour in enumerate(COLOURS):
        figures = {name: rate["value"] for name, rate in entry["outputs"][colour]["rates"].items()}
        assert figures["fnr"] == pytest.approx(1 - recall[k])
        assert figures["fpr"] == pytest.approx(((predicted == k) & (true != k)).sum() / (true != k).sum())
        assert figures["auroc"] == pytest.approx(metrics.roc_auc_score(true == k, probabilities[:, k]))
        assert figures["ap"] == pytest.approx(metrics.average_precision_score(true == k, log_odds(scores)[:, k]))
        assert figures["brier"] == pytest.approx(metrics.brier_score_loss(true == k, probabilities[:, k]))
        assert entry["outputs"][colour]["calibration"]["reason"] == "the model's card does not state the shift of " \
            "every raw score of the set"  # fmt: skip


def test_slices_of_a_set_are_its_figures_on_the_images_of_a_value(audits):
    done = audits["noisy"]
    true, scores = true_and_scores(done)
    wrong = scores.argmax(1) != true
    odd = done.images.set_index("row")["group.half"].to_numpy() == "odd"
    figures = {
        (entry["measure"], entry["value"]): entry["estimate"]["value"]
        for entry in done.summary["slices"]
        if entry["attribute"] == "colour" and "value" in entry
    }
    assert figures["error", "odd"] == pytest.approx(wrong[odd].mean())
    assert figures["error", "even"] == pytest.approx(wrong[~odd].mean())
    misses = [wrong[odd & (true == k)].mean() for k in (1, 2)]
    assert figures["minority_error", "odd"] == pytest.approx(np.mean(misses))
    by_colour = summarise(done, slice_by=["colour"])
    assert {entry["attribute"] for entry in by_colour["slices"]} == {"Bright"}  # a set is not divided by itself
    bright = [e for e in by_colour["slices"] if e["measure"] == "error" and e.get("value") == "green"]
    assert bright[0]["estimate"]["images"] == int((true == 1).sum())


def test_a_set_of_two_outputs_has_the_figures_of_the_yes_or_no_attribute(coloured, chosen, tmp_path):
    two = coloured.take(coloured.labels[:, 2] == 0)
    labels = two.labels[:, [0, 1, 3]]
    names = ("red", "green", "Bright")
    as_set = replace(two, names=names, labels=labels, one_of={"colour": ("red", "green")})
    single = replace(two, names=("green", "Bright"), labels=labels[:, 1:], one_of={})
    weight = torch.tensor([[30.0, 4.0, 0.0], [0.0, 22.0, 8.0], [400.0] * 3])
    network = Eye(weight.tolist(), [0.4, 0.0, -12.0])
    alone = Eye([(weight[1] - weight[0]).tolist(), weight[2].tolist()], [-0.4, -12.0])
    counts = {"green": (600, 300), "Bright": (500, 500)}
    with_red = counts | {"red": (300, 600)}
    sets = {"colour": ("red", "green")}
    of_set_model = AttributeClassifier(network, card(sets, names, train_counts=with_red)).eval()
    of_attribute = AttributeClassifier(alone, card({}, ("green", "Bright"), train_counts=counts)).eval()
    settings = chosen.replace(reference_split="validation")
    pair = run(of_set_model, as_set, tmp_path / "set", settings)
    plain = run(of_attribute, single, tmp_path / "attribute", settings)
    output, attribute = of_set(pair)["outputs"]["green"], plain.summary["attributes"]["green"]
    for rate in ("fnr", "fpr", "auroc", "ap", "brier", "ece", "calibration_slope"):
        for key in ("value", "low", "high", "images", "status"):
            expected = attribute["rates"][rate][key]
            assert output["rates"][rate][key] == (
                pytest.approx(expected, rel=1e-4, abs=1e-6) if isinstance(expected, float) else expected
            ), (rate, key)
    assert output["counts"] == attribute["counts"]
    for column in ("grad_cam.gain", "zero.bias_share", "midpoint.bias_share", "grad_cam.mass"):
        for group, figure in output["measures"][column].items():
            expected = attribute["measures"][column][group]
            for key in ("value", "low", "high"):
                assert figure[key] == (None if expected[key] is None else pytest.approx(expected[key], rel=1e-3))
    assert of_set(pair)["rates"]["accuracy"]["value"] == attribute["rates"]["accuracy"]["value"]


def test_calibration_undoes_the_shift_of_every_raw_score():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([2.0, 1.0, 1.0], 4000)
    true = (random.random((4000, 1)) > probabilities.cumsum(1)).sum(1)
    shifts = np.array([0.0, 1.5, -1.0])
    scores = (np.log(probabilities) + shifts + random.normal(size=(4000, 1))).astype(np.float32)
    clusters = Clusters.of([""] * 4000)
    names, counts = ("a", "b", "c"), np.array([2, 1, 1])
    records = SetRecords("abc", names, scores, true, counts, True, clusters, shifts=shifts)
    for k in range(3):
        rates, details = set_calibration(records, k)
        corrected = rates["signed_calibration_error_unshifted"]
        assert corrected.low < 0 < corrected.high
        assert rates["calibration_slope_unshifted"].value == pytest.approx(1, abs=0.1)
        assert details["reason"] == ""
    shifted = set_calibration(records, 1)[0]["signed_calibration_error"]
    assert shifted.low > 0.1
