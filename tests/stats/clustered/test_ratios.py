"""Ratios of sums: against means and the jackknife, in repeated samples, and degenerate."""

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.stats.clustered.means import overall_means
from bincam.stats.clustered.ratios import ratio_of_sums
from bincam.stats.clusters import Clusters


def people(count, each=1):
    return Clusters(np.repeat(np.arange(count), each), known=True)


def test_with_equal_denominators_it_is_the_mean():
    values = np.random.default_rng(0).gamma(2.0, size=60)
    clusters = people(12, 5)
    ratio = ratio_of_sums(values * 4, np.full(60, 4.0), clusters)
    mean = overall_means(values[:, None], clusters).estimate(0, 0)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((mean.value, mean.low, mean.high))
    assert (ratio.images, ratio.identities, ratio.status) == (60, 12, "ok")
    assert ratio.method == "ratio, cluster t, skewness"


def test_its_variance_is_the_jackknifes():
    """Leaving out one person at a time: first order in the denominators, so nearly, not exactly."""
    random = np.random.default_rng(1)
    bottom = random.uniform(1, 2, 200)
    top = bottom * random.normal(0.6, 0.2, 200)
    clusters = people(200)
    found = ratio_of_sums(top, bottom, clusters, level=0.6827)
    left_out = [(top.sum() - a) / (bottom.sum() - b) for a, b in zip(top, bottom, strict=True)]
    error = np.sqrt(199 / 200 * np.square(np.array(left_out) - np.mean(left_out)).sum())
    assert (found.high - found.low) / 2 == pytest.approx(error, rel=0.02)


def test_intervals_cover_in_repeated_samples():
    random = np.random.default_rng(2)
    covered, samples = 0, 400
    for _ in range(samples):
        level = random.normal(0, 0.3, 25)[:, None]  # of a person, in all of their pairs
        bottom = random.exponential(1.0, (25, 3)) + 0.1
        top = bottom * (0.5 + level + random.normal(0, 0.5, (25, 3)))
        found = ratio_of_sums(top.ravel(), bottom.ravel(), people(25, 3))
        covered += found.low <= 0.5 <= found.high
    assert 0.92 <= covered / samples <= 0.985


def test_small_denominators_do_not_rule():
    """The mean of ratios of the same pairs would be 500."""
    found = ratio_of_sums([1.0, 1.0, 1e-3], [2.0, 2.0, 1e-6], people(3))
    assert found.value == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("top", "bottom", "status", "images"),
    [
        ([1.0, 2.0], [0.0, 0.0], "undefined", 0),
        ([np.nan, 1.0], [1.0, np.nan], "undefined", 0),
        ([1.0, np.nan], [1.0, 1.0], "small", 1),  # one person with a value
        ([1.0, 2.0], [2.0, 4.0], "small", 2),  # equal ratios have no interval
    ],
)
def test_degenerate(top, bottom, status, images):
    found = ratio_of_sums(top, bottom, people(2))
    assert (found.status, found.images) == (status, images)
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_mistakes_are_refused():
    with pytest.raises(InputError, match="denominators are not negative, got -1"):
        ratio_of_sums([1.0], [-1.0], people(1))
    with pytest.raises(InputError, match=r"expected \(2,\)"):
        ratio_of_sums([1.0], [1.0], people(2))
