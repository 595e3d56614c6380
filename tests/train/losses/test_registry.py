"""The contract that every loss keeps, each loss's values by hand, and what its optimum means."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from bincam.errors import BincamWarning, InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.losses.base import AttributeLoss, SidedLoss
from bincam.train.losses.registry import LOSSES, make_loss

NAMES = ("Bald", "Young", "Male")
COUNTS = ClassCounts(NAMES, np.array([90, 20, 50]), np.array([10, 80, 50]))
Q = 3 / (3 + math.e)  # of the logit log 3, lowered by a margin of 1
EVEN = ClassCounts(NAMES, np.array([7, 7, 7]), np.array([7, 7, 7]))
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


def batch(rows: int = 7, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Logits and targets; about one target in six is unknown."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(rows, len(NAMES), generator=generator, dtype=torch.float64)
    draw = torch.rand(rows, len(NAMES), generator=generator)
    targets = torch.where(draw < 1 / 6, torch.nan, (draw > 0.6).float())
    targets[0], targets[1] = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.0])
    return logits.to(dtype), targets


@pytest.fixture(params=list(LOSSES))
def loss(request: pytest.FixtureRequest) -> AttributeLoss:
    return make_loss(request.param, COUNTS)


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


def test_unknown_entries_are_inert(loss: AttributeLoss) -> None:
    logits, targets = batch()
    targets[3] = torch.nan
    results = []
    for filler in (0.0, 1e4, torch.nan, torch.inf, -torch.inf):
        z = torch.where(targets.isnan(), filler, logits).requires_grad_()
        value = loss(z, targets)
        (gradient,) = torch.autograd.grad(value, z)
        results.append((value, gradient))
    for value, gradient in results:
        assert torch.equal(value, results[0][0])
        assert torch.equal(gradient, results[0][1])
        assert not gradient[targets.isnan()].any()
        assert gradient.any()
    kept = [0, 1, 2, 4, 5, 6]
    torch.testing.assert_close(results[0][0], loss(logits[kept], targets[kept]))


def test_nothing_known_is_zero(loss: AttributeLoss) -> None:
    logits, unknown = torch.randn(4, 3, requires_grad=True), torch.full((4, 3), torch.nan)
    value = loss(logits, unknown)
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.item() == 0
    assert not gradient.any()
    assert float(loss.normalizer(unknown)) == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", [1e4, -1e4, 30.0, -30.0, 0.0])
def test_extreme_logits_stay_finite(loss: AttributeLoss, dtype: torch.dtype, value: float) -> None:
    _, targets = batch()
    logits = torch.full((7, 3), value, dtype=dtype, requires_grad=True)
    result = loss(logits, targets)
    (gradient,) = torch.autograd.grad(result, logits)
    assert result.dtype == torch.float32
    assert torch.isfinite(result)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_rows_of_one_class(loss: AttributeLoss, target: float) -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    value = loss(logits, torch.full((5, 3), target))
    (gradient,) = torch.autograd.grad(value, logits)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()
    if loss.head == "logits" and isinstance(loss, SidedLoss):
        assert (gradient >= 0).all() if target == 0 else (gradient <= 0).all()


def test_gradcheck(loss: AttributeLoss) -> None:
    logits, targets = batch(dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: loss.terms(z, targets), logits.requires_grad_())


def test_reductions_agree(loss: AttributeLoss) -> None:
    logits, targets = batch()
    terms, known = loss.terms(logits, targets), ~targets.isnan()
    assert terms.shape == (7, 3)
    assert not terms[~known].any()
    assert int(loss.normalizer(targets)) == int(known.sum())
    wanted = {"none": terms, "sum": terms.sum(), "mean": terms.sum() / known.sum()}
    for reduction, expected in wanted.items():
        loss.reduction = reduction
        assert torch.equal(loss(logits, targets), expected)


@pytest.mark.parametrize("name", [name for name, kind in LOSSES.items() if kind.separable])
def test_parts_of_a_batch_add_up(name: str) -> None:
    loss, (logits, targets) = make_loss(name, COUNTS), batch()
    parts = [slice(0, 2), slice(2, 7)]
    total = sum(loss.terms(logits[p], targets[p]).sum() for p in parts)
    count = sum(loss.normalizer(targets[p]) for p in parts)
    torch.testing.assert_close(total / count, loss(logits, targets))


def test_autocast_changes_nothing(loss: AttributeLoss) -> None:
    logits, targets = batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(logits, targets)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, loss(logits, targets))


def test_arguments_are_not_changed(loss: AttributeLoss) -> None:
    logits, targets = batch()
    before = logits.clone(), targets.clone()
    loss(logits, targets)
    torch.testing.assert_close((logits, targets), before, equal_nan=True, rtol=0, atol=0)


def test_whole_number_targets(loss: AttributeLoss) -> None:
    logits, targets = batch()
    targets = targets.nan_to_num()
    for other in (targets.long(), targets.bool()):
        assert torch.equal(loss(logits, other), loss(logits, targets))


def test_weights_follow_the_module_and_are_not_stored(loss: AttributeLoss) -> None:
    assert loss.state_dict() == {}
    assert all(buffer.dtype == torch.float32 for buffer in loss.buffers())
    assert all(buffer.device.type == "meta" for buffer in loss.to("meta").buffers())


def test_bad_targets_and_shapes(loss: AttributeLoss) -> None:
    logits, targets = batch()
    targets[2, 1] = -1
    with pytest.raises(InputError, match=r"row 2, 'Young', is -1"):
        loss(logits, targets)
    assert torch.isnan(loss.terms(logits, targets)[2, 1])
    for z, y in ((logits[:, :2], targets[:, :2]), (logits, targets[:3]), (logits[0], targets[0])):
        with pytest.raises(InputError, match=r"\(B, 3\)"):
            loss.terms(z, y)


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


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("moon_bec", {}, "unknown loss 'moon_bec'; did you mean 'moon_bce'"),
        ("moon_bce", {"target_rat": 0.5}, "'moon_bce' has no option 'target_rat'; did you mean 'target_rate'"),
        ("moon_bce", {"target_rate": 0}, "target_rate of 'Bald' is 0"),
        ("moon_bce", {"target_rate": {"Bald": "x"}}, "finite number, got 'x'"),
        ("weighted_bce", {"max_weight": "ten"}, "option 'max_weight' of loss 'weighted_bce'.*got 'ten'"),
        ("weighted_bce", {"max_weight": 0.5}, "max_weight=0.5"),
        ("focal", {"gamma": math.nan}, "finite number, got nan"),
        ("focal", {"gamma": True}, "finite number, got True"),
        ("focal", {"gamma": None}, "finite number, got None"),
        ("focal", {"gamma": {"Bald": 1}}, "finite number, got {'Bald': 1}"),
        ("moon_bce", {"target_rate": {"Bald": None}}, "finite number, got None"),
        ("focal", {"gamma": -1}, "gamma=-1"),
        ("focal", {"alpha": 1}, "alpha=1"),
        ("asymmetric", {"gamma_positive": -1}, "gamma_positive=-1"),
        ("asymmetric", {"gamma_negative": 0.5}, "gamma_negative=0.5"),
        ("asymmetric", {"margin": 1}, "margin=1"),
        ("an_ls", {"label_smoothing": 1}, "label_smoothing=1: expected a number from 0 to below 1"),
        ("hill", {"ceiling": 1.4}, "ceiling=1.4: expected at least 1.5; below, likely negatives are pushed up"),
        ("hill", {"margin": -1}, "margin=-1"),
        ("hill", {"gamma": -1}, "gamma=-1"),
        ("class_balanced", {"beta": 1}, "beta=1"),
        ("logit_adjusted", {"tau": -1}, "tau=-1"),
        ("ldam", {"max_margin": -1}, "max_margin=-1"),
        ("ldam", {"scale": 0}, "scale=0"),
        ("ldam", {"defer": 2}, "defer=2"),
        ("distribution_balanced", {"negative_scale": 0}, "negative_scale=0"),
        ("distribution_balanced", {"alpha": -1}, "alpha=-1"),
        ("two_way", {"positive_temperature": 0}, "positive_temperature=0"),
        ("two_way", {"attribute_weight": -1}, "attribute_weight=-1"),
        ("bce", {"reduction": "avg"}, "reduction='avg'"),
        ("distribution_balanced", {"beta": 0.0}, "beta=0.0: expected a number above 0"),
    ],
)
def test_names_and_options_are_checked(name: str, options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        make_loss(name, COUNTS, **options)


def test_one_class_in_training_is_refused_where_it_weighs_and_else_told() -> None:
    lacking = ClassCounts(NAMES, np.array([5, 9, 5]), np.array([5, 0, 5]))
    free = {"bce", "euclidean", "focal", "asymmetric", "an_ls", "hill", "two_way"}
    logits, targets = batch()
    for name in LOSSES:
        if name in free:
            with pytest.warns(BincamWarning, match=r"'Young' has no positives"):
                loss = make_loss(name, lacking)
            assert torch.isfinite(loss(logits, targets))
        else:
            with pytest.raises(InputError, match=r"'Young' has no positives"):
                make_loss(name, lacking)
