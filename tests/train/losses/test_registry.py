"""The contract that every loss keeps, whatever its options."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from bincam.errors import BincamWarning, InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.losses.base import AttributeLoss, SidedLoss
from bincam.train.losses.registry import LOSSES, make_loss
from tests.train.losses.batches import COUNTS, NAMES, batch


@pytest.fixture(params=list(LOSSES))
def loss(request: pytest.FixtureRequest) -> AttributeLoss:
    return make_loss(request.param, COUNTS)


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
