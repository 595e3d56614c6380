"""Each loss's values by hand, or torch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from bincam.stats.class_counts import ClassCounts
from bincam.train.losses.registry import make_loss
from tests.train.losses.batches import COUNTS, NAMES, batch

Q = 3 / (3 + math.e)  # of the logit log 3, lowered by a margin of 1
EVEN = ClassCounts(NAMES, np.array([7, 7, 7]), np.array([7, 7, 7]))


@pytest.mark.parametrize(
    ("name", "counts", "options"),
    [
        ("bce", COUNTS, {}),
        ("weighted_bce", EVEN, {}),
        ("moon_bce", EVEN, {}),
        ("class_balanced", COUNTS, {"beta": 0.0}),
        ("focal", COUNTS, {"gamma": 0.0}),
        ("asymmetric", COUNTS, {"gamma_positive": 0.0, "gamma_negative": 0.0, "margin": 0.0}),
        ("an_ls", COUNTS, {"label_smoothing": 0.0}),
        ("logit_adjusted", COUNTS, {"tau": 0.0}),
        ("ldam", COUNTS, {"max_margin": 0.0}),
    ],
)
def test_neutral_case_is_torchs(name: str, counts: ClassCounts, options: dict[str, Any]) -> None:
    logits, targets = batch()
    known = ~targets.isnan()
    expected = binary_cross_entropy_with_logits(logits[known], targets[known])
    torch.testing.assert_close(make_loss(name, counts, **options)(logits, targets), expected)


def test_weighted_bce_is_torchs() -> None:
    logits, targets = batch()
    targets = targets.nan_to_num()
    expected = binary_cross_entropy_with_logits(logits, targets, pos_weight=torch.tensor([9, 0.25, 1]))
    torch.testing.assert_close(make_loss("weighted_bce", COUNTS)(logits, targets), expected)


@pytest.mark.parametrize(
    ("name", "options", "positive", "negative"),
    [  # of the first attribute, 90 negatives and 10 positives, at the logit log 3: p = 0.75
        ("moon_bce", {}, -math.log(0.75), -math.log(0.25) / 9),
        ("moon_bce", {"target_rate": 0.1}, -math.log(0.75), -math.log(0.25)),
        ("weighted_bce", {}, -9 * math.log(0.75), -math.log(0.25)),
        ("weighted_bce", {"max_weight": 4}, -4 * math.log(0.75), -math.log(0.25)),
        ("euclidean", {}, (math.log(3) - 1) ** 2, (math.log(3) + 1) ** 2),
        ("moon_euclidean", {}, (math.log(3) - 1) ** 2, (math.log(3) + 1) ** 2 / 9),
        ("focal", {"gamma": 2}, -(0.25**2) * math.log(0.75), -(0.75**2) * math.log(0.25)),
        ("focal", {"gamma": 1, "alpha": 0.3}, -0.3 * 0.25 * math.log(0.75), -0.7 * 0.75 * math.log(0.25)),
        (
            "asymmetric",
            {"gamma_positive": 1, "gamma_negative": 2, "margin": 0.05},
            -0.25 * math.log(0.75),
            -(0.7**2) * math.log(0.3),
        ),
        ("asymmetric", {"margin": 0.75}, -math.log(0.75), 0.0),
        ("an_ls", {}, -0.95 * math.log(0.75) - 0.05 * math.log(0.25), -0.95 * math.log(0.25) - 0.05 * math.log(0.75)),
        (
            "an_ls",
            {"label_smoothing": 0.4},
            -0.8 * math.log(0.75) - 0.2 * math.log(0.25),
            -0.8 * math.log(0.25) - 0.2 * math.log(0.75),
        ),
        ("hill", {}, (1 - Q) ** 2 * -math.log(Q), (1.5 - 0.75) * 0.75**2),
        ("hill", {"ceiling": 2, "margin": 0, "gamma": 1}, -0.25 * math.log(0.75), (2 - 0.75) * 0.75**2),
        ("logit_adjusted", {}, math.log1p(3.0), math.log1p(1 / 3)),
        ("ldam", {}, math.log1p(math.exp(0.5) / 3), math.log1p(3 * math.exp(0.5 * (10 / 90) ** 0.25))),
    ],
)
def test_by_hand(name: str, options: dict[str, Any], positive: float, negative: float) -> None:
    logits = torch.full((2, 3), math.log(3), dtype=torch.float64)
    targets = torch.tensor([[1.0] * 3, [0.0] * 3])
    terms = make_loss(name, COUNTS, **options).terms(logits, targets)
    assert terms[:, 0].tolist() == pytest.approx([positive, negative], rel=1e-6)


def test_class_balanced_by_hand() -> None:
    counts = ClassCounts(("a",), np.array([2]), np.array([1]))  # effective numbers 1.5 and 1 at β = 1/2
    terms = make_loss("class_balanced", counts, beta=0.5).terms(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]]))
    assert terms.flatten().tolist() == pytest.approx([1.2 * math.log(2), 0.8 * math.log(2)])


def test_distribution_balanced_by_hand() -> None:
    counts = ClassCounts(("a", "b"), np.array([96, 80]), np.array([4, 20]))
    loss = make_loss("distribution_balanced", counts, alpha=0.1, beta=10, mu=0.2, negative_scale=2, bias=0.05)
    logits = torch.tensor([[0.3, -0.4]] * 4, dtype=torch.float64)
    terms = loss.terms(logits, torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [torch.nan, 1.0]]))

    def weight(ratio: float) -> float:
        return 0.1 + 1 / (1 + math.exp(-10 * (ratio - 0.2)))

    a, b = 0.3 - 0.05 * math.log(24), -0.4 - 0.05 * math.log(4)
    both = 1 / 4 + 1 / 20
    yes_b, no_a, no_b = math.log1p(math.exp(-b)), math.log1p(math.exp(2 * a)) / 2, math.log1p(math.exp(2 * b)) / 2
    expected = [
        [weight(0.25 / both) * math.log1p(math.exp(-a)), weight(0.05 / both) * yes_b],
        [weight(0.25 / 0.05) * no_a, weight(1) * yes_b],
        [1.1 * no_a, 1.1 * no_b],  # no positives: the limit
        [0.0, weight(1) * yes_b],  # an unknown label is not positive
    ]
    torch.testing.assert_close(terms, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-6)


def test_two_way_by_hand() -> None:
    loss = make_loss("two_way", COUNTS, positive_temperature=2, negative_temperature=1, attribute_weight=0.5)
    z = torch.tensor([[0.2, -0.5, 1.0], [0.7, 0.1, -0.3]], dtype=torch.float64)
    y = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    image = math.log1p(math.exp(math.log(math.exp(-0.5) + math.exp(1.0)) - 0.2))  # the second image has no positives
    attribute = math.log1p(math.exp(0.7 - 0.2))  # the other attributes have none
    expected = [[image + 0.5 * attribute, image, image], [0.5 * attribute, 0, 0]]
    torch.testing.assert_close(loss.terms(z, y), torch.tensor(expected, dtype=torch.float64))


def test_two_way_knows_differences_only() -> None:
    logits, targets = batch(dtype=torch.float64)
    loss = make_loss("two_way", COUNTS)
    torch.testing.assert_close(loss(logits + 5, targets), loss(logits, targets))
    assert not loss.separable


def test_deferred_reweighting_starts_where_it_should() -> None:
    logits, targets = batch()
    loss = make_loss("ldam", COUNTS, defer=0.5, beta=0.9)
    values = []
    for epoch in range(4):
        loss.set_epoch(epoch, 4)
        values.append(float(loss(logits, targets)))
    assert values[0] == values[1] != values[2] == values[3]
    late = make_loss("ldam", COUNTS, defer=0.55, beta=0.9)
    late.set_epoch(55, 100)  # .55 x 100 is more than 55 in floats
    assert float(late(logits, targets)) == values[3]
