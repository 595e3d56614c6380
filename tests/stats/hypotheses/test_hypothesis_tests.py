"""Tests of differences against statsmodels and scipy, their size under no difference, and their correction."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportions_ztest

from bincam.stats.clusters import Clusters
from bincam.stats.hypotheses.hypothesis_tests import (
    EXACT_CLUSTERS,
    Test,
    adjust_by_holm,
    difference_test,
    family,
    mcnemar,
    paired_test,
)


def alone(count):
    return Clusters(np.arange(count), known=False)


def test_two_large_groups_give_the_two_proportion_test():
    rng = np.random.default_rng(0)
    values = (rng.random(6000) < 0.2).astype(float)
    group = np.repeat([0, 1], 3000)
    values[:100] = 1
    found = difference_test(values, group, alone(6000))
    z, p = proportions_ztest([values[:3000].sum(), values[3000:].sum()], [3000, 3000])
    assert found.statistic == pytest.approx(z, rel=0.02)
    assert found.p == pytest.approx(p, rel=0.1)
    assert difference_test(values, group, alone(6000), greater=True).p == pytest.approx(found.p / 2)


def test_three_groups_agree_with_analysis_of_variance():
    rng = np.random.default_rng(1)
    values, group = rng.normal(size=3000), np.repeat([0, 1, 2], 1000)
    values[group == 2] += 0.1
    found = difference_test(values, group, alone(3000))
    expected = stats.f_oneway(*(values[group == g] for g in range(3)))
    assert found.statistic == pytest.approx(expected.statistic, rel=0.05)
    assert found.p == pytest.approx(expected.pvalue, rel=0.3)


@pytest.mark.parametrize("clustered", [True, False])
def test_no_difference_is_found_no_oftener_than_stated(clustered):
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(500):
        codes = np.repeat(np.arange(60), 5) if clustered else np.arange(300)
        tendency = rng.beta(1, 4, 300)[codes]
        values = (rng.random(300) < tendency).astype(float)
        group = (rng.random(60)[codes] < 0.3).astype(int) if clustered else (np.arange(300) < 60).astype(int)
        p = difference_test(values, group, Clusters(codes, clustered)).p
        hits += p <= 0.05
    assert hits / 500 <= 0.075


def test_a_difference_that_rests_on_one_person_is_not_taken_for_certain():
    codes = np.repeat(np.arange(40), 10)
    values = np.zeros(400)
    values[:10] = 1  # all ten images of the first person are wrong
    group = (codes >= 8).astype(int)
    assert difference_test(values, group, Clusters(codes, True)).p > 0.2
    assert difference_test(values, group, alone(400)).p < 0.01


def test_twenty_people_suffice_to_find_nothing_and_something():
    """The size was below .015 where .05 is nominal, and the power accordingly low."""
    rng = np.random.default_rng(30)
    hits = {0.0: [], 0.25: []}
    for difference, found in hits.items():
        for _ in range(300):
            codes = np.repeat(np.arange(20), rng.integers(2, 20, 20))
            group = rng.integers(0, 2, len(codes))
            tendency = rng.beta(2, 6, 20)[codes] + np.where(group == 0, difference, 0)
            values = (rng.random(len(codes)) < tendency).astype(float)
            test = difference_test(values, group, Clusters(codes, True))
            found.append((test.p <= 0.05, test.detectable()))
    assert 0.02 < np.mean([p for p, _ in hits[0.0]]) < 0.075
    assert np.mean([p for p, _ in hits[0.25]]) > 0.9
    assert 0.1 < np.median([smallest for _, smallest in hits[0.0]]) < 0.25


def test_rare_errors_in_a_small_group_are_no_finding():
    """40 images of 5 % errors usually have none or few, whose own spread is too small to judge by."""
    rng = np.random.default_rng(4)
    p = []
    for _ in range(300):
        codes = np.repeat(np.arange(40), 10)
        group = np.tile(np.r_[0, np.ones(9, int)], 40)
        p.append(difference_test((rng.random(400) < 0.05).astype(float), group, Clusters(codes, True)).p)
    assert np.mean(np.array(p) <= 0.05) < 0.075


def test_a_detectable_difference_is_found_in_eight_of_ten_audits():
    rng = np.random.default_rng(5)

    def test_of(difference):
        codes = np.repeat(np.arange(30), 8)
        group = (codes >= 15).astype(int)
        tendency = np.clip(rng.beta(3, 7, 30)[codes] + np.where(group == 0, difference, 0), 0, 1)
        return difference_test((rng.random(240) < tendency).astype(float), group, Clusters(codes, True))

    difference = float(np.median([test_of(0.0).detectable() for _ in range(100)]))
    assert np.mean([test_of(difference).p <= 0.05 for _ in range(200)]) == pytest.approx(0.8, abs=0.1)


def test_detectable_differences_of_mcnemar_are_found():
    rng = np.random.default_rng(6)

    def test_of(difference):
        first = (rng.random(300) < 0.1 + difference).astype(float)
        return mcnemar(first, (rng.random(300) < 0.1).astype(float), alone(300))

    difference = float(np.median([test_of(0.0).detectable() for _ in range(100)]))
    assert np.mean([test_of(difference).p <= 0.05 for _ in range(200)]) == pytest.approx(0.8, abs=0.12)
    nothing_differs = mcnemar(np.zeros(300), np.zeros(300), alone(300))
    assert nothing_differs.detectable() == pytest.approx(7.85 / 300, rel=0.02)


def test_three_groups_of_people_are_not_found_different_too_often():
    rng = np.random.default_rng(7)
    p = []
    for _ in range(200):
        codes = np.repeat(np.arange(24), rng.integers(3, 15, 24))
        values = (rng.random(len(codes)) < rng.beta(2, 4, 24)[codes]).astype(float)
        p.append(difference_test(values, codes % 3, Clusters(codes, True)).p)
    assert 0.01 < np.mean(np.array(p) <= 0.05) < 0.09


def test_a_family_states_what_it_could_have_found():
    rng = np.random.default_rng(8)
    codes = np.repeat(np.arange(10), 30)
    wrong = (rng.random((300, 40)) < 0.3).astype(float)
    tests = [difference_test(wrong[:, a], np.arange(300) % 2, Clusters(codes, True)) for a in range(40)]
    large = family("f", [({}, test) for test in tests])["tests"][0]
    assert (large["detectable"], large["undetectable"]) == (None, True), "2/1024 is more than 0.05/40"
    alone_in_family = family("f", [({}, tests[0])])["tests"][0]
    assert alone_in_family["detectable"] == pytest.approx(tests[0].detectable())
    assert not alone_in_family["undetectable"]


def test_small_groups_and_groups_without_spread_are_not_tested():
    values = np.r_[np.zeros(10), np.ones(100)]
    group = np.r_[np.zeros(10, int), np.ones(100, int)]
    found = difference_test(values, group, alone(110))
    assert np.isnan(found.p)
    assert found.difference == -1
    assert np.isnan(difference_test(np.zeros(100), np.repeat([0, 1], 50), alone(100)).p)
    assert np.isnan(difference_test(np.full(100, np.nan), np.repeat([0, 1], 50), alone(100)).p)
    few = Clusters(np.repeat(np.arange(4), 25), True)
    assert np.isnan(difference_test(np.arange(100.0), np.repeat([0, 1], 50), few).p)


@pytest.mark.parametrize(("only_first", "only_second"), [(12, 3), (5, 5), (0, 8), (0, 0)])
def test_mcnemar_of_single_images_is_statsmodels_exact(only_first, only_second):
    first = np.r_[np.ones(only_first), np.zeros(only_second), np.ones(20), np.zeros(50)]
    second = np.r_[np.zeros(only_first), np.ones(only_second), np.ones(20), np.zeros(50)]
    found = mcnemar(first, second, alone(len(first)))
    expected = statsmodels_mcnemar([[20, only_first], [only_second, 50]], exact=True).pvalue
    assert found.p == pytest.approx(min(expected, 1))
    assert found.difference == pytest.approx((only_first - only_second) / len(first))


def test_mcnemar_of_many_images_is_statsmodels_uncorrected():
    b, c = 150, EXACT_CLUSTERS - 80
    first = np.r_[np.ones(b), np.zeros(c), np.zeros(300)]
    second = np.r_[np.zeros(b), np.ones(c), np.zeros(300)]
    expected = statsmodels_mcnemar([[300, b], [c, 0]], exact=False, correction=False).pvalue
    assert mcnemar(first, second, alone(len(first))).p == pytest.approx(expected)


def test_mcnemar_counts_all_signs_of_people():
    sums = [3, -1, 2, 2, 1]
    first, second, codes = [], [], []
    for person, total in enumerate(sums):
        for n in range(6):
            first.append(float(n < max(total, 0)))
            second.append(float(n < max(-total, 0)))
            codes.append(person)
    found = mcnemar(np.array(first), np.array(second), Clusters(np.array(codes), True))
    flips = [
        abs(sum(s * abs(x) for s, x in zip(signs, sums, strict=True))) for signs in itertools.product((1, -1), repeat=5)
    ]
    assert found.p == pytest.approx(np.mean([flip >= abs(sum(sums)) for flip in flips]))
    assert found.identities == 5


def test_mcnemar_leaves_out_what_is_unknown():
    first = np.r_[np.nan, np.ones(30)]
    found = mcnemar(first, np.zeros(31), alone(31))
    assert found.images == 30
    assert np.isnan(mcnemar(np.ones(5), np.zeros(5), alone(5)).p)


def test_paired_differences_agree_with_students_test():
    rng = np.random.default_rng(0)
    d = rng.normal(size=2000) + 0.05
    found = paired_test(d, alone(2000))
    assert found.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, rel=0.05)
    assert found.difference == pytest.approx(d.mean())
    assert paired_test(np.zeros(50), alone(50)).p == 1
    assert np.isnan(paired_test(np.zeros(5), alone(5)).p)
    assert np.isnan(paired_test(np.full(50, np.nan), alone(50)).p)


def test_a_family_is_corrected_over_the_tests_that_could_be_made():
    p = [0.001, 0.012, 0.04, 0.3, np.nan]
    result = family("f", [({"attribute": str(n)}, Test(0, 0, value, 9, None, "t")) for n, value in enumerate(p)])
    assert (result["size"], result["undefined"], result["findings"]) == (4, 1, 2)
    np.testing.assert_allclose([t["holm"] for t in result["tests"][:4]], multipletests(p[:4], method="holm")[1])
    np.testing.assert_allclose([t["bh"] for t in result["tests"][:4]], multipletests(p[:4], method="fdr_bh")[1])
    assert result["tests"][4]["holm"] is None
    assert not result["tests"][4]["finding"]
    assert family("none", [])["size"] == 0


@pytest.mark.parametrize("count", [1, 2, 7, 40, 200])
def test_holm_is_that_of_statsmodels_to_the_bit(count, monkeypatch):
    monkeypatch.setattr("gc.collect", lambda *_: 0)  # statsmodels calls it each time
    rng = np.random.default_rng(count)
    for p in (rng.random(count), rng.random(count) ** 6, np.full(count, 0.02), np.round(rng.random(count), 1)):
        np.testing.assert_array_equal(adjust_by_holm(p), multipletests(p, method="holm")[1])


def test_a_family_collects_no_garbage(monkeypatch):
    """A collection takes seconds in a process with a large heap, and a summary has many families."""
    monkeypatch.setattr("gc.collect", lambda *_: pytest.fail("gc.collect was called"))
    family("none", [({"attribute": str(n)}, Test(0.1, 2.0, 0.01 * n, 100, None, "score test")) for n in range(5)])
