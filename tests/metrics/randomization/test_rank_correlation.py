"""Spearman's correlation is scipy's, and undefined where scipy's is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from bincam.metrics import spearman


def test_spearman_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 6, (3, 2, 5, 4)), rng.normal(size=(3, 2, 5, 4))
    got = spearman(torch.from_numpy(one).float(), torch.from_numpy(other).float())
    for b in range(3):
        for a in range(2):
            expected = stats.spearmanr(one[b, a].ravel(), other[b, a].ravel()).statistic
            assert got[b, a].item() == pytest.approx(expected)


def test_spearman_is_undefined_for_constants() -> None:
    one, other = torch.rand(1, 4, 3, 3), torch.rand(1, 4, 3, 3)
    one[0, 0], other[0, 1], one[0, 2, 0, 0] = 2.0, 0.0, torch.nan
    got = spearman(one, other)
    assert torch.isnan(got).tolist() == [[True, True, True, False]]
    assert torch.isnan(spearman(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))).all()
    assert spearman(one[:, 3:], -one[:, 3:]).item() == pytest.approx(-1)
