from __future__ import annotations

import numpy as np
import pytest

from bincam.data.folds import assign
from bincam.errors import InputError


def test_groups_stay_together_and_rare_classes_are_spread():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(1, 9, 60)).astype(str)
    labels = (rng.random((60, 3)) < [0.1, 0.5, 0.7]).astype(np.float32)[groups.astype(int)]
    fold = assign(labels, groups, 5)
    assert all(len(set(fold[groups == g])) == 1 for g in set(groups))
    sizes = np.bincount(fold, minlength=5)
    assert sizes.min() > 0.7 * sizes.mean()
    for f in range(5):
        assert {0.0, 1.0} <= set(labels[fold == f, 0])


def test_unknown_identities_are_each_on_their_own():
    fold = assign(np.zeros((8, 1), np.float32), np.array([""] * 8), 4)
    assert np.bincount(fold).tolist() == [2, 2, 2, 2]


def test_the_same_seed_gives_the_same_folds():
    labels, groups = np.zeros((40, 1), np.float32), np.arange(40).astype(str)
    np.testing.assert_array_equal(assign(labels, groups, 4, seed=5), assign(labels, groups, 4, seed=5))
    assert (assign(labels, groups, 4, seed=5) != assign(labels, groups, 4, seed=6)).any()


@pytest.mark.parametrize("k", [1, 4])
def test_more_folds_than_identities_are_refused(k):
    with pytest.raises(InputError, match="2 to 3"):
        assign(np.zeros((6, 1), np.float32), np.repeat(["a", "b", "c"], 2), k)


def test_tables_of_folds_test_every_image_once(table):
    folds = table.folds(3)
    tested = sorted(name for fold in folds for name in fold.split("test").ids)
    assert tested == sorted(table.ids)
    assert all(not fold.describe().crossing for fold in folds)
    assert folds[0].split("validation").ids == folds[1].split("test").ids
    assert "validation" not in table.folds(2)[0].counts()
