"""Sets by thresholds and by rank: exact comparisons, ties, packing, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.postprocessing.label_sets import (
    as_scores,
    at_least,
    check_names,
    check_outputs,
    finite_rows,
    rounded_up,
    top_k_sets,
    unpacked,
    yes_no_scores,
)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_thresholds_are_compared_exactly_in_every_type(dtype):
    near = dtype(0.3)
    values = np.array([[np.nextafter(near, dtype(-1)), near, np.nextafter(near, dtype(1))]])
    for threshold in (float(near), np.nextafter(float(near), 1), np.nextafter(float(near), 0), -np.inf, 0.9, 70000.0):
        expected = [float(value) >= threshold for value in values[0]]
        assert at_least(values, threshold).members[0].tolist() == expected


def test_a_threshold_beyond_the_type_is_infinite():
    assert rounded_up(np.asarray(1e6), np.dtype(np.float16)) == np.inf


def test_each_output_has_its_threshold():
    sets = at_least([[0.5, 0.5, 0.5]], [0.4, 0.5, 0.6])
    assert sets.members.tolist() == [[True, True, False]]
    assert (sets.tied, sets.kept) == (1, 1)


def test_random_ties_are_seeded_and_as_frequent_as_stated():
    p = np.full((2000, 4), 0.25)
    first = at_least(p, 0.25, ties="random", kept_share=0.3, seed=1)
    assert np.array_equal(first.members, at_least(p, 0.25, ties="random", kept_share=0.3, seed=1).members)
    assert not np.array_equal(first.members, at_least(p, 0.25, ties="random", kept_share=0.3, seed=2).members)
    assert first.tied == 8000
    assert first.kept == first.members.sum()
    assert abs(first.kept / 8000 - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 8000)
    assert at_least(p, 0.25, ties="random", kept_share=0, seed=1).kept == 0


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002  # the state that must not change
    at_least(np.full((9, 2), 0.5), 0.5, ties="random", kept_share=0.5)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_have_no_set(bad):
    p = np.array([[0.2, 0.8], [bad, 0.9]])
    for sets in (at_least(p, -np.inf), top_k_sets(p, 1)):
        assert sets.defined.tolist() == [True, False]
        assert sets.sizes[1] == 0
        assert sets.undefined == 1
    assert at_least(p, -np.inf).size == 2


def test_no_defined_set_has_no_size():
    assert np.isnan(at_least([[np.nan, 1.0]], 0.5).size)
    assert np.isnan(at_least(np.zeros((0, 2)), 0.5).size)


@pytest.mark.parametrize("K", [1, 7, 8, 9, 40])
def test_packed_and_back(K):
    p = np.random.default_rng(K).random((13, K))
    sets = at_least(p, 0.5)
    assert sets.packed().shape == (13, -(-K // 8))
    assert np.array_equal(unpacked(sets.packed(), K), sets.members)


def test_packed_sets_of_another_number_of_outputs_are_refused():
    with pytest.raises(InputError, match=r"packed sets of 20 outputs have 3 bytes each, got shape \(4, 2\)"):
        unpacked(np.zeros((4, 2), np.uint8), 20)


def test_top_k_against_sorting():
    p = np.random.default_rng(0).random((50, 6)).round(1)
    for k in range(1, 7):
        members = top_k_sets(p, k).members
        assert (members.sum(1) == k).all()
        for row, chosen in zip(p, members, strict=True):
            assert sorted(np.flatnonzero(chosen)) == sorted(sorted(range(6), key=lambda a: (-row[a], a))[:k])


@pytest.mark.parametrize("k", [0, 5, -1, 1.5])
def test_top_k_out_of_range(k):
    with pytest.raises(InputError, match="whole number from 1 to 4"):
        top_k_sets(np.zeros((2, 4)), k)


def test_yes_no_scores_keep_their_tails_and_the_threshold_divides():
    p = yes_no_scores([1.5, 50.0, -50.0, np.nan], threshold=1.5)
    assert p[0].tolist() == [0.5, 0.5]
    assert 0 < p[1, 0] < 1e-20
    assert 0 < p[2, 1] < 1e-20
    assert np.isnan(p[3]).all()
    with pytest.raises(InputError, match="one attribute"):
        yes_no_scores([[0.0]])


@pytest.mark.parametrize(
    ("scores", "thresholds", "words"),
    [
        (np.zeros(3), 0.5, "expected scores"),
        (np.zeros((3, 0)), 0.5, "expected scores"),
        ([["a", "b"]], 0.5, "that are numbers"),
        (np.zeros((3, 2)), [0.1, 0.2, 0.3], "one threshold or 2"),
        (np.zeros((3, 2)), np.nan, "none NaN"),
    ],
)
def test_refusals(scores, thresholds, words):
    with pytest.raises(InputError, match=words):
        at_least(scores, thresholds)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ties": "rand"}, "'whole' or 'random'"),
        ({"ties": "random", "kept_share": 1.1}, "a share from 0 to 1"),
        ({"ties": "random", "kept_share": np.nan}, "a share from 0 to 1"),
        ({"ties": "random", "seed": -1}, "seed = -1; expected a whole number"),
        ({"ties": "random", "seed": 0.5}, "seed = 0.5"),
    ],
)
def test_options_out_of_range(options, words):
    with pytest.raises(InputError, match=words):
        at_least([[0.5, 0.5]], 0.5, **options)


def test_whole_numbers_become_floating_and_others_are_not_copied():
    p = np.zeros((2, 2), np.float32)
    assert as_scores(p) is p
    assert as_scores(np.eye(2, dtype=bool)).dtype == np.float64


def test_finite_rows_across_blocks():
    p = np.zeros((3000, 700), np.float32)
    p[[0, 1497, 2999], [0, 699, 3]] = [np.nan, np.inf, -np.inf]
    assert np.flatnonzero(~finite_rows(p)).tolist() == [0, 1497, 2999]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "c"], "outputs a, b, got scores of a, c; calibrate on a split with the same outputs"),
        (["b", "a"], "bring the columns into that order"),
        (["a"], "expected 2 different names"),
    ],
)
def test_other_outputs_are_refused(names, words):
    with pytest.raises(InputError, match=words):
        check_outputs(np.zeros((1, 2)), 2, ("a", "b"), names)


def test_the_first_difference_of_many_names_is_shown():
    own, other = [f"c{n}" for n in range(1000)], [f"c{n}" for n in range(999)] + ["new"]
    with pytest.raises(InputError, match="outputs c999, got scores of new"):
        check_outputs(np.zeros((1, 1000)), 1000, own, other)


def test_names_are_optional_on_either_side():
    check_outputs(np.zeros((1, 2)), 2, (), ["a", "b"])
    check_outputs(np.zeros((1, 2)), 2, ("a", "b"), None)
    with pytest.raises(InputError, match="calibrated on 3 outputs, got scores of 2"):
        check_outputs(np.zeros((1, 2)), 3, (), None)


@pytest.mark.parametrize("names", ["ab", ["a", "a"], ["a"]])
def test_names_that_are_not_one_each(names):
    with pytest.raises(InputError, match="2 different names"):
        check_names(names, 2)
