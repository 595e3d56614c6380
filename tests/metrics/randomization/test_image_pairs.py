"""Likeness of the same image and of other people's: by brute force with scipy, and where it is undefined."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from bincam.metrics.randomization.image_pairs import pairs, unit_ranks


def test_likenesses_are_scipys() -> None:
    random = np.random.default_rng(0)
    one, two = random.normal(size=(8, 2, 12)), random.integers(0, 5, (8, 2, 12)).astype(float)  # with ties
    people = np.array([0, 0, 1, 2, 2, 2, 3, 4])
    found = pairs(one, two, people)
    for image in range(8):
        for a in range(2):
            rho = [abs(spearmanr(one[image, a], two[j, a]).statistic) for j in range(8)]
            np.testing.assert_allclose(found.same[image, a], rho[image])
            np.testing.assert_allclose(found.other[image, a], np.mean(np.array(rho)[people != people[image]]))
    np.testing.assert_allclose(found.excess, (found.same - found.other).mean(1))


def test_what_is_undefined_is_left_out() -> None:
    random = np.random.default_rng(1)
    one, two = random.normal(size=(6, 2, 12)), random.normal(size=(6, 2, 12))
    one[0, 0] = np.nan
    one[1, 1] = 1e-4 * one[1, 1] / np.linalg.norm(one[1, 1])  # rounding, beside maps of unit length
    two[2] = np.nan
    found = pairs(one, two, np.arange(6))
    assert np.argwhere(np.isnan(found.same)).tolist() == [[0, 0], [1, 1], [2, 0], [2, 1]]
    assert np.argwhere(np.isnan(found.other)).tolist() == [[0, 0], [1, 1]]
    assert np.isfinite(found.excess).tolist() == [True, True, False, True, True, True]
    assert np.isnan(pairs(one, two, np.zeros(6, int)).other).all()


def test_constant_ranks_are_undefined() -> None:
    assert np.isnan(unit_ranks(np.ones((1, 1, 5)))).all()
