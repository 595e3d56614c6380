"""One optimiser step is what torch alone does with the whole batch, however the batch is divided."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import bincam
from bincam.data import loader
from bincam.train import fit


def test_parts_of_a_batch_give_the_gradient_of_the_batch(config):
    whole = fit(config(epochs=2, to="a", optimizer__name="sgd", optimizer__lr=0.1))
    parts = fit(config(epochs=2, to="b", optimizer__name="sgd", optimizer__lr=0.1, accumulate=4))
    for one, other in zip(whole.history, parts.history, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], abs=1e-5)
    a, b = (bincam.load(result.folder / "last").state_dict() for result in (whole, parts))
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=1e-5, rtol=1e-4)


ONE_STEP = {"epochs": 1, "batch_size": 96, "optimizer__lr": 0.1, "optimizer__weight_decay": 0,
            "schedule__name": "constant", "data__augmentation": "none"}  # fmt: skip


def first_step(settings, table):
    """The whole training split as one batch, labels unknown among them: weights, gradients by torch alone, and ours."""
    result = fit(settings)
    from bincam.train.runs.initial_model import initial_model

    train = table.split("train")
    model = initial_model(settings, train, {}).to(memory_format=torch.channels_last)
    batch = next(iter(loader(train, card=result.model().card, batch_size=96)))
    known = ~batch.labels.isnan()
    loss = nn.functional.binary_cross_entropy_with_logits(model(batch.images)[known], batch.labels[known])
    loss.backward()
    assert result.history[0]["train_loss"] == pytest.approx(float(loss.detach()), abs=1e-6)
    ours = bincam.load(result.folder / "last").state_dict()
    return [(p.detach(), p.grad, ours[name]) for name, p in model.named_parameters()]


def test_one_step_of_sgd_by_hand(config, table):
    settings = config(**ONE_STEP, optimizer__name="sgd", optimizer__momentum=0)
    for weight, slope, after in first_step(settings, table):
        torch.testing.assert_close(after, weight - 0.1 * slope, atol=1e-5, rtol=1e-4)


def test_one_clipped_and_decaying_step_of_sgd_by_hand(config, table):
    """Nesterov's first step is 1 + momentum times the slope; decay is added after clipping, to matrices alone."""
    changes = {**ONE_STEP, "optimizer__weight_decay": 0.5}
    steps = first_step(config(**changes, optimizer__name="sgd", optimizer__momentum=0.5, clip_norm=0.01), table)
    norm = torch.stack([slope.square().sum() for _, slope, _ in steps]).sum().sqrt()
    assert norm > 0.02
    for weight, slope, after in steps:
        decayed = slope * 0.01 / norm + (0.5 * weight if weight.ndim > 1 else 0)
        torch.testing.assert_close(after, weight - 0.1 * 1.5 * decayed, atol=1e-6, rtol=1e-4)


def test_one_step_of_rmsprop_by_hand(config, table):
    """Its first step is lr / sqrt(1 - alpha) whatever the slope's size, so slopes of rounding errors are left out."""
    settings = config(**{**ONE_STEP, "optimizer__lr": 1e-3}, optimizer__name="rmsprop", optimizer__alpha=0.9)
    compared = 0
    for weight, slope, after in first_step(settings, table):
        clear = slope.abs() > 1e-4
        expected = weight - 1e-3 * slope / ((0.1 * slope.square()).sqrt() + 1e-8)
        torch.testing.assert_close(after[clear], expected[clear], atol=1e-6, rtol=1e-4)
        compared += int(clear.sum())
    assert compared > 1000


def test_one_decaying_step_of_adamw_by_hand(config, table):
    """Its first step is lr along the slope's sign; matrices alone shrink besides, by lr times the decay."""
    changes = {**ONE_STEP, "optimizer__lr": 1e-2, "optimizer__weight_decay": 0.5}
    compared = {True: 0, False: 0}
    for weight, slope, after in first_step(config(**changes, optimizer__name="adamw"), table):
        clear = slope.abs() > 1e-4
        decays = weight.ndim > 1
        expected = weight * (1 - 1e-2 * (0.5 if decays else 0)) - 1e-2 * slope / (slope.abs() + 1e-8)
        torch.testing.assert_close(after[clear], expected[clear], atol=1e-6, rtol=1e-4)
        compared[decays] += int((clear & (weight.abs() > 0.01)).sum())  # where decay would show
    assert compared[True] > 1000
    assert compared[False] > 30


def test_frozen_statistics_stay_and_others_do_not(config):
    batchnorm = {"model__options__norm_layer": "batchnorm", "epochs": 1}
    frozen = fit(config(to="a", model__freeze_batchnorm=True, **batchnorm)).model().state_dict()
    moving = fit(config(to="b", **batchnorm)).model().state_dict()
    means = [name for name in frozen if name.endswith("running_mean")]
    assert means
    assert all(not frozen[name].any() for name in means)
    assert all(moving[name].any() for name in means)
