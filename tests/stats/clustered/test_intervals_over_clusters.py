"""Contributions of clusters against statsmodels, identities, hand cases, and images that all have the same value."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from bincam.stats.clustered.attribute_average import AttributeAverage
from bincam.stats.clustered.contributions import Spread, correlation, skewed
from bincam.stats.clustered.means import group_means
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import estimate
from bincam.stats.intervals import effective_number, wilson
from bincam.stats.proportions import shares

UNIT = np.zeros(1), np.ones(1)


def one_group(values, clusters, bounds=(-np.inf, np.inf)):
    return group_means(values[:, None], np.zeros(len(values), int), np.ones((1, 1)), clusters, bounds)


def error_of(means):
    return Spread.of(means.contributions[0].astype(float), means.clusters[0]).error[0]


@pytest.mark.parametrize("each", [1, 4])
def test_the_standard_error_is_the_cluster_robust_one_of_statsmodels(each):
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(30), each)
    values = rng.normal(size=30)[codes] + rng.normal(size=len(codes))
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": codes})
    assert error_of(one_group(values, Clusters(codes, True))) == pytest.approx(fit.bse[0], rel=1e-5)
    if each == 1:
        assert fit.bse[0] == pytest.approx(values.std(ddof=1) / np.sqrt(30))


def test_the_standard_error_is_that_of_the_jackknife_over_clusters():
    rng = np.random.default_rng(1)
    sizes = np.array([1, 2, 3, 20, 5, 9])
    codes = np.repeat(np.arange(6), sizes)
    values = rng.normal(size=6)[codes] + rng.exponential(size=len(codes))
    without = np.array([values[codes != k].mean() for k in range(6)])
    expected = np.sqrt(5 / 6 * ((without - values.mean()) ** 2).sum())
    assert error_of(one_group(values, Clusters(codes, True))) == pytest.approx(expected, rel=1e-5)


def test_halls_transformation_is_undone():
    for skewness in (-0.9, -0.1, 1e-9, 0.4, 1.0):
        spread = Spread(np.float64(2.0), np.float64(7.0), np.float64(skewness))
        low, high = skewed(np.float64(10.0), spread)
        for end, quantile in ((low, stats.t.ppf(0.975, 7)), (high, stats.t.ppf(0.025, 7))):
            t, g = (10 - end) / 2, skewness
            assert t + g * t**2 / 3 + g**2 * t**3 / 27 + g / 6 == pytest.approx(quantile, abs=1e-7)
    even = skewed(np.float64(10.0), Spread(np.float64(2.0), np.float64(7.0), np.float64(0)))
    assert even == pytest.approx(stats.t.interval(0.95, 7, 10, 2))


def test_a_mean_with_a_long_tail_to_the_right_may_be_larger_rather_than_smaller():
    values = np.exp(np.random.default_rng(0).normal(size=60))
    means = one_group(values, Clusters.of([""] * 60))
    assert means.high[0, 0] - means.value[0, 0] > 1.2 * (means.value[0, 0] - means.low[0, 0])


def test_equal_values_are_no_certainty():
    for count, known in ((18, False), (3, False), (40, True)):
        clusters = Clusters(np.arange(count) // (2 if known else 1), known)
        values = np.full(count, 0.83, np.float32)
        unbounded = one_group(values, clusters, (-np.inf, 1.0)).estimate(0, 0)
        assert np.isnan(unbounded.low)
        assert unbounded.status == "small"
        bounded = one_group(np.zeros(count), clusters, (0.0, 1.0)).estimate(0, 0)
        effective = count // (2 if known else 1)
        assert (bounded.value, bounded.low) == (0, 0)
        assert bounded.high == pytest.approx(wilson(0.0, effective)[1])
    nearly = np.full(40, 0.83, np.float32) + np.float32(1e-8) * np.arange(40, dtype=np.float32)
    assert np.isnan(one_group(nearly, Clusters.of([""] * 40)).low[0, 0])
    assert np.isnan(one_group(np.arange(20.0), Clusters(np.zeros(20, int), True)).low[0, 0])  # one person


def test_an_effective_number_is_between_people_and_images():
    rng = np.random.default_rng(1)
    for _ in range(50):
        codes = np.sort(rng.integers(0, 25, 200))
        wrong = (rng.random(25) < 0.2)[codes] * (rng.random(200) < rng.random())
        share = shares(
            wrong[:, None].astype(float),
            np.ones((200, 1), bool),
            Clusters(np.unique(codes, return_inverse=True)[1], True),
        )
        widest = wilson(share.value, 25 * (stats.t.ppf(0.975, 199) / stats.t.ppf(0.975, 24)) ** 2 / 2)
        narrowest = wilson(share.value, 200)
        assert widest[0] <= share.low <= narrowest[0] + 1e-9
        assert narrowest[1] - 1e-9 <= share.high <= widest[1]
    assert effective_number(0.1, 0.0, 0.09 / 199, 10, 200, 200, 200) == pytest.approx(200)
    assert np.isnan(effective_number(0.0, 0, 0, np.nan, 60, 1, 1))


def average_of(columns, clusters):
    share = shares(columns, np.ones(columns.shape, bool), clusters)
    average = AttributeAverage(1, 1, clusters.count, np.array([True]), UNIT, known=clusters.known)
    for a in range(columns.shape[1]):
        average.add(one_group(columns[:, a], clusters, (0.0, 1.0)), [[share.estimate(a)]])
    return average.estimate(0, 0), share.estimate(0)


def test_a_mean_over_attributes_is_one_attributes_where_all_are_the_same_and_narrower_where_they_are_not():
    rng = np.random.default_rng(2)
    codes = np.repeat(np.arange(50), 6)
    clusters = Clusters(codes, True)
    wrong = (rng.random((300, 5)) < rng.beta(0.5, 2, (50, 5))[codes]).astype(float)
    alone, own = average_of(wrong[:, :1], clusters)
    assert alone == own
    same, own = average_of(np.repeat(wrong[:, :1], 5, 1), clusters)
    assert (same.low, same.high) == pytest.approx((own.low, own.high), rel=0.1)
    different, own = average_of(wrong, clusters)
    assert different.high - different.low < 0.75 * (own.high - own.low)
    none, own = average_of(np.zeros((300, 5)), clusters)
    assert (none.low, none.high) == pytest.approx((own.low, own.high))
    assert none.high > 0.05


def test_two_models_that_agree_on_all_images_may_differ_on_others():
    codes = np.repeat(np.arange(40), 3)
    clusters, wrong = Clusters(codes, True), np.tile([1.0, 0, 0], 40)
    same = paired_shares(wrong, wrong, clusters)
    assert same.value == 0
    assert same.low == pytest.approx(-same.high)
    assert same.high > 0.05
    better = np.where(np.arange(120) < 60, 0, wrong)
    difference = paired_shares(wrong, better, clusters)
    assert (difference.value, difference.images, difference.identities) == (pytest.approx(20 / 120), 120, 40)
    assert difference.low > 0
    nothing = paired_shares(np.full(5, np.nan), np.ones(5), Clusters.of([""] * 5))
    assert nothing.status == "undefined"


def test_correlation_is_that_of_the_sums():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 40))
    first, second = first - first.mean(), second - second.mean()
    assert correlation(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert correlation(first, 0 * second) == 0
    assert estimate(0, 0, 0.1, 30, None, "").status == "ok"
