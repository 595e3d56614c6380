"""What the optimum of a loss means: the probability at which its expected value is least."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy.optimize import minimize_scalar

from bincam.train.losses.base import SidedLoss
from bincam.train.losses.registry import LOSSES, make_loss
from tests.train.losses.batches import COUNTS

SIDED = [name for name, kind in LOSSES.items() if issubclass(kind, SidedLoss)]
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in SIDED),
    ("focal", {"alpha": 0.3}),
    ("focal", {"gamma": 0.5}),
    ("asymmetric", {"gamma_positive": 1.0, "margin": 0.1}),
    ("asymmetric", {"gamma_positive": 2.0, "gamma_negative": 2.0, "margin": 0.0}),
    ("moon_bce", {"target_rate": 0.2}),
    ("logit_adjusted", {"tau": 0.5}),
    ("ldam", {"max_margin": 2.0, "scale": 3.0, "defer": 0.0, "beta": 0.99}),
    ("hill", {"ceiling": 2.0, "margin": 0.5, "gamma": 3.0}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_link_is_where_the_expected_loss_is_least(name: str, options: dict[str, Any]) -> None:
    loss = make_loss(name, COUNTS, **options)
    assert isinstance(loss, SidedLoss)
    for epoch in (0, 9):  # LDAM changes in between
        loss.set_epoch(epoch, 10)
        for value in (0.02, 0.2, 0.5, 0.7, 0.98):
            eta = torch.full((3,), value, dtype=torch.float64)
            link = loss.link(eta)
            for i in range(3):

                def expected(z: float, eta: float = value, i: int = i) -> float:
                    positive, negative = loss.sides(torch.full((3,), z, dtype=torch.float64))
                    return float(eta * positive[i] + (1 - eta) * negative[i])

                found = minimize_scalar(expected, bounds=(-12, 12), method="bounded", options={"xatol": 1e-9})
                if torch.isinf(link[i]):  # the asymmetric loss is sure above some probability
                    assert found.x > 11.9
                else:
                    assert float(link[i]) == pytest.approx(found.x, abs=2e-5)
            finite = torch.isfinite(link)
            torch.testing.assert_close(loss.inverse_link(link)[finite], eta[finite], rtol=0, atol=1e-7)
            if loss.logit_shift is not None:
                torch.testing.assert_close(link - torch.logit(eta), loss.logit_shift.double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_links_grow_from_end_to_end(name: str, options: dict[str, Any]) -> None:
    loss = make_loss(name, COUNTS, **options)
    link = loss.link(torch.linspace(0, 1, 101, dtype=torch.float64)[:, None].expand(-1, 3))
    finite = torch.isfinite(link[:, 0])
    assert (link[finite].diff(dim=0) > 0).all()
    assert finite.sum() == 101 if loss.head == "margin" else finite[1:97].all()
    ends = 1.0 if loss.head == "margin" else math.log(0.95 / 0.05) if name == "an_ls" else math.inf  # smoothed labels
    assert link[[0, -1], 0].tolist() == pytest.approx([-ends, ends])
    assert loss.link(torch.tensor([-0.1, 1.1, torch.nan])).isnan().all() or loss.head == "margin"
    assert (loss.inverse_link(torch.linspace(-30, 30, 201)[:, None].expand(-1, 3)).diff(dim=0) >= 0).all()


def test_shifts_are_logs_of_weight_ratios() -> None:
    assert make_loss("bce", COUNTS).logit_shift.tolist() == [0, 0, 0]
    for name in ("weighted_bce", "moon_bce", "logit_adjusted"):
        assert make_loss(name, COUNTS).logit_shift.tolist() == pytest.approx([math.log(9), -math.log(4), 0])
    shifting = ("focal", "asymmetric", "an_ls", "hill", "euclidean", "moon_euclidean", "ldam")
    for name in (*shifting, "distribution_balanced", "two_way"):
        assert make_loss(name, COUNTS).logit_shift is None
    margins = make_loss("euclidean", COUNTS)
    assert margins.head == "margin"
    assert margins.link(torch.tensor([0.0, 0.3, 1.0])).tolist() == pytest.approx([-1, -0.4, 1])
    for name in ("distribution_balanced", "two_way"):
        assert make_loss(name, COUNTS).link(torch.full((3,), 0.5)) is None
        assert make_loss(name, COUNTS).inverse_link(torch.zeros(3)) is None


def test_asymmetric_is_sure_above_a_bound() -> None:
    # By hand, as p goes to 1: slope ratio γ q^(γ-1) (-log(1 - q)) + q^γ / (1 - q) at q = 0.95, γ = 4.
    ratio = 4 * 0.95**3 * -math.log(0.05) + 0.95**4 / 0.05
    bound = ratio / (1 + ratio)
    loss = make_loss("asymmetric", COUNTS)
    link = loss.link(torch.tensor([bound - 1e-3, bound + 1e-3, 1e-15], dtype=torch.float64))
    assert torch.isfinite(link).tolist() == [True, False, True]
    assert link[1] > 0
    assert float(link[2]) == pytest.approx(math.log(0.05 / 0.95), abs=0.02)


def test_hill_gives_up_negatives_that_it_is_sure_of() -> None:
    loss = make_loss("hill", COUNTS)
    z = torch.tensor([[-6.0] * 3, [0.0] * 3, [6.0] * 3], dtype=torch.float64, requires_grad=True)
    (pull,) = torch.autograd.grad(loss.terms(z, torch.zeros(3, 3)).sum(), z)
    p = z.detach().sigmoid()
    torch.testing.assert_close(pull, 3 * p**2 * (1 - p) ** 2)
    with_two_minima = make_loss("hill", COUNTS, margin=3)
    assert with_two_minima.link(torch.full((3,), 0.5)) is None
    assert with_two_minima.inverse_link(torch.zeros(3)) is None
