"""Spearman's correlation and its interval."""

import numpy as np
import pytest
from scipy import stats

from bincam.compare.imbalance_correlation import spearman


def test_spearman_is_scipys_and_its_interval_covers():
    rng = np.random.default_rng(0)
    inside = 0
    truth = 6 / np.pi * np.arcsin(0.5 / 2)
    for _ in range(300):
        x = rng.normal(size=40)
        y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=40)
        found = spearman(x, y)
        inside += found["low"] <= truth <= found["high"]
    assert found["rho"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["status"] == "ok"
    perfect = spearman(np.arange(4.0), np.arange(4.0) ** 2)
    assert (perfect["rho"], perfect["low"], perfect["high"], perfect["status"]) == (1.0, None, None, "small")
    assert 0.92 <= inside / 300 <= 0.98
    for x, y in ((np.ones(10), np.arange(10.0)), (np.arange(3.0), np.arange(3.0)), (np.full(9, np.nan), np.ones(9))):
        assert spearman(x, y)["rho"] is None
