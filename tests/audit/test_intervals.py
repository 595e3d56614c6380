"""Intervals against statsmodels and numpy, in the independent, the clustered and the degenerate case."""

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from bincam.audit.bootstrap import shares
from bincam.audit.groups import Clusters
from bincam.audit.intervals import (
    Estimate,
    effective_count,
    estimate,
    gap,
    mean_of_two,
    quantiles,
    ratio,
    undefined,
    wilson,
)


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


def test_quantiles_are_numpys_and_leave_out_what_is_undefined():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(3, 501)).astype(np.float32)
    samples[1, rng.choice(501, 100, replace=False)] = np.nan
    samples[2, :300] = np.nan
    low, high = quantiles(samples.copy())
    np.testing.assert_allclose([low[:2], high[:2]], np.nanquantile(samples[:2], [0.025, 0.975], axis=1), rtol=1e-5)
    assert np.isnan([low[2], high[2]]).all()


def test_gap_is_newcombes():
    worse, better = proportion(56, 70), proportion(48, 80)
    expected = confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff")
    found = gap(worse, better)
    assert found.value == pytest.approx(0.2)
    np.testing.assert_allclose([found.low, found.high], expected, atol=1e-9)
    assert found.images == 150


def test_ratio_holds_its_value_and_knows_when_it_is_unbounded():
    found = ratio(proportion(30, 100), proportion(10, 100))
    assert found.low < 3 < found.high
    # A known denominator leaves the numerator's interval, divided by it.
    exact = ratio(Estimate(0.4, 0.3, 0.6, 50, None, "ok", ""), Estimate(0.2, 0.2, 0.2, 50, None, "ok", ""))
    np.testing.assert_allclose([exact.low, exact.high], [1.5, 3.0])
    open_ended = ratio(proportion(30, 100), Estimate(0.1, 0.0, 0.2, 50, None, "ok", ""))
    assert math.isnan(open_ended.high)
    assert open_ended.low > 0
    assert ratio(proportion(30, 100), proportion(0, 100)).status == "undefined"


def test_half_the_sum_of_two_is_narrower_than_either():
    one, other = proportion(10, 50), proportion(20, 50)
    found = mean_of_two(one, other)
    assert found.value == pytest.approx(0.3)
    assert found.high - found.low < one.high - one.low
    assert mean_of_two(one, undefined("wilson")).status == "undefined"
    assert mean_of_two(one, proportion(2, 10)).status == "small"


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
