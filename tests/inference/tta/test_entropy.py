"""Marginal entropies against scipy, and gradients of saturated views."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from scipy.stats import entropy

from bincam.inference import marginal_entropies
from bincam.inference.tta.entropy import question_columns


def test_entropies_are_those_of_the_mean_probabilities():
    scores = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    sets = {"hair": (0, 3, 4)}
    found = marginal_entropies(scores, sets)
    p = expit(scores.numpy()).mean(0)
    q = softmax(scores.numpy()[:, [0, 3, 4]], -1).mean(0)
    expected = [entropy([p[1], 1 - p[1]]), entropy([p[2], 1 - p[2]]), entropy(q)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert question_columns(5, sets) == [[1], [2], [0, 3, 4]]


def test_two_outputs_in_a_set_are_one_attribute():
    z = torch.randn(7, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pair = torch.cat([torch.zeros_like(z), z], 1)
    torch.testing.assert_close(marginal_entropies(pair, {"pair": (0, 1)}), marginal_entropies(z, {}))


@pytest.mark.parametrize("sets", [{}, {"all": (0, 1)}])
def test_saturated_views_have_finite_gradients(sets):
    scores = torch.tensor([[900.0, -900.0], [900.0, -900.0]], requires_grad=True)
    total = marginal_entropies(scores, sets).sum()
    total.backward()
    assert total.item() == 0
    assert scores.grad.isfinite().all()
