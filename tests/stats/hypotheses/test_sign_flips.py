"""Sign flips against all choices of signs, and the power at detectable differences."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from bincam.stats.hypotheses.sign_flips import LARGEST, MANY, detectable, effective_clusters, joint_tail, tail


def all_sums(contributions):
    return np.array([np.dot(signs, contributions) for signs in itertools.product((1, -1), repeat=len(contributions))])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("greater", [False, True])
def test_tail_counts_all_signs(seed, greater):
    u = np.random.default_rng(seed).lognormal(size=11) * np.random.default_rng(seed).choice([-1, 1], 11)
    observed = u.sum()
    sums = all_sums(u)
    expected = np.mean(sums >= observed - 1e-9) if greater else np.mean(np.abs(sums) >= abs(observed) - 1e-9)
    assert tail(u, observed, greater=greater) == pytest.approx(expected, abs=0.01)


def test_equal_contributions_are_binomial():
    assert tail(np.ones(20), 20.0) == pytest.approx(2 / 2**20)
    assert tail(np.ones(20), 8.0) == pytest.approx(stats.binomtest(14, 20).pvalue)
    assert tail(np.ones(20), -8.0, greater=True) == pytest.approx(stats.binom.sf(5, 20, 0.5))
    assert tail(np.zeros(5), 0.0) == 1


def test_the_three_ways_of_counting_agree():
    u = np.random.default_rng(0).normal(size=LARGEST + 300)  # an effective number above MANY
    assert effective_clusters(u) > MANY
    observed = 2.2 * math.sqrt((u**2).sum())
    by_t = tail(u, observed)
    some = u[:150] / np.abs(u[:150]).max()
    large = np.r_[np.full(40, 6.0), np.random.default_rng(1).normal(size=400)]  # few decide, and many are small
    assert effective_clusters(large) < MANY
    signs = np.random.default_rng(2).choice([-1.0, 1.0], (20_000, len(large)))
    at = 1.8 * math.sqrt((large**2).sum())
    assert by_t == pytest.approx(2 * stats.norm.sf(2.2), rel=0.05)
    assert tail(large, at) == pytest.approx(np.mean(np.abs(signs @ large) >= at), abs=0.005)
    assert 0 < tail(some, 2.2 * math.sqrt((some**2).sum())) < 0.05


def test_joint_tail_of_one_sum_is_its_tail():
    u = np.random.default_rng(3).normal(size=10)
    squared = u.sum() ** 2 / (u**2).sum()
    assert joint_tail(u[:, None], squared) == pytest.approx(tail(u, u.sum()), abs=0.01)
    many = np.random.default_rng(3).normal(size=60)
    squared = many.sum() ** 2 / (many**2).sum()
    assert joint_tail(many[:, None], squared) == pytest.approx(tail(many, many.sum()), abs=0.02)


def test_detectable_differences_of_many_clusters_are_those_of_the_normal_test():
    expected = (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) * 0.03
    assert detectable(0.03, 10**6, 1e6, 0.05) == pytest.approx(expected, rel=1e-3)
    one_sided = (stats.norm.isf(0.05) + stats.norm.ppf(0.8)) * 0.03
    assert detectable(0.03, 10**6, 1e6, 0.05, sides=1) == pytest.approx(one_sided, rel=1e-3)
    assert detectable(0.03, 10**6, 1e6, 0.05, groups=3) > expected
    assert math.isnan(detectable(math.nan, 10, 10, 0.05))


def test_few_clusters_cannot_reach_a_corrected_level():
    """Of 10 people in a family of 40 tests: even if all agree, p is 2/1024, more than 0.05/40."""
    assert detectable(0.1, 10, 10, 0.05 / 40) == math.inf
    assert math.isfinite(detectable(0.1, 10, 10, 0.05))
    assert tail(np.ones(10), 10.0) > 0.05 / 40
