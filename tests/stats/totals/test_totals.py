"""Estimates from sums by cluster against those from the images."""

import numpy as np
import pytest
from scipy.special import expit

from bincam.stats.clusters import Clusters
from bincam.stats.rates.equalised_odds import equalised_odds_difference, gaps_without_difference
from bincam.stats.recalibration import recalibrate, signed_error, signed_error_of_totals
from bincam.stats.totals.recalibration import BinnedFit, recalibration_of_totals
from bincam.stats.totals.score_bins import BINS, bin_scores, score_bins


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(80), rng.integers(1, 12, 80))
    odds = rng.normal(size=len(person)) + rng.normal(size=80)[person]
    label = (rng.random(len(person)) < expit(odds)).astype(float)
    return person, (1.4 * odds - 0.3).astype(np.float32), label


def test_bins_keep_the_order_of_scores_and_their_value_to_one_part_in_a_thousand():
    scores = np.sort(np.random.default_rng(0).normal(0, 30, 10_000).astype(np.float32))
    bins = score_bins(scores)
    assert (np.diff(bins) >= 0).all()
    assert bins.min() > 0
    assert bins.max() < BINS
    assert np.abs(bin_scores()[bins] / scores - 1).max() < 1e-3
    ends = score_bins(np.float32([-np.finfo(np.float32).max, np.finfo(np.float32).max]))
    assert bin_scores()[ends].tolist() == [-65504.0, 65504.0]


def test_a_line_is_that_of_the_images_although_it_is_fitted_to_bins(drawn):
    person, z, label = drawn
    at, yes = score_bins(z), label > 0
    fit = BinnedFit.of(bin_scores(), np.bincount(at[~yes], minlength=BINS), np.bincount(at[yes], minlength=BINS))
    x = (z - fit.centre) / fit.scale
    p = expit(fit.beta[0] + fit.beta[1] * x)
    w, r = p * (1 - p), label - p
    parts = (r, r * x, w, w * x, w * x * x, np.sqrt(w), np.sqrt(w) * x)
    sums = np.stack([np.bincount(person, part, 80) for part in parts], 1)
    sizes = np.stack([np.bincount(person, side, 80) for side in (1 - label, label)], 1)
    people = Clusters(person, known=True)
    for line in ((1.0, 0.0), (0.5, -0.7), (-2.0, 1.0)):
        found = recalibration_of_totals(fit, sums, sizes, known=True, line=line)
        exact = recalibrate(line[0] * z + line[1], label, people)
        for one, other in ((found.slope, exact.slope), (found.intercept, exact.intercept)):
            assert (one.images, one.identities, one.status) == (other.images, other.identities, other.status)
            assert [one.value, one.low, one.high] == pytest.approx([other.value, other.low, other.high], rel=2e-3)
    assert recalibration_of_totals(fit, sums, sizes, known=True, line=(0.0, 1.0)).reason == "all logits are equal"


def test_a_signed_error_is_that_of_the_images(drawn):
    person, z, label = drawn
    excess = expit(z.astype(float)) - label
    surprises = np.stack([np.bincount(person, side, 80) for side in (excess < -0.5, excess > 0.5)], 1)
    found = signed_error_of_totals(
        np.bincount(person, minlength=80).astype(float), np.bincount(person, excess, 80), float((excess**2).sum()),
        surprises.astype(float), known=True,
    )  # fmt: skip
    exact = signed_error(expit(z.astype(float)), label, Clusters(person, known=True))
    assert found.to_json() == pytest.approx(exact.to_json())


def test_gaps_without_a_difference_are_those_of_permuted_groups():
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(1500), rng.integers(1, 6, 1500))
    group = rng.integers(0, 3, len(person))
    label = np.ones(len(person))
    said = (rng.random(len(person)) < expit(rng.normal(size=1500)[person])).astype(float)
    label[: len(person) // 2] = 0
    exact = equalised_odds_difference(said, label, group, "abc", Clusters(person, known=True), permutations=1000)
    gaps = []
    for side in (1, 0):
        own = label == side
        ones, sizes = np.zeros((1500, 3)), np.zeros((1500, 3))
        np.add.at(ones, (person[own], group[own]), said[own])
        np.add.at(sizes, (person[own], group[own]), 1)
        gaps.append(gaps_without_difference(ones, sizes, 4000, rng, independent=False))
    largest = np.maximum(*gaps)
    assert largest.mean() == pytest.approx(exact.null, rel=0.05)
    assert np.quantile(largest, 0.95) == pytest.approx(exact.null_high, rel=0.08)
