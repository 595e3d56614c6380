"""Differences between groups against fairlearn, a planted gap and its twin, and what chance gives."""

import numpy as np
import pytest
from fairlearn import metrics as fairlearn

from bincam.stats import Clusters
from bincam.stats.rates.equalised_odds import demographic_parity_difference, equalised_odds_difference

NAMES = ("a", "b", "c")


def independent(count):
    return Clusters.of([""] * count)


def drawn(rng, count, groups=3, positive=(0.8, 0.8, 0.8), negative=(0.1, 0.1, 0.1)):
    """Labels, groups, and predictions with these rates in each group."""
    codes, labels = rng.integers(0, groups, count), (rng.random(count) < 0.4).astype(float)
    rate = np.where(labels > 0, np.array(positive)[codes], np.array(negative)[codes])
    return (rng.random(count) < rate).astype(float), labels, codes


@pytest.mark.parametrize("seed", range(5))
def test_values_are_fairlearns(seed):
    rng = np.random.default_rng(seed)
    predicted, labels, codes = drawn(rng, 900, negative=(0.1, 0.2, 0.15))
    person = Clusters(rng.integers(0, 200, 900), known=True)
    for clusters in (independent(900), person):
        odds = equalised_odds_difference(predicted, labels, codes, NAMES, clusters, permutations=50)
        parity = demographic_parity_difference(predicted, codes, NAMES, clusters, permutations=50)
        assert odds.estimate.value == pytest.approx(
            fairlearn.equalized_odds_difference(labels, predicted, sensitive_features=codes)
        )
        assert parity.estimate.value == pytest.approx(
            fairlearn.demographic_parity_difference(labels, predicted, sensitive_features=codes)
        )
        assert odds.estimate.low <= odds.estimate.value <= odds.estimate.high


@pytest.mark.parametrize("clustered", [False, True])
def test_a_planted_gap_is_found_and_its_twin_is_not(clustered):
    rng = np.random.default_rng(6)
    count = 1200
    clusters = Clusters(np.arange(count) // 4, known=True) if clustered else independent(count)
    codes = np.repeat(rng.integers(0, 3, count // 4), 4)
    labels = (rng.random(count) < 0.5).astype(float)
    twin = (rng.random(count) < np.where(labels > 0, 0.85, 0.1)).astype(float)
    planted = np.where((codes == 1) & (labels > 0) & (rng.random(count) < 0.3), 0.0, twin)  # group b misses 30 % more
    at = dict.fromkeys(("planted", "twin"))
    for name, predicted in (("planted", planted), ("twin", twin)):
        at[name] = equalised_odds_difference(predicted, labels, codes, NAMES, clusters)
    assert at["planted"].p < 0.01
    assert at["planted"].estimate.low > 0.1
    assert (at["planted"].gaps[0].rate, at["planted"].gaps[0].lowest) == ("tpr", "b")
    assert at["planted"].estimate.value > at["planted"].null_high
    assert at["twin"].p > 0.05
    assert at["twin"].estimate.low < 0.03
    assert at["twin"].estimate.value <= at["twin"].null_high


def test_chance_alone_gives_what_null_says():
    rng = np.random.default_rng(7)
    odds = [equalised_odds_difference(*drawn(rng, 400), NAMES, independent(400), permutations=200) for _ in range(120)]
    mean = np.mean([one.estimate.value for one in odds])
    assert np.mean([one.null for one in odds]) == pytest.approx(mean, rel=0.1)
    assert mean > 0.05  # the largest of six differences that are all 0 in truth
    assert np.mean([one.p <= 0.05 for one in odds]) < 0.1
    assert np.mean([one.estimate.low > 0 for one in odds]) < 0.05
    assert all(one.estimate.high > 0.03 for one in odds)


def test_errors_of_a_few_people_are_not_taken_for_a_difference():
    rng = np.random.default_rng(8)
    found = {True: 0, False: 0}
    for _ in range(60):
        person = np.repeat(np.arange(40), 10)
        codes, labels = np.repeat(np.arange(40) % 2, 10), (rng.random(400) < 0.5).astype(float)
        hard = (rng.random(40) < 0.3)[person]  # people who are misclassified in nine of ten images
        wrong = rng.random(400) < np.where(hard, 0.9, 0.05)
        predicted = np.where(wrong, 1 - labels, labels)
        for known in found:
            clusters = Clusters(person, known=True) if known else independent(400)
            odds = equalised_odds_difference(predicted, labels, codes, NAMES[:2], clusters, permutations=200)
            found[known] += odds.p <= 0.05
    assert found[True] <= 8  # 3 expected
    assert found[False] > 10


def test_small_groups_are_left_out_and_listed():
    rng = np.random.default_rng(9)
    predicted, labels, codes = drawn(rng, 600)
    codes[np.flatnonzero((codes == 2) & (labels > 0))[15:]] = -1  # 15 positives of group c remain
    odds = equalised_odds_difference(predicted, labels, codes, NAMES, independent(600))
    assert odds.compared == ("a", "b")
    assert odds.left_out == ({"group": "c", "reason": "too few positives: 15"},)
    kept = (codes == 0) | (codes == 1)
    assert odds.estimate.value == pytest.approx(
        fairlearn.equalized_odds_difference(labels[kept], predicted[kept], sensitive_features=codes[kept])
    )
    assert odds.estimate.images == kept.sum()
    lonely = equalised_odds_difference(predicted, labels, np.where(codes == 0, 0, -1), NAMES, independent(600))
    assert (lonely.estimate.status, lonely.to_json()["too_few"]) == ("undefined", True)
    assert lonely.reason == "only one group has enough positives and negatives to compare"
    assert lonely.to_json()["null"] is None


def test_equal_groups_have_an_upper_end_above_zero():
    labels = np.tile([1.0, 0.0], 100)
    odds = equalised_odds_difference(labels, labels, np.repeat([0, 1], 100), NAMES[:2], independent(200))
    assert (odds.estimate.value, odds.estimate.low, odds.null, odds.p) == (0, 0, 0, 1)
    assert odds.estimate.high > 0.06  # 50 positives without a miss in each group


def test_unknown_predictions_and_labels_are_left_out_and_the_same_seed_gives_the_same():
    rng = np.random.default_rng(10)
    predicted, labels, codes = drawn(rng, 500)
    clean = equalised_odds_difference(predicted, labels, codes, NAMES, independent(500), seed=3)
    assert equalised_odds_difference(predicted, labels, codes, NAMES, independent(500), seed=3) == clean
    more = (np.append(predicted, [np.nan, 1.0]), np.append(labels, [1.0, np.nan]), np.append(codes, [0, 0]))
    assert equalised_odds_difference(*more, NAMES, independent(502), seed=3) == clean
