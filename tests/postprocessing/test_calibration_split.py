"""Which images calibrate: one per person, what is left out and told, and ranks without rounding."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.postprocessing.calibration_split import (
    calibration_split,
    check_alpha,
    check_enough,
    check_true,
    conformal_rank,
    known_people,
    one_per_identity,
)


@pytest.mark.parametrize("percent", range(1, 100))
def test_ranks_of_decimal_alphas_are_those_of_fractions(percent):
    for n in (1, 2, 9, 10, 19, 99, 100, 999, 9_999, 123_456):
        assert conformal_rank(n, percent / 100) == ceil((n + 1) * (1 - Fraction(percent, 100)))


def test_enough_images_are_as_many_as_the_rank_needs():
    for alpha in (0.01, 0.05, 0.07, 0.1, 0.2, 1 / 3, 0.5, 0.9):
        needed = ceil(round((1 - alpha) / alpha, 9))
        check_enough(needed, alpha)
        with pytest.raises(InputError, match=f"needs {needed:,} at least"):
            check_enough(needed - 1, alpha)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.1, np.nan])
def test_alpha_out_of_range(alpha):
    with pytest.raises(InputError, match="above 0 and below 1"):
        check_alpha(alpha)


def test_one_image_of_everyone_and_all_of_those_without_a_name():
    names = ["ann"] * 6 + ["bob"] * 2 + ["", ""]
    chosen = one_per_identity(names, range(10), seed=4)
    assert np.isin(chosen, range(6)).sum() == 1
    assert np.isin(chosen, [6, 7]).sum() == 1
    assert chosen[-2:].tolist() == [8, 9]
    assert np.array_equal(chosen, one_per_identity(names, range(10), seed=4))


def test_every_image_of_a_person_is_as_likely():
    chosen = [int(one_per_identity(["ann"] * 4, range(4), seed=seed)[0]) for seed in range(800)]
    assert (np.abs(np.bincount(chosen, minlength=4) - 200) < 4 * np.sqrt(800 * 0.25 * 0.75)).all()


def test_a_person_whose_first_image_is_unusable_is_not_lost():
    p = np.array([[np.nan, 1.0], [0.5, 0.5], [0.5, 0.5]])
    split = calibration_split(p, np.array([True, True, False]), np.zeros(3, int), 0)
    assert split.rows.tolist() == [1]
    assert (split.unknown, split.undefined, split.further) == (1, 1, 0)
    assert "1 image without a label was left out" in split.note
    assert "1 image with a score that is not finite was left out" in split.note


def test_a_person_counts_once_in_each_class():
    classes = np.array([0, 0, 1, 1])
    split = calibration_split(np.eye(4), np.ones(4, bool), np.zeros(4, int), 0, classes)
    assert classes[split.rows].tolist() == [0, 1]
    assert split.further == 2


def test_missing_identities_are_told():
    split = calibration_split(np.eye(3), np.ones(3, bool), None, 0)
    assert split.further is None
    assert "identities were not given" in split.note
    with pytest.raises(InputError, match="2 identities of 3 images"):
        known_people(["a", "b"], 3)


@pytest.mark.parametrize("names", [[0, 0, 1], [None, "a", "b"], "abc"])
def test_names_that_are_no_strings(names):
    """A person called 0 would be nobody."""
    with pytest.raises(InputError, match="names of people as strings"):
        known_people(names, 3)


def test_a_tiny_alpha_is_told_in_short():
    with pytest.raises(InputError, match=r"needs 1.0e\+300 at least"):
        check_enough(50, 1e-300)


def test_nothing_usable():
    split = calibration_split(np.eye(2), np.zeros(2, bool), np.arange(2), 0, np.full(2, -1))
    assert split.images == 0


@pytest.mark.parametrize(
    ("true", "words"),
    [([0, 2], "true output of image 1 is 2"), ([-2, 0], "image 0 is -2"), ([0.0, 1.0], "of float64"), ([0], "shape")],
)
def test_true_outputs_that_are_none(true, words):
    with pytest.raises(InputError, match=words):
        check_true(true, np.eye(2))
