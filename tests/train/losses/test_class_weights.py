"""Class weights: by hand, as identities, and refused where a class is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bincam.data import AttributeTable
from bincam.errors import InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.losses import class_weights

NAMES = ("Smiling", "Bald", "Young")
COUNTS = ClassCounts(NAMES, np.array([50, 98, 20]), np.array([50, 2, 80]))


def test_counts_of_a_table_leave_unknown_labels_out(tmp_path: Path) -> None:
    labels = np.array([[1, 0], [1, np.nan], [0, 1], [1, 0]], np.float32)
    counts = ClassCounts.from_table(AttributeTable(("a", "b"), labels, tuple("wxyz"), tmp_path))
    assert counts.attributes == ("a", "b")
    assert counts.negatives.tolist() == [1, 2]
    assert counts.positives.tolist() == [3, 1]
    assert counts.minority_positive.tolist() == [False, True]


def test_minority_is_positive_on_a_tie() -> None:
    assert COUNTS.minority_positive.tolist() == [True, True, False]


@pytest.mark.parametrize("bad", [[1.5, 1, 1], [-1, 1, 1], [1, 1]])
def test_counts_that_are_none(bad: list[float]) -> None:
    with pytest.raises(InputError, match=r"whole number|shape"):
        ClassCounts(NAMES, np.array(bad), np.array([1, 1, 1]))


def test_moon_by_hand() -> None:
    got = class_weights.moon(COUNTS)  # the minority weighs 1, the majority S_min / S_maj
    assert got.negative.tolist() == pytest.approx([1, 2 / 98, 1])
    assert got.positive.tolist() == pytest.approx([1, 1, 20 / 80])


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
def test_moon_reaches_the_target_rate(rate: float) -> None:
    got = class_weights.moon(COUNTS, target_rate=rate)
    positive = got.positive * torch.tensor(COUNTS.positives)
    negative = got.negative * torch.tensor(COUNTS.negatives)
    torch.testing.assert_close(positive / (positive + negative), torch.full((3,), rate, dtype=torch.float64))
    assert torch.maximum(got.positive, got.negative).tolist() == [1, 1, 1]


def test_moon_at_the_source_rate_weighs_nothing() -> None:
    got = class_weights.moon(COUNTS, target_rate={"Bald": 0.02, "Young": 0.8})
    torch.testing.assert_close(torch.stack(got), torch.ones(2, 3, dtype=torch.float64))


def test_pos_weight_by_hand() -> None:
    assert class_weights.pos_weight(COUNTS).negative.tolist() == [1, 1, 1]
    assert class_weights.pos_weight(COUNTS).positive.tolist() == pytest.approx([1, 49, 0.25])
    assert class_weights.pos_weight(COUNTS, max_weight=10).positive.tolist() == pytest.approx([1, 10, 0.25])
    assert class_weights.pos_weight(COUNTS, max_weight=2).positive.tolist() == pytest.approx([1, 2, 0.5])


def test_effective_number_by_hand_and_at_its_ends() -> None:
    # β = 1/2: the effective numbers of 1 and 2 images are 1 and 3/2, so the weights are as 3 to 2.
    small = ClassCounts(("a",), np.array([1]), np.array([2]))
    assert [float(w) for w in class_weights.effective_number(small, beta=0.5)] == pytest.approx([1.2, 0.8])
    assert torch.stack(class_weights.effective_number(COUNTS, beta=0)).unique().tolist() == [1]
    near = class_weights.effective_number(COUNTS, beta=1 - 1e-12)
    assert (near.positive / near.negative).tolist() == pytest.approx([1, 49, 0.25], rel=1e-6)


def test_one_class_is_refused_by_name() -> None:
    lacking = ClassCounts(NAMES, np.array([5, 9, 0]), np.array([5, 0, 9]))
    for make in (class_weights.moon, class_weights.pos_weight, class_weights.effective_number, class_weights.log_odds):
        with pytest.raises(InputError, match=r"'Bald' has no positives, 'Young' has no negatives"):
            make(lacking)
    assert class_weights.ones(lacking).positive.tolist() == [1, 1, 1]


def test_options_out_of_bounds() -> None:
    with pytest.raises(InputError, match=r"target_rate of 'Smiling' is 1"):
        class_weights.moon(COUNTS, target_rate=1)
    with pytest.raises(InputError, match=r"'Smilng'; did you mean 'Smiling'"):
        class_weights.moon(COUNTS, target_rate={"Smilng": 0.2})
    with pytest.raises(InputError, match=r"max_weight=0.5"):
        class_weights.pos_weight(COUNTS, max_weight=0.5)
    with pytest.raises(InputError, match=r"beta=1"):
        class_weights.effective_number(COUNTS, beta=1)
