"""Two scores of a set: errors by hand, the paired difference of two outputs, and images that are left out."""

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.sets.pooled_scores import compare_set_scores


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 80)
    truth = np.eye(2)[true]
    return truth + rng.normal(size=(80, 2)), truth + 0.4 * rng.normal(size=(80, 2)), true


def test_a_set_of_two_outputs_has_the_errors_and_the_paired_difference_of_their_decisions(scores):
    first, second, true = scores
    clusters = Clusters.of([f"p{n // 2}" for n in range(80)])
    found = compare_set_scores(first, second, true, clusters)
    wrong = [(values.argmax(1) != true).astype(float) for values in (first, second)]
    assert found.error.value == pytest.approx(wrong[1].mean())
    assert found.error_gain == paired_shares(*wrong, clusters)
    rates = [np.mean([w[true == k].mean() for k in (0, 1)]) for w in wrong]
    assert found.balanced_error.value == pytest.approx(rates[1])
    assert found.balanced_error_gain.value == pytest.approx(rates[0] - rates[1])


def test_scores_that_are_not_finite_and_unknown_outputs_are_left_out(scores):
    first, second, true = scores
    clusters = Clusters.of([""] * 80)
    first[3, 1], second[5, 0] = np.nan, np.inf
    unknown = np.where(np.arange(80) == 7, -1, true)
    found = compare_set_scores(first, second, unknown, clusters)
    assert found.error.images == found.error_gain.images == 77


def test_without_a_usable_image_nothing_is_said():
    found = compare_set_scores(np.zeros((4, 3)), np.zeros((4, 3)), np.full(4, -1), Clusters.of([""] * 4))
    assert not found.error.defined
    assert not found.balanced_error_gain.defined


def test_shapes_that_differ_are_refused(scores):
    first, second, true = scores
    with pytest.raises(InputError, match="expected two scores"):
        compare_set_scores(first, second[:, :1], true, Clusters.of([""] * 80))
