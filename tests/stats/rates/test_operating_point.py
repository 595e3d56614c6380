"""Operating points against scikit-learn's curve, and what ties, few images and people do to them."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve

from bincam.errors import InputError
from bincam.stats import Clusters
from bincam.stats.rates.operating_point import MIN_BEYOND, rate_at, residual_correlation


def independent(count):
    return Clusters.of([""] * count)


def at_curve(measure, stated, labels, scores):
    """The best rate on scikit-learn's curve at which the other is at least the stated one."""
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    own, other = (tpr, 1 - fpr) if measure == "sensitivity" else (1 - fpr, tpr)
    return own[other >= stated - 1e-12].max()


@pytest.mark.parametrize("measure", ["sensitivity", "specificity"])
@pytest.mark.parametrize("digits", [0, 1, 8])
def test_the_value_is_that_of_scikit_learns_curve_also_with_ties(measure, digits):
    rng = np.random.default_rng(digits)
    estimated = 0
    for _ in range(60):
        labels = rng.integers(0, 2, rng.integers(20, 80)).astype(float)
        scores = np.round(rng.normal(labels), digits)
        stated = rng.choice([0.5, 0.8, 0.9, 0.95])
        point = rate_at(measure, stated, scores, labels, independent(len(labels)))
        expected = at_curve(measure, stated, labels, scores)
        if not point.estimate.defined:
            assert point.needed or expected == 0
            continue
        estimated += 1
        assert point.estimate.value == pytest.approx(expected)
        positive = scores >= point.threshold  # the threshold is usable as it is
        sensitivity, specificity = positive[labels == 1].mean(), 1 - positive[labels == 0].mean()
        own, other = (sensitivity, specificity) if measure == "sensitivity" else (specificity, sensitivity)
        assert (own, other) == (pytest.approx(point.estimate.value), pytest.approx(point.attained))
        assert other >= stated - 1e-12
        assert point.estimate.low < point.estimate.high
        assert point.estimate.low <= point.estimate.value <= point.estimate.high
    assert estimated > 20


def test_a_specificity_mirrors_a_sensitivity():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300).astype(float)
    scores, clusters = rng.normal(labels), Clusters(rng.integers(0, 60, 300), known=True)
    one = rate_at("sensitivity", 0.9, scores, labels, clusters)
    other = rate_at("specificity", 0.9, -scores, 1 - labels, clusters)
    assert one.estimate == other.estimate
    assert (one.attained, one.others, one.other_identities) == (other.attained, other.others, other.other_identities)


def test_perfect_separation_is_no_certainty():
    labels = np.repeat([1.0, 0.0], [50, 200])
    point = rate_at("sensitivity", 0.95, labels * 2, labels, independent(250))
    assert point.estimate.value == 0 or point.estimate.low < 0.95  # the interval is that of 50 images at least
    scores = labels * 10 + np.linspace(0, 1, 250)
    point = rate_at("sensitivity", 0.95, scores, labels, independent(250))
    assert point.estimate.value == 1
    assert point.estimate.low == pytest.approx(50 / (50 + 1.959964**2), abs=1e-6)  # Wilson's
    assert (point.estimate.high, point.attained, point.estimate.status) == (1, 0.95, "ok")


@pytest.mark.parametrize(
    ("stated", "negatives", "status", "needed"),
    [(0.99, 20, "undefined", 100), (0.95, 20, "small", 100), (0.95, 99, "small", 100), (0.95, 100, "ok", 0)],
)
def test_a_rate_that_the_other_class_cannot_resolve_is_refused_with_what_is_needed(stated, negatives, status, needed):
    rng = np.random.default_rng(1)

    def point(count):
        labels = np.repeat([1.0, 0.0], [100, count])
        return rate_at("sensitivity", stated, rng.normal(2 * labels), labels, independent(100 + count))

    first = point(negatives)
    assert (first.estimate.status, first.needed) == (status, needed)
    assert bool(first.reason) == bool(needed)
    if needed:
        assert f"at least {needed:,} are needed" in first.reason
        followed = point(needed)  # with as many as it says
        assert followed.estimate.defined
        assert needed < MIN_BEYOND / (1 - stated) - 1e-6 or followed.estimate.status == "ok"


def test_equal_scores_that_leave_no_threshold_are_undefined_with_the_reason():
    labels = np.repeat([1.0, 0.0], [50, 100])
    scores = np.where(np.arange(150) < 40, 1.0, 0.0)
    scores[50:70] = 1.0  # 20 of 100 negatives share the highest score
    point = rate_at("sensitivity", 0.9, scores, labels, independent(150))
    assert (point.estimate.status, point.needed) == ("undefined", 0)
    assert "20 of 100 negatives share the highest score" in point.reason
    reached = rate_at("sensitivity", 0.8, scores, labels, independent(150))
    assert (reached.estimate.value, reached.attained, reached.threshold) == (0.8, 0.8, 1.0)


def test_unusable_images_are_left_out_and_single_classes_undefined():
    rng = np.random.default_rng(2)
    labels = np.repeat([1.0, 0.0], [60, 140])
    scores = rng.normal(2 * labels)
    clean = rate_at("sensitivity", 0.9, scores, labels, independent(200))
    more_labels, more_scores = np.append(labels, [np.nan, 1, 0]), np.append(scores, [5, np.nan, np.inf])
    assert rate_at("sensitivity", 0.9, more_scores, more_labels, independent(203)) == clean
    alone = rate_at("sensitivity", 0.9, scores[:60], labels[:60], independent(60))
    assert (alone.estimate.status, alone.reason, alone.to_json()["too_few"]) == ("undefined", "no negatives", True)
    for stated in (0, 1, 1.5, float("nan")):
        with pytest.raises(InputError, match="expected a number between 0 and 1"):
            rate_at("sensitivity", stated, scores, labels, independent(200))


def test_the_interval_includes_the_uncertainty_of_the_threshold_and_of_people():
    rng = np.random.default_rng(3)
    labels = np.repeat([1.0, 0.0], [400, 400])
    scores = rng.normal(2 * labels)
    many = rate_at("sensitivity", 0.9, scores, labels, independent(800)).estimate
    few = np.r_[0:400, 400:460]  # the same positives, a threshold from 60 negatives
    less = rate_at("sensitivity", 0.9, scores[few], labels[few], independent(460)).estimate
    assert less.images == many.images
    assert less.high - less.low > 1.3 * (many.high - many.low)
    person = np.repeat(np.arange(40), 20)  # of one class each
    resembling = scores + rng.normal(0, 1, 40)[person]
    apart = rate_at("sensitivity", 0.9, resembling, labels, independent(800)).estimate
    together = rate_at("sensitivity", 0.9, resembling, labels, Clusters(person, known=True)).estimate
    assert together.identities == 20
    assert together.high - together.low > 1.3 * (apart.high - apart.low)


def test_the_interval_contains_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(4)
    contained = 0
    for _ in range(400):
        labels = np.repeat([1.0, 0.0], [60, 240])
        estimate = rate_at("sensitivity", 0.9, rng.normal(1.8 * labels), labels, independent(300)).estimate
        contained += estimate.low <= norm.cdf(1.8 - norm.ppf(0.9)) <= estimate.high
    assert 0.93 <= contained / 400 <= 0.99


def test_correlation_of_two_sets_is_that_of_their_clusters():
    clusters = Clusters(np.repeat(np.arange(3), 2), known=True)
    first = np.tile([True, False], 3)
    values = np.array([1.0, 1, 0, 0, 0.5, 0.5])
    assert residual_correlation(values, first, values, ~first, clusters) == pytest.approx(1)
    assert residual_correlation(values, first, 1 - values, ~first, clusters) == pytest.approx(-1)
    assert residual_correlation(values, first, np.ones(6), ~first, clusters) == 0
    assert residual_correlation(values, first, values, ~first, independent(6)) == 0
