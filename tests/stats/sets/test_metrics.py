"""Metrics of sets against scikit-learn, and hand cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    roc_auc_score,
    top_k_accuracy_score,
)

from bincam.errors import InputError
from bincam.stats.sets.metrics import confusion_counts, evaluate_set
from bincam.stats.sets.scores import is_in_top, log_odds, true_rank


def drawn(n: int = 400, K: int = 5, seed: int = 0):
    rng = np.random.default_rng(seed)
    true = rng.choice(K, n, p=np.arange(1, K + 1) / (K * (K + 1) / 2))
    scores = rng.normal(size=(n, K)) + 1.5 * np.eye(K)[true] + 3 * rng.normal(size=(n, 1))
    return scores, np.eye(K)[true], true


@pytest.mark.parametrize("K", [2, 3, 5, 17])
def test_metrics_equal_those_of_scikit_learn(K):
    scores, labels, true = drawn(K=K)
    metrics = evaluate_set(scores, labels, labels.sum(0))
    predicted = scores.argmax(1)
    np.testing.assert_array_equal(metrics.confusion, confusion_matrix(true, predicted, labels=range(K)))
    assert metrics.accuracy == pytest.approx(accuracy_score(true, predicted), abs=1e-12)
    assert metrics.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, predicted), abs=1e-12)
    p = softmax(scores, axis=1)
    expected = roc_auc_score(true, p, multi_class="ovr") if K > 2 else roc_auc_score(true, p[:, 1])
    assert metrics.macro_auroc == pytest.approx(expected, abs=1e-12)
    for a in range(K):
        assert metrics.auroc[a] == pytest.approx(roc_auc_score(true == a, p[:, a]), abs=1e-12)
        assert metrics.miss_rate[a] == pytest.approx(np.mean(predicted[true == a] != a), abs=1e-12)
        assert metrics.false_alarm_rate[a] == pytest.approx(np.mean(predicted[true != a] == a), abs=1e-12)
    for k in range(1, K):
        top = is_in_top(scores, labels, k).mean()
        assert top == pytest.approx(
            top_k_accuracy_score(true, scores, k=k) if K > 2 else accuracy_score(true, predicted), abs=1e-12
        )


def test_minority_is_rarer_than_one_in_k_in_training_not_in_the_test_images():
    labels = np.eye(3)[[0, 1, 1, 2]]
    scores = np.eye(3)[[0, 1, 0, 0]]  # misses: 0, 1/2, 1
    assert evaluate_set(scores, labels, [90, 5, 5]).minority_error == 0.75
    assert evaluate_set(scores, labels, [90, 5, 5]).majority_error == 0
    assert evaluate_set(scores, labels, [5, 90, 5]).minority_error == 0.5
    even = evaluate_set(scores, labels, [30, 30, 30])
    assert np.isnan(even.minority_error)
    assert even.majority_error == 0.5


def test_a_missing_score_leaves_the_whole_set_undefined_and_is_counted():
    scores, labels, _ = drawn()
    whole = evaluate_set(scores[:300], labels[:300], labels.sum(0))
    broken = scores.copy()
    broken[300:350, 2] = np.nan
    broken[350:, 0] = np.inf
    part = evaluate_set(broken, labels, labels.sum(0))
    assert (part.n, part.undefined, whole.undefined) == (300, 100, 0)
    np.testing.assert_array_equal(part.confusion, whole.confusion)
    assert part.macro_auroc == whole.macro_auroc
    assert np.isnan(true_rank(broken, labels)[300:]).all()


def test_unknown_labels_are_left_out_and_are_not_undefined():
    scores, labels, _ = drawn()
    unknown = labels.copy()
    unknown[300:] = np.nan
    part, whole = (evaluate_set(*pair, labels.sum(0)) for pair in ((scores, unknown), (scores[:300], labels[:300])))
    assert (part.n, part.undefined) == (300, 0)
    assert part.accuracy == whole.accuracy


def test_equal_scores_predict_the_first_output_and_rank_nothing():
    labels = np.eye(4)[[0, 1, 2, 3, 3]]
    constants = np.array([0.1, 1e8, -3.3, 1e-9, 0.7])[:, None]  # equal within each image
    metrics = evaluate_set(np.repeat(constants, 4, axis=1), labels, [2, 1, 1, 1])
    assert metrics.confusion[:, 0].tolist() == [1, 1, 1, 2]
    assert metrics.macro_auroc == 0.5
    assert metrics.auroc.tolist() == [0.5] * 4


def test_a_class_without_images_is_undefined_and_left_out_of_means():
    labels = np.eye(3)[[0, 0, 1, 1]]
    metrics = evaluate_set(np.eye(3)[[0, 2, 1, 1]], labels, [5, 5, 2])
    assert metrics.defined == 2
    assert np.isnan(metrics.miss_rate[2])
    assert metrics.balanced_accuracy == 0.75
    assert np.isnan(metrics.minority_error)
    assert metrics.false_alarm_rate[2] == 0.25


def test_nothing_known_is_undefined():
    metrics = evaluate_set(np.zeros((3, 2)), np.full((3, 2), np.nan), [1, 1])
    assert metrics.n == 0
    assert np.isnan([metrics.accuracy, metrics.balanced_accuracy, metrics.macro_auroc, metrics.baseline_removed]).all()


def test_a_constant_added_to_an_images_scores_changes_nothing():
    scores, labels, _ = drawn()
    shifted = scores + np.random.default_rng(1).normal(size=(len(scores), 1)) * 100
    first, second = (evaluate_set(values, labels, labels.sum(0)) for values in (scores, shifted))
    assert first.macro_auroc == pytest.approx(second.macro_auroc, abs=1e-12)


def test_log_odds_are_exact_from_near_0_to_near_1():
    import mpmath

    mpmath.mp.dps = 60
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(size=(20, 4)), 20 * rng.normal(size=(20, 4)), 900 * rng.normal(size=(20, 4))])
    for row, z in zip(scores, log_odds(scores), strict=True):
        for a in range(4):
            rest = mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(r)) for b, r in enumerate(row) if b != a))
            assert z[a] == pytest.approx(float(mpmath.mpf(row[a]) - rest), rel=1e-13, abs=1e-13)


def test_refusals():
    with pytest.raises(InputError, match=r"one shape \(N, K\), got \(2, 3\) and \(2, 2\)"):
        confusion_counts(np.zeros((2, 3)), np.eye(2))
    with pytest.raises(InputError, match=r"labels of row 1 of a set are \[1.0, 1.0\]"):
        confusion_counts(np.zeros((2, 2)), [[1, 0], [1, 1]])
    with pytest.raises(InputError, match=r"shape \(2,\), got \(3,\)"):
        evaluate_set(np.zeros((2, 2)), np.eye(2), [1, 2, 3])
    with pytest.raises(InputError, match="k is 1 to 2, got 3"):
        is_in_top(np.zeros((2, 2)), np.eye(2), 3)
