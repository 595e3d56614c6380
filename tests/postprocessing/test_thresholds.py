"""Tuned thresholds against trying everything."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import BincamWarning, InputError
from bincam.postprocessing.thresholds import tune

RNG = np.random.default_rng(1)
LABELS = (RNG.random((80, 3)) < [0.15, 0.5, 0.9]).astype(float)
LOGITS = np.round(2 * LABELS + RNG.normal(size=LABELS.shape) - 1, 1)


def cost(criterion, z, y, t):
    fn, fp, tp = ((z < t) & (y == 1)).sum(), ((z >= t) & (y == 0)).sum(), ((z >= t) & (y == 1)).sum()
    if criterion == "error":
        return fn + fp
    if criterion == "prevalence":
        return abs(int((z >= t).sum()) - int((y == 1).sum()))
    if criterion == "f1":
        return -2 * tp / (2 * tp + fp + fn)
    return fn / (y == 1).sum() + fp / (y == 0).sum()


@pytest.mark.parametrize("criterion", ["balanced_error", "error", "f1", "prevalence"])
def test_no_threshold_is_better(criterion):
    found = tune(LOGITS, LABELS, criterion)
    for a in range(3):
        z, y = LOGITS[:, a], LABELS[:, a]
        tried = [cost(criterion, z, y, t) for t in np.arange(-6, 6, 0.05)]
        assert cost(criterion, z, y, found[a]) == pytest.approx(min(tried))


def test_between_separated_classes_it_is_the_middle():
    assert tune([[-1.0], [3.0], [4.0]], [[0.0], [1.0], [1.0]]).tolist() == [1.0]


def test_among_equally_good_ones_the_nearest_to_zero():
    z, y = [[-3.0], [-1.0], [2.0], [4.0]], [[0.0], [1.0], [0.0], [1.0]]
    assert tune(z, y).tolist() == [-2.0]
    assert tune(np.negative(z), 1 - np.array(y)).tolist() == [2.0]


def test_one_class_is_left_at_zero_and_unknown_entries_out():
    labels = np.array([[1.0, 1.0], [1.0, 0.0], [np.nan, np.nan], [1.0, 0.0]])
    logits = np.array([[1.0, 5.0], [2.0, 3.0], [9.0, 9.0], [3.0, np.nan]])
    with pytest.warns(BincamWarning, match=r"attributes 0 \(counted from 0\)"):
        assert tune(logits, labels).tolist() == [0.0, 4.0]


def test_neighbouring_numbers_are_separated():
    low = 1.0
    high = np.nextafter(low, 2)
    (t,) = tune([[low], [high]], [[0.0], [1.0]])
    assert low < t <= high


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="did you mean 'error'"):
        tune(LOGITS, LABELS, "eror")
    with pytest.raises(InputError, match="1 of 2 logits are infinite"):
        tune([[np.inf], [0.0]], [[1.0], [0.0]])
    with pytest.raises(InputError, match="one shape"):
        tune(LOGITS, LABELS[:, 0])
