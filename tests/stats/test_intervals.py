"""Intervals against statsmodels and numpy, in the independent, the clustered and the degenerate case."""

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Estimate, estimate, undefined
from bincam.stats.intervals import (
    effective_count,
    gap,
    mean_of_two,
    mover_gap,
    mover_mean,
    mover_ratio,
    ratio,
    wilson,
)
from bincam.stats.proportions import shares


def proportion(hits, images, identities=None):
    low, high = wilson(hits / images, images)
    return estimate(hits / images, low, high, images, identities, "wilson")


@pytest.mark.parametrize(("hits", "images"), [(0, 20), (3, 40), (40, 40), (17, 2000)])
def test_wilson_is_statsmodels(hits, images):
    expected = proportion_confint(hits, images, method="wilson")
    np.testing.assert_allclose(wilson(hits / images, images), expected, atol=1e-12)


def test_nothing_counted_has_no_interval():
    low, high = wilson([np.nan, 0.5], [0, 10])
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


def test_clusters_of_one_image_are_independent_images():
    rng = np.random.default_rng(0)
    values = (rng.random((80, 3)) < [0.1, 0.5, 0.0]).astype(float)
    member = np.ones(values.shape, bool)
    alone = shares(values, member, Clusters.of([f"p{n}" for n in range(80)]))
    unknown = shares(values, member, Clusters.of([""] * 80))
    np.testing.assert_allclose([alone.low, alone.high], [unknown.low, unknown.high], atol=1e-9)
    expected = proportion_confint(values.sum(0), 80, method="wilson")
    np.testing.assert_allclose([alone.low, alone.high], expected, atol=1e-9)
    assert unknown.identities is None
    assert alone.identities.tolist() == [80, 80, 80]


def test_identical_images_of_a_person_count_as_one():
    rng = np.random.default_rng(1)
    people = (rng.random(60) < 0.3).astype(float)
    values, codes = np.repeat(people, 4), np.repeat(np.arange(60), 4)
    got = shares(values[:, None], np.ones((240, 1), bool), Clusters(codes, True))
    expected = proportion_confint(people.sum(), 60, method="wilson")
    np.testing.assert_allclose(
        [got.low[0], got.high[0]], expected, rtol=0.02
    )  # a little wider: 60 people, not 240 images


def test_no_error_among_few_people_is_less_certain_than_among_many():
    clean = np.zeros((60, 1))
    member = np.ones((60, 1), bool)
    few = shares(clean, member, Clusters(np.repeat(np.arange(6), 10), True))
    many = shares(clean, member, Clusters(np.arange(60), True))
    assert few.high[0] > 2 * many.high[0]
    one = shares(clean, member, Clusters(np.zeros(60, int), True))
    assert one.value[0] == 0
    assert np.isnan(one.high[0])


def test_negatively_correlated_clusters_gain_nothing():
    # Every person has one error in two images: the linearised variance is 0, and is not believed.
    got = effective_count(*(np.array(x, float) for x in (0.5, 100, 50, 0, 200)))
    assert got <= 100


@pytest.mark.parametrize("known", [True, False])
def test_wilson_covers(known):
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        people = 40
        tendency = rng.beta(0.2 * 2, 0.8 * 2, people) if known else np.full(people * 5, 0.2)
        codes = np.repeat(np.arange(people), 5)
        values = (rng.random(200) < (tendency[codes] if known else tendency)).astype(float)
        got = shares(values[:, None], np.ones((200, 1), bool), Clusters(codes if known else np.arange(200), known))
        inside += got.low[0] <= 0.2 <= got.high[0]
    assert 0.92 <= inside / 400 <= 0.99


def test_mover_gap_is_newcombes():
    expected = confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff")
    np.testing.assert_allclose(mover_gap(proportion(56, 70), proportion(48, 80)), expected, atol=1e-9)


def test_mover_ratio_contains_its_value_and_may_be_unbounded():
    low, high = mover_ratio(proportion(30, 100), proportion(10, 100))
    assert low < 3 < high
    # A known denominator leaves the numerator's interval, divided by it.
    exact = mover_ratio(Estimate(0.4, 0.3, 0.6, 50, None, "ok", ""), Estimate(0.2, 0.2, 0.2, 50, None, "ok", ""))
    np.testing.assert_allclose(exact, [1.5, 3.0])
    low, high = mover_ratio(proportion(30, 100), Estimate(0.1, 0.0, 0.2, 50, None, "ok", ""))
    assert math.isnan(high)
    assert low > 0


def test_mover_half_sum_is_narrower_than_either():
    one, other = proportion(10, 50), proportion(20, 50)
    low, high = mover_mean(one, other)
    assert low < 0.3 < high
    assert high - low < one.high - one.low


def test_figures_of_two_are_movers_and_keep_their_counts():
    worse, better = proportion(60, 100), proportion(30, 100)
    for found, value, ends in (
        (mean_of_two(worse, better, identities=70), 0.45, mover_mean(worse, better)),
        (gap(worse, better, identities=70), 0.3, mover_gap(worse, better)),
        (ratio(worse, better, identities=70), 2.0, mover_ratio(worse, better)),
    ):
        assert found.value == pytest.approx(value)
        assert (found.low, found.high) == pytest.approx(ends)
        assert (found.images, found.identities, found.status, found.method) == (200, 70, "ok", "variance recovery")
    assert gap(worse, proportion(2, 10), identities=70).status == "small"


def test_correlated_errors_widen_a_mean_and_narrow_a_gap_as_those_of_sums_do():
    # Symmetric intervals: the half widths are those of sums and differences of normal variables.
    first, second = Estimate(0.5, 0.4, 0.6, 50, None, "ok", ""), Estimate(0.3, 0.1, 0.5, 50, None, "ok", "")
    for r in (-0.6, 0.0, 0.8):
        together = math.sqrt(0.1**2 + 0.2**2 + 2 * r * 0.1 * 0.2) / 2
        apart = math.sqrt(0.1**2 + 0.2**2 - 2 * r * 0.1 * 0.2)
        assert mover_mean(first, second, r) == pytest.approx((0.4 - together, 0.4 + together))
        assert mover_gap(first, second, r) == pytest.approx((0.2 - apart, 0.2 + apart))
    assert mover_ratio(first, second, 0.8)[0] > mover_ratio(first, second)[0]


def test_no_error_at_all_makes_no_narrow_interval():
    worse, better = proportion(12, 60), proportion(0, 60)
    both = gap(better, better, identities=None)
    assert both.value == 0
    assert both.low < -0.05 < 0.05 < both.high
    half = mean_of_two(better, better, identities=None)
    assert half.low == 0
    assert half.high > 0.03
    assert gap(worse, better, identities=None).low < 0.12


def test_one_person_alone_has_no_interval_and_nothing_has_no_value():
    one = shares(np.zeros((60, 1)), np.ones((60, 1), bool), Clusters(np.zeros(60, int), True))
    alone = estimate(one.value[0], one.low[0], one.high[0], 60, 1, one.method)
    found = gap(proportion(18, 60), alone, identities=70)
    assert found.value == pytest.approx(0.3)
    assert found.status == "small"
    assert math.isnan(found.low)  # the person's rate might be higher
    assert gap(proportion(3, 60), undefined("wilson"), identities=None).status == "undefined"
    assert mean_of_two(undefined("wilson"), alone, identities=None).status == "undefined"


def test_a_ratio_over_what_may_be_nothing_has_no_upper_end():
    found = ratio(proportion(30, 100), Estimate(0.1, 0.0, 0.2, 100, None, "ok", ""), identities=None)
    assert math.isnan(found.high)
    assert 0 < found.low < 3
    assert ratio(proportion(30, 100), proportion(0, 100), identities=None).status == "undefined"
    negative = Estimate(-0.1, -0.2, 0.0, 50, None, "ok", "")
    assert ratio(negative, proportion(10, 100), identities=None).status == "undefined"


def test_errors_that_people_share_between_classes_are_covered_with_their_correlation():
    rng = np.random.default_rng(6)
    runs, people, each = 300, 40, 10
    codes, second = np.repeat(np.arange(people), each), np.tile(np.arange(each) % 2, people)
    clusters, member = Clusters(codes, True), second[:, None] == np.arange(2)
    covered = {"balanced": 0, "balanced, independent": 0, "gap": 0}
    wide = {"gap": 0.0, "gap, independent": 0.0}
    for _ in range(runs):
        wrong = (rng.random(people * each) < rng.beta(0.5, 2, people)[codes]).astype(np.float32)  # 20 % in both classes
        share = shares(np.stack([wrong, wrong], 1), member, clusters)
        parts = [share.estimate(k) for k in range(2)]
        joint = correlation(*group_means(wrong[:, None], second, np.eye(2), clusters).contributions[..., 0])
        balanced = mean_of_two(*parts, correlation=joint, identities=people)
        apart = gap(*parts, correlation=joint, identities=people)
        low, high = mover_mean(*parts)
        covered["balanced"] += balanced.low <= 0.2 <= balanced.high
        covered["balanced, independent"] += low <= 0.2 <= high
        covered["gap"] += apart.low <= 0 <= apart.high
        wide["gap"] += apart.high - apart.low
        wide["gap, independent"] += np.diff(mover_gap(*parts))[0]
    assert 0.93 <= covered["balanced"] / runs <= 0.98
    assert covered["balanced, independent"] / runs < 0.92
    assert 0.93 <= covered["gap"] / runs <= 0.98
    assert wide["gap"] < 0.75 * wide["gap, independent"]


def test_small_and_undefined_cells_say_so():
    assert proportion(1, 19).status == "small"
    assert proportion(1, 20).status == "ok"
    assert proportion(1, 100, identities=4).status == "small"
    assert estimate(math.nan, 0, 1, 0, 0, "x").status == "undefined"
    assert estimate(math.nan, 0, 1, 0, 0, "x").to_json() == {
        "value": None,
        "low": None,
        "high": None,
        "images": 0,
        "identities": 0,
        "status": "undefined",
        "method": "x",
    }
