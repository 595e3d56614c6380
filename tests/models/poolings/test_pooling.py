"""Poolings against their formulas, and the limits between them."""

from __future__ import annotations

import pytest
import torch

from bincam.errors import InputError
from bincam.models.poolings.pooling import (
    POOLINGS,
    AttentionPool,
    attention_pool,
    logsumexp_pool,
    make_pool,
    max_pool,
    mean_pool,
)


@pytest.fixture
def features():
    return torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_mean_and_max_by_hand():
    grid = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    assert mean_pool(grid).item() == 3
    assert max_pool(grid).item() == 6


def test_logsumexp_by_hand_and_between_its_limits(features):
    direct = (5 * features).exp().mean((2, 3)).log() / 5
    torch.testing.assert_close(logsumexp_pool(features, sharpness=5), direct)
    torch.testing.assert_close(logsumexp_pool(features, sharpness=1e-6), mean_pool(features), rtol=0, atol=1e-5)
    torch.testing.assert_close(logsumexp_pool(features, sharpness=1e4), max_pool(features), rtol=0, atol=1e-3)


def test_logsumexp_of_large_values_is_finite():
    assert logsumexp_pool(torch.full((1, 1, 2, 2), 1e4)).item() == pytest.approx(1e4)


@pytest.mark.parametrize("sharpness", [0, -1, float("nan")])
def test_logsumexp_needs_a_positive_sharpness(features, sharpness):
    with pytest.raises(InputError, match=f"got {sharpness}"):
        logsumexp_pool(features, sharpness=sharpness)


def test_attention_with_equal_scores_is_the_mean_and_with_one_high_score_that_cell(features):
    torch.testing.assert_close(attention_pool(features, torch.zeros(2, 1, 4, 5).double()), mean_pool(features))
    scores = torch.zeros(2, 1, 4, 5).double()
    scores[:, :, 1, 2] = 1e3
    torch.testing.assert_close(attention_pool(features, scores), features[:, :, 1, 2])


def test_attention_module_is_its_formula(features):
    torch.manual_seed(0)
    pool = AttentionPool(3, hidden=4).double()
    cells = features.flatten(2).transpose(1, 2)  # (B, hw, C)
    project = pool.project
    hidden = torch.tanh(cells @ project.weight[:, :, 0, 0].T + project.bias)
    weights = (hidden @ pool.score.weight[0, :, 0, 0]).softmax(1)
    torch.testing.assert_close(pool(features), (weights[..., None] * cells).sum(1))


@pytest.mark.parametrize("name", POOLINGS)
def test_every_pooling_by_name_keeps_constants_and_a_single_cell(name):
    pool = make_pool(name, 3)
    if name != "noisy_or":  # the more cells say the same, the surer it is
        torch.testing.assert_close(pool(torch.full((2, 3, 4, 5), 0.25)), torch.full((2, 3), 0.25))
    cell = torch.randn(1, 3, 1, 1)
    torch.testing.assert_close(pool(cell), cell[:, :, 0, 0])


def test_an_unknown_pooling_offers_the_nearest():
    with pytest.raises(InputError, match=r"unknown pooling 'maks'.*'max'"):
        make_pool("maks", 3)
