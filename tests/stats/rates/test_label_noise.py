"""Corrected error rates against planted labels, and bounds against every placement of the wrong labels."""

from itertools import combinations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.stats.estimate import estimate
from bincam.stats.intervals import wilson
from bincam.stats.rates.label_noise import WrongLabels, noise_corrected


def rate(errors, count):
    value = errors / count if count else np.nan
    return estimate(value, *wilson(value, count), count, None, "wilson")


def corrected(predicted, label, noise):
    misses, positives = int((~predicted & label).sum()), int(label.sum())
    alarms, negatives = int((predicted & ~label).sum()), int((~label).sum())
    return noise_corrected(rate(misses, positives), rate(alarms, negatives), positives, negatives, noise)


def test_planted_noise_is_taken_out():
    random = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        truth = random.random(2000) < 0.3
        predicted = np.where(random.random(2000) < np.where(truth, 0.15, 0.05), ~truth, truth)
        flipped = random.random(2000) < np.where(truth, 0.02, 0.03)
        label = truth ^ flipped
        noise = WrongLabels(float((~truth[label]).mean()), float(truth[~label].mean()))
        result = corrected(predicted, label, noise)
        covered.append((result.fnr.low <= 0.15 <= result.fnr.high, result.fpr.low <= 0.05 <= result.fpr.high))
    assert (np.mean(covered, axis=0) > 0.92).all()
    uncorrected = rate(int((~predicted & label).sum()), int(label.sum()))
    assert uncorrected.value > result.fnr.value + 0.03


def test_without_wrong_labels_nothing_changes():
    fnr, fpr = rate(12, 100), rate(4, 50)
    result = noise_corrected(fnr, fpr, 100, 50, WrongLabels(0, 0))
    for before, after, bounds in ((fnr, result.fnr, result.fnr_bounds), (fpr, result.fpr, result.fpr_bounds)):
        assert (after.value, after.low, after.high) == pytest.approx((before.value, before.low, before.high))
        assert bounds == pytest.approx((before.value, before.value))
    assert result.reason == ""


def test_bounds_are_reached_and_never_passed():
    label = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
    predicted = np.array([1, 0, 1, 1, 0, 0, 1, 0, 0, 0], bool)
    result = corrected(predicted, label, WrongLabels(0.25, 2 / 6))
    rates = []
    for up in combinations(np.flatnonzero(label), 1):
        for down in combinations(np.flatnonzero(~label), 2):
            truth = label.copy()
            truth[[*up, *down]] ^= True
            rates.append(((~predicted & truth).sum() / truth.sum(), (predicted & ~truth).sum() / (~truth).sum()))
    fnr, fpr = np.transpose(rates)
    assert result.fnr_bounds == pytest.approx((fnr.min(), fnr.max()))
    assert result.fpr_bounds == pytest.approx((fpr.min(), fpr.max()))


def test_more_noise_than_errors_is_pointed_out():
    result = noise_corrected(rate(2, 100), rate(1, 100), 100, 100, WrongLabels(0.05, 0))
    assert result.fnr.value == result.fnr.low == 0
    assert result.fnr.high > 0.01
    assert "the stated share is too high" in result.reason
    contradicted = noise_corrected(rate(2, 100), rate(1, 100), 100, 100, WrongLabels(0.3, 0))
    assert contradicted.fnr.status == "undefined"
    assert "the stated share is too high" in contradicted.reason


@pytest.mark.parametrize(("positives", "negatives"), [(-0.1, 0), (1, 0), (0, 1.5), (0.5, 0.5), (float("nan"), 0)])
def test_impossible_shares_are_refused(positives, negatives):
    with pytest.raises(InputError, match="wrong labels"):
        WrongLabels(positives, negatives)


def test_one_class_alone_is_undefined():
    result = noise_corrected(rate(0, 0), rate(1, 100), 0, 100, WrongLabels(0.1, 0.1))
    assert result.fnr.status == result.fpr.status == "undefined"
    assert result.reason == "no image is labelled positive"
