"""Predictive values against Bayes' theorem and the interval of Mercaldo, Lau and Zhou, and where rates are 0 or 1."""

import math

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from bincam.errors import InputError
from bincam.stats import Clusters
from bincam.stats.rates.predictive_value import predictive_values


def table(tp, fn, fp, tn):
    """Labels and predictions with these counts."""
    return np.repeat([1.0, 1, 0, 0], [tp, fn, fp, tn]), np.repeat([1.0, 0, 1, 0], [tp, fn, fp, tn])


def values(counts, prevalence=None):
    labels, predicted = table(*counts)
    return predictive_values(predicted, labels, Clusters.of([""] * len(labels)), prevalence)


@pytest.mark.parametrize("prevalence", [0.001, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("counts", [(90, 10, 20, 180), (300, 100, 50, 550)])
def test_values_are_those_of_bayes_and_intervals_near_those_on_the_logit_scale(counts, prevalence):
    tp, fn, fp, tn = counts
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    result = values(counts, prevalence)
    positive = sensitivity * prevalence / (sensitivity * prevalence + (1 - specificity) * (1 - prevalence))
    negative = specificity * (1 - prevalence) / (specificity * (1 - prevalence) + (1 - sensitivity) * prevalence)
    assert result.ppv.value == pytest.approx(positive)
    assert result.npv.value == pytest.approx(negative)
    # Mercaldo, Lau and Zhou 2007: the variance of the logit, by the delta method.
    for estimate, variance in (
        (result.ppv, (1 - sensitivity) / tp + specificity / fp),
        (result.npv, sensitivity / fn + (1 - specificity) / tn),
    ):
        ends = expit(logit(estimate.value) + np.array([-1, 1]) * norm.ppf(0.975) * math.sqrt(variance))
        assert logit([estimate.low, estimate.high]) == pytest.approx(logit(ends), abs=0.15)
    assert (result.ppv.images, result.ppv.status) == (sum(counts), "ok")


def test_at_the_audited_prevalence_both_ways_agree_and_the_interval_is_wilsons():
    counts = (45, 15, 30, 210)
    audited, stated = values(counts), values(counts, 60 / 300)
    assert audited.prevalence == pytest.approx(0.2)
    assert audited.audited
    assert not stated.audited
    assert audited.ppv.value == pytest.approx(stated.ppv.value)
    assert audited.npv.value == pytest.approx(stated.npv.value)
    low, high = proportion_confint(45, 75, method="wilson")
    assert (audited.ppv.low, audited.ppv.high, audited.ppv.images) == (pytest.approx(low), pytest.approx(high), 75)
    assert [entry["stated"] for entry in audited.to_json() + stated.to_json()] == ["audited"] * 2 + [0.2] * 2


@pytest.mark.parametrize(
    "counts", [(50, 0, 0, 100), (50, 0, 10, 90), (40, 10, 0, 100), (0, 50, 10, 90), (0, 50, 1, 99)]
)
def test_rates_of_0_and_1_are_no_certainty(counts):
    result = values(counts, 0.01)
    for estimate in (result.ppv, result.npv):
        assert estimate.high - estimate.low > 1e-4
        assert estimate.low <= estimate.value <= estimate.high
    if counts[2] == 0:  # no false alarm among 100 negatives says little about positive predictions at 1 %
        assert (result.ppv.value, result.ppv.high) == (1, 1)
        assert result.ppv.low < 0.25
    if counts[0] == 0:
        assert (result.ppv.value, result.ppv.low) == (0, 0)


def test_what_is_undefined_says_why():
    never = values((0, 50, 0, 100), 0.1)
    assert (never.ppv.status, never.reasons) == ("undefined", ("no image is predicted positive", ""))
    assert never.npv.value == pytest.approx(0.9)
    assert values((0, 50, 0, 100)).reasons[0] == "no image is predicted positive"
    single = values((50, 10, 0, 0), 0.1)
    assert single.reasons == ("no negatives", "no negatives")
    assert [entry["too_few"] for entry in (*never.to_json()[:1], *single.to_json())] == [False, True, True]
    nothing = predictive_values(np.full(3, np.nan), np.ones(3), Clusters.of([""] * 3))
    assert (nothing.ppv.status, nothing.prevalence) == ("undefined", pytest.approx(math.nan, nan_ok=True))
    for prevalence in (0, 1, -0.1, math.nan):
        with pytest.raises(InputError, match="prevalence: got"):
            values((5, 5, 5, 5), prevalence)


def test_a_class_of_few_images_makes_both_values_small():
    assert values((10, 5, 20, 400), 0.1).ppv.status == "small"
    assert values((10, 5, 20, 400), 0.1).npv.status == "small"


def test_people_in_both_classes_are_accounted_for():
    rng = np.random.default_rng(0)
    person, labels = np.tile(np.arange(60), 20), np.repeat([1.0, 0.0], 600)
    widths = {}
    for name, sign in (("the same", 1), ("opposite", -1)):  # people who are predicted positive in any case, or wrongly
        own = rng.normal(0, 1, 60)[person]
        predicted = (rng.normal(np.where(labels > 0, 1.0, -1.0)) + own * np.where(labels > 0, 1, sign) > 0).astype(
            float
        )
        result = predictive_values(predicted, labels, Clusters(person, known=True), 0.5).ppv
        widths[name] = result.high - result.low
    assert widths["opposite"] > 1.2 * widths["the same"]


def test_the_interval_contains_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    truth = 0.9 * 0.05 / (0.9 * 0.05 + 0.1 * 0.95)
    contained = 0
    for _ in range(400):
        tp, fp = rng.binomial(80, 0.9), rng.binomial(120, 0.1)
        ppv = values((tp, 80 - tp, fp, 120 - fp), 0.05).ppv
        contained += ppv.low <= truth <= ppv.high
    assert 0.93 <= contained / 400 <= 0.98
