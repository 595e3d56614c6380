"""Calibration of the predicted output of a set: by hand, by scikit-learn, planted over-confidence and its twin."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve

from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import Rule
from bincam.audit.summary.calibration import CALIBRATION_RATES
from bincam.audit.summary.sets.confidence import set_confidence
from bincam.audit.summary.sets.entry import estimates_of, set_entry
from bincam.audit.summary.sets.records import SetRecords
from bincam.stats import Clusters
from bincam.stats.estimate import Estimate

K = 4


def records_of(scores, true, *, clusters=None, shifts=None, large=False):
    scores = np.asarray(scores, np.float32)
    names = tuple(f"class {k}" for k in range(scores.shape[1]))
    counts = np.arange(1, scores.shape[1] + 1)
    clusters = clusters or Clusters.of([""] * len(scores))
    return SetRecords("kind", names, scores, np.asarray(true), counts, True, clusters, large=large, shifts=shifts)


def drawn(n=6000, *, factor=1.0, shifts=None, seed=0):
    """Labels that are drawn from the softmax of the scores; the model states other scores, by a factor or shifts."""
    rng = np.random.default_rng(seed)
    scores = 1.5 * rng.normal(size=(n, K))
    cumulative = softmax(scores, axis=1).cumsum(1)
    true = (rng.random((n, 1)) > cumulative).sum(1).clip(0, K - 1)
    stated = factor * scores + (0 if shifts is None else shifts)
    return records_of(stated, true, shifts=shifts)


def rate(confidence, name):
    return Estimate.from_json(confidence["rates"][name])


def test_a_case_by_hand():
    """Ten images taken with p = 0.8 of which seven are right, ten with p = 0.4 of which five are."""
    scores = np.log(np.repeat([[0.1, 0.8, 0.1], [0.4, 0.3, 0.3]], 10, axis=0))
    true = [1] * 7 + [0, 0, 2] + [0] * 5 + [1, 1, 2, 2, 2]
    confidence = set_confidence(records_of(scores, true))
    assert rate(confidence, "ece").value == pytest.approx((10 * 0.1 + 10 * 0.1) / 20)
    squares = 7 * 0.2**2 + 3 * 0.8**2 + 5 * 0.6**2 + 5 * 0.4**2
    assert rate(confidence, "brier").value == pytest.approx(squares / 20)
    assert rate(confidence, "signed_calibration_error").value == pytest.approx((8 + 4 - 12) / 20, abs=1e-7)
    low, high = confidence["bins"]
    assert (low["images"], low["positive_rate"], low["mean_probability"]) == (10, 0.5, pytest.approx(0.4))
    assert (high["images"], high["positive_rate"], high["mean_probability"]) == (10, 0.7, pytest.approx(0.8))
    assert confidence["reason"] == "the model's card does not state the shift of every raw score of the set"
    assert set(confidence["rates"]) == set(CALIBRATION_RATES)


def test_bins_are_those_of_scikit_learn():
    records = drawn(2000, factor=1.7)
    probabilities = softmax(records.scores.astype(float), axis=1)
    right = probabilities.argmax(1) == records.true
    share, mean = calibration_curve(right, probabilities.max(1), n_bins=15)
    bins = set_confidence(records)["bins"]
    np.testing.assert_allclose([part["positive_rate"] for part in bins], share)
    np.testing.assert_allclose([part["mean_probability"] for part in bins], mean, rtol=1e-9)


def test_planted_over_confidence_is_found_and_its_calibrated_twin_is_not():
    over, twin = (set_confidence(drawn(factor=factor)) for factor in (2.0, 1.0))
    assert rate(over, "signed_calibration_error").low > 0.05
    assert rate(over, "calibration_slope").high < 0.7
    assert over["error"]["p"] < 0.01
    assert over["error"]["low"] > 0.05
    calibrated = rate(twin, "signed_calibration_error")
    assert calibrated.low < 0 < calibrated.high
    assert rate(twin, "calibration_slope").low < 1 < rate(twin, "calibration_slope").high
    assert twin["error"]["p"] > 0.05
    assert twin["error"]["debiased"] < 0.02


def test_scores_without_the_shift_of_the_loss_are_calibrated_and_the_decision_stays():
    shifts = np.array([2.0, 0.0, 0.0, -1.0])
    records = drawn(shifts=shifts)
    confidence = set_confidence(records)
    assert confidence["error"]["p"] < 0.01
    # The oracle: the true softmax of what the shifted scores predict, which is not the greatest everywhere.
    unshifted = softmax(records.scores - shifts, axis=1)
    taken = records.scores.argmax(1)
    p = unshifted[np.arange(len(taken)), taken]
    right = taken == records.true
    assert (unshifted.argmax(1) != taken).mean() > 0.1
    assert rate(confidence, "brier_unshifted").value == pytest.approx(np.mean((p - right) ** 2))
    corrected = rate(confidence, "signed_calibration_error_unshifted")
    assert corrected.value == pytest.approx(np.mean(p - right))
    assert corrected.low < 0 < corrected.high
    assert confidence["error_unshifted"]["p"] > 0.05
    assert confidence["reason"] == ""


def test_images_without_a_label_or_with_a_score_that_is_not_finite_are_left_out():
    records = drawn(300)
    scores, true = records.scores.copy(), records.true.copy()
    scores[:20, 1], true[20:50] = np.nan, -1
    lacking = set_confidence(records_of(scores, true))
    kept = set_confidence(records_of(scores[50:], true[50:]))
    assert rate(lacking, "ece").images == 250
    assert lacking["bins"] == kept["bins"]
    nothing = set_confidence(records_of(np.full((30, 3), np.nan), [0] * 30))
    assert nothing["bins"] == []
    assert nothing["error"] is None
    assert not rate(nothing, "ece").defined


def test_the_set_of_a_thousand_outputs_has_it_too():
    rng = np.random.default_rng(0)
    scores = log_softmax(3 * rng.normal(size=(200, 1000)), axis=1)
    records = records_of(scores, scores.argmax(1), large=True)
    entry = set_entry(records, estimates_of(records))
    signed = rate(entry["confidence"], "signed_calibration_error")
    assert signed.high < 0  # all are right, at probabilities far below one
    assert signed.value == pytest.approx(np.exp(records.scores.astype(float).max(1)).mean() - 1, abs=1e-6)


def judged(records, text, measure, sign, bound):
    summary = {"methods": [], "attributes": {}, "sets": {"kind": set_entry(records, estimates_of(records))}}
    (judgement,) = judge(summary, [Rule(text, measure, "kind", "all", sign, bound)])
    return judgement


def test_rules_decide_over_confidence_and_chance_decides_nothing():
    about = ("kind.ece<=0.05", "ece", "<=", 0.05)
    assert judged(drawn(factor=2.0), *about).verdict == "fail"
    assert judged(drawn(), *about).verdict == "pass"
    few = judged(drawn(100), *about)
    assert few.verdict == "insufficient"
    assert "a perfectly calibrated model would be" in few.reason
    signed = ("kind.signed_calibration_error<=0.05", "signed_calibration_error", "<=", 0.05)
    assert judged(drawn(factor=2.0), *signed).verdict == "fail"
    assert judged(drawn(), *signed).verdict == "pass"
    for measure in ("ece_unshifted", "brier_unshifted", "calibration_slope_unshifted"):
        unstated = judged(drawn(), f"kind.{measure}<=1", measure, "<=", 1.0)
        assert unstated.verdict == "insufficient"
        assert "does not state the shift of every raw score" in unstated.reason
