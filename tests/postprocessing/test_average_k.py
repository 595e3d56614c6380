"""Average-K thresholds against a full sort, ties of every kind, memory, refusals, and a head with a rare class."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.postprocessing.average_k import fit_average_k
from bincam.postprocessing.conformal import class_conditional
from bincam.postprocessing.label_sets import yes_no_scores
from bincam.stats import Clusters
from bincam.stats.sets.coverage import set_coverage


def softmax(n, K, seed=0, dtype=np.float64):
    r = 2 * np.random.default_rng(seed).normal(size=(n, K))
    p = np.exp(r)
    return (p / p.sum(1, keepdims=True)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 1.2, 1.5, 2, 3.999, 6.99])
def test_against_a_full_sort(dtype, size):
    p = softmax(101, 7, dtype=dtype)
    descending = np.sort(p.ravel().astype(np.float64))[::-1]
    k = round(101 * size)
    fitted = fit_average_k(p, size)
    assert fitted.threshold == pytest.approx((descending[k - 1] + descending[k]) / 2, rel=1e-15)
    assert fitted.sets(p).members.sum() == k
    assert (fitted.labels, fitted.images, fitted.undefined, fitted.ties) == (k, 101, 0, 0)
    assert fitted.size_with_ties == k / 101


def test_all_labels_are_kept_also_of_lower_scores():
    fitted = fit_average_k(softmax(20, 5), 5)
    assert fitted.threshold == -np.inf
    assert fitted.sets(np.full((3, 5), -1e9)).size == 5


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_neighbouring_numbers_have_no_middle_and_still_divide(dtype):
    low = dtype(0.5)
    p = np.array([[low, np.nextafter(low, dtype(1))]])
    assert fit_average_k(p, 1).sets(p).members.tolist() == [[False, True]]


def test_saturated_scores_tell_their_ties():
    """Half of the scores are exactly 1: with >= they are all kept, with > none would be."""
    p = np.ones((50, 10), np.float32)
    p[:, 5:] = 0
    fitted = fit_average_k(p, 2)
    assert (fitted.threshold, fitted.ties, fitted.kept_share) == (1.0, 250, 0.4)
    assert fitted.size_with_ties == 5
    whole = fitted.sets(p)
    assert (whole.size, whole.ties, whole.tied, whole.kept) == (5, "whole", 250, 250)
    random = fitted.sets(np.tile(p, (80, 1)), ties="random", seed=3)
    assert random.tied == 20_000
    assert abs(random.size - 2) < 4 * 5 * np.sqrt(0.4 * 0.6 / 20_000)


def test_ties_beside_the_cut_are_none_at_it():
    p = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]])
    fitted = fit_average_k(p, 2)
    assert (fitted.ties, fitted.kept_share) == (0, 1)
    assert fitted.threshold == pytest.approx(0.3)


def test_all_scores_equal():
    p = np.full((30, 4), 0.25)
    fitted = fit_average_k(p, 1)
    assert (fitted.ties, fitted.kept_share, fitted.size_with_ties) == (120, 0.25, 4)


def test_rows_with_nan_are_left_out_and_counted():
    p = softmax(40, 5)
    spoilt = np.concatenate([p, np.full((3, 5), np.nan), [[np.inf, 0, 0, 0, 0]]])
    clean, fitted = fit_average_k(p, 1.5), fit_average_k(spoilt, 1.5)
    assert fitted.threshold == clean.threshold
    assert (fitted.images, fitted.undefined) == (40, 4)
    assert fitted.sets(spoilt).undefined == 4


@pytest.mark.parametrize("order", ["C", "F"])
def test_scores_are_untouched_and_copied_once(order):
    p = np.asarray(softmax(4000, 250, dtype=np.float32), order=order)
    before = p.copy()
    fit_average_k(p[:5], 2)
    tracemalloc.start()
    fitted = fit_average_k(p, 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * p.nbytes
    assert np.array_equal(p, before)
    assert fitted.sets(p).size == 2
    assert fit_average_k(p[::2, ::2], 2).labels == 4000


def test_the_size_on_other_images_is_told_and_not_forced():
    sure, unsure = np.eye(5) * 0.9 + 0.02, np.full((5, 5), 0.2)
    fitted = fit_average_k(sure, 1)
    assert fitted.sets(unsure).size == 0
    assert fitted.sets(sure).size == 1


def test_attributes_may_have_none():
    p = np.array([[0.9, 0.1], [0.2, 0.1], [0.3, 0.05], [0.1, 0.2]])
    fitted = fit_average_k(p, 0.25, one_of=False)
    assert fitted.labels == 1
    assert fitted.sets(p).sizes.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("p", "size", "one_of", "words"),
    [
        (np.ones((3, 4)), 0.9, True, "size of 0.9 for a set of 4 outputs; expected 1 to 4"),
        (np.ones((3, 4)), 4.1, True, "expected 1 to 4"),
        (np.ones((3, 4)), np.nan, True, "expected 1 to 4"),
        (np.ones((3, 1)), 1, True, "two outputs at least"),
        (np.ones((3, 4)), 0, False, "for 4 attributes; expected above 0"),
        (np.ones((3, 4)), 4.1, False, "at most 4"),
        (np.ones((3, 4)), 0.1, False, "less than one label in 3 images; ask for at least 0.33"),
        (np.full((3, 4), np.nan), 1, True, "none of 3 images has finite scores"),
        (np.zeros((0, 4)), 1, True, "none of 0 images"),
    ],
)
def test_refusals(p, size, one_of, words):
    with pytest.raises(InputError, match=words):
        fit_average_k(p, size, one_of=one_of)


def test_other_outputs_are_refused():
    fitted = fit_average_k(softmax(9, 3), 1, names=["a", "b", "c"])
    with pytest.raises(InputError, match="calibrated on 3 outputs"):
        fitted.sets(softmax(9, 4))
    with pytest.raises(InputError, match="into that order"):
        fitted.sets(softmax(9, 3), names=["a", "c", "b"])


def head_with_a_rare_class(n, seed):
    """Logits with a class of 10 %: the log-odds of two normal densities 1.9 apart."""
    rng = np.random.default_rng(seed)
    true = (rng.random(n) < 0.1).astype(np.int64)
    x = rng.normal(size=n) + 1.9 * true
    return 1.9 * x - 1.9**2 / 2 + np.log(0.1 / 0.9), true


def test_a_size_of_one_starves_the_minority_and_class_conditional_sets_do_not():
    n = 8000
    (z, true), (new_z, new_true) = head_with_a_rare_class(n, 0), head_with_a_rare_class(n, 1)
    p, new = yes_no_scores(z), yes_no_scores(new_z)
    clusters, few = Clusters.of([""] * n), [False, True]
    one = set_coverage(fit_average_k(p, 1).sets(new).members, new_true, few, clusters)
    fair = set_coverage(class_conditional(p, true, 0.1).sets(new).members, new_true, few, clusters)
    assert abs(one.size.value - 1) < 0.02
    assert one.per_class[0].value - one.per_class[1].value > 0.3
    # Of a class with m calibration and m new images the coverage has a standard deviation of √(2·.9·.1/m).
    for a, images in enumerate(np.bincount(new_true)):
        assert abs(fair.per_class[a].value - 0.9) < 4 * np.sqrt(2 * 0.09 / images)
    assert fair.size.value > one.size.value + 0.05
    assert min(share.value for share in fair.several_per_class) > 0.05  # abstaining concerns both
    for told in (one, fair):
        assert told.size.value - 1 == pytest.approx(told.several.value - told.empty.value)
