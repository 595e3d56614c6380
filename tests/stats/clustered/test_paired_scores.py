"""Paired comparison of scores: figures of scikit-learn, DeLong's paired variance, coverage, and the degenerate."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from bincam.errors import InputError
from bincam.stats import Clusters
from bincam.stats.clustered.paired_scores import compare_scores


def draw(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random(n) < 0.35).astype(float)
    shared = random.normal(size=n)
    return labels + shared, 0.8 * labels + 0.7 * shared + 0.7 * random.normal(size=n), labels


def test_figures_are_those_of_scikit_learn_and_gains_their_differences() -> None:
    first, second, labels = draw()
    found = compare_scores(first, second, labels, Clusters.of([""] * 400), thresholds=(0.5, 0.3))
    assert found.auroc.value == pytest.approx(roc_auc_score(labels, second))
    assert found.auroc_gain.value == pytest.approx(roc_auc_score(labels, second) - roc_auc_score(labels, first))
    gain = average_precision_score(labels, second) - average_precision_score(labels, first)
    assert found.precision_gain.value == pytest.approx(gain)
    errors = [1 - balanced_accuracy_score(labels, s >= t) for s, t in ((first, 0.5), (second, 0.3))]
    assert found.balanced_error.value == pytest.approx(errors[1])
    assert found.balanced_error_gain.value == pytest.approx(errors[0] - errors[1])
    for estimate in vars(found).values():
        assert estimate.low < estimate.value < estimate.high
        assert estimate.images == 400
        assert estimate.status == "ok"


def test_the_interval_is_delongs_for_moderate_figures() -> None:
    first, second, labels = draw(2000)
    found = compare_scores(first, second, labels, Clusters.of([""] * 2000), thresholds=(0.5, 0.5)).auroc_gain
    positive = labels > 0
    differences = {}
    for own in (True, False):
        placements = []
        for s in (first, second):
            mine, others = s[positive == own], s[positive != own]
            placements.append((mine[:, None] > others).mean(1) if own else (mine[:, None] < others).mean(1))
        differences[own] = (placements[1] - placements[0]).var(ddof=1) / (positive == own).sum()
    half_width = 1.96 * np.sqrt(differences[True] + differences[False])
    assert (found.high - found.low) / 2 == pytest.approx(half_width, rel=0.03)


def test_the_interval_covers_a_difference_of_zero() -> None:
    """Two scores of the same quality, for images of 60 people with three images each."""
    covered = []
    for seed in range(150):
        random = np.random.default_rng(seed)
        people = np.repeat(np.arange(60), 3)
        labels = (random.random(180) < 0.4).astype(float)
        shared = random.normal(size=60)[people]
        scores = [labels + shared + random.normal(size=180) for _ in range(2)]
        found = compare_scores(*scores, labels, Clusters(people, known=True), thresholds=(0.5, 0.5))
        covered.append(
            [e.low <= 0 <= e.high for e in (found.auroc_gain, found.precision_gain, found.balanced_error_gain)]
        )
    assert (np.mean(covered, 0) > 0.9).all()


def test_what_cannot_be_compared_is_said_so() -> None:
    first, second, labels = draw(40)
    alone = Clusters.of([""] * 40)
    alike = compare_scores(first, 3 * first + 1, labels, alone, thresholds=(0.5, 2.5))
    assert alike.auroc_gain.value == 0
    assert np.isnan(alike.auroc_gain.low)
    assert alike.auroc_gain.status == "small"
    assert alike.balanced_error_gain.low < 0 < alike.balanced_error_gain.high
    one_class = compare_scores(first, second, np.ones(40), alone, thresholds=(0.5, 0.5))
    assert one_class.auroc_gain.status == "undefined"
    assert one_class.balanced_error_gain.status == "undefined"
    with pytest.raises(InputError, match="of one shape"):
        compare_scores(first, second[:-1], labels, alone, thresholds=(0.5, 0.5))


def test_images_without_a_score_are_left_out_of_both() -> None:
    first, second, labels = draw(60)
    second[:10] = np.nan
    labels[10:15] = np.nan
    some = compare_scores(first, second, labels, Clusters.of([""] * 60), thresholds=(0.5, 0.5))
    kept = slice(15, None)
    rest = compare_scores(first[kept], second[kept], labels[kept], Clusters.of([""] * 45), thresholds=(0.5, 0.5))
    for name, estimate in vars(some).items():
        expected = getattr(rest, name)
        assert (estimate.value, estimate.images) == (pytest.approx(expected.value), 45)
        assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
