"""The best sets of labels of the rule ``one``: closed form, simulation with the true probabilities, other counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bincam.errors import InputError
from bincam.postprocessing.average_k import fit_average_k
from bincam.postprocessing.label_sets import top_k_sets
from bincam.scenes import best_accuracy, best_average_k_accuracy, best_top_k_accuracy, redraw_labels


def shown(n, seed):
    """Scenes of three, four and five shapes, each a third of them, and the probabilities of their labels."""
    rng = np.random.default_rng(seed)
    count = np.repeat([3, 4, 5], n // 3)
    present = rng.random((n, 10)).argsort(1).argsort(1) < count[:, None]
    return present, present / count[:, None]


def test_closed_form():
    for size in np.linspace(0, 5, 101):
        parts = min(size, 1) / 3 + np.clip(size - 1, 0, 4 / 3) / 4 + np.clip(size - 7 / 3, 0, 5 / 3) / 5
        assert best_average_k_accuracy(size) == pytest.approx(parts)
    assert best_average_k_accuracy(2) == pytest.approx(7 / 12)
    assert best_top_k_accuracy(2) == pytest.approx(2 * (1 / 3 + 1 / 4 + 1 / 5) / 3)
    assert best_top_k_accuracy(1) == pytest.approx(best_accuracy())
    assert best_top_k_accuracy(0) == 0


@pytest.mark.parametrize("size", [1, 1.5, 2, 3, 4])
def test_the_true_probabilities_reach_it_and_nothing_more(size):
    present, p = shown(9000, 0)
    label = redraw_labels(present, 1)
    sets = fit_average_k(p, size).sets(p, ties="random", seed=2)
    assert abs(sets.size - size) < 0.05  # ties are kept one by one, at random
    right = int(sets.members[np.arange(9000), label].sum())
    assert stats.binomtest(right, 9000, best_average_k_accuracy(sets.size)).pvalue > 1e-3
    if size == int(size):
        right = int(top_k_sets(p, int(size)).members[np.arange(9000), label].sum())
        assert stats.binomtest(right, 9000, best_top_k_accuracy(int(size))).pvalue > 1e-3


def test_ties_kept_whole_are_at_the_next_corner():
    _, p = shown(900, 0)
    assert [round(fit_average_k(p, size).sets(p).size, 4) for size in (0.5 + 0.5, 2, 3)] == [1, 2.3333, 4]


def test_other_scenes():
    present = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
    assert best_average_k_accuracy(0.25, present) == 0.25
    assert best_average_k_accuracy(1.25, present) == 0.75
    assert best_average_k_accuracy(2.25, present) == 1
    assert best_top_k_accuracy(1, present) == best_accuracy(np.pad(present, ((0, 0), (0, 6)))) == 0.5625


@pytest.mark.parametrize("present", [np.zeros((2, 10)), np.ones(3), np.zeros((0, 10)), np.full((2, 3), 0.5)])
def test_refusals(present):
    for best in (best_average_k_accuracy, best_top_k_accuracy):
        with pytest.raises(InputError, match="at least one shape"):
            best(1, present)


@pytest.mark.parametrize("size", [-1, np.nan])
def test_sizes_that_are_none(size):
    with pytest.raises(InputError, match="expected 0 or more"):
        best_average_k_accuracy(size)


@pytest.mark.parametrize("k", [-1, 1.5, np.nan])
def test_ranks_that_are_none(k):
    with pytest.raises(InputError, match="whole number"):
        best_top_k_accuracy(k)
