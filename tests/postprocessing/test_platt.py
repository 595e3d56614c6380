from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from bincam.errors import InputError
from bincam.postprocessing.platt import platt


def test_the_fit_is_the_most_likely_one() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(60) < 0.3).astype(float)
    z = 2 * y + rng.normal(size=60)
    target = np.where(y == 1, (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2))

    def cost(ab):
        eta = ab[0] * z + ab[1]
        return -(target * log_expit(eta) + (1 - target) * log_expit(-eta)).sum()

    expected = minimize(cost, [1.0, 0.0], tol=1e-12).x
    np.testing.assert_allclose(platt(z[:, None], y[:, None])[0], expected, rtol=1e-4)


def test_probabilities_mean_what_they_say_whatever_was_done_to_the_logits() -> None:
    rng = np.random.default_rng(1)
    odds = rng.normal(size=(50_000, 1)) * 2 - 1
    y = (rng.random(odds.shape) < expit(odds)).astype(float)
    slope, intercept = platt(0.2 * odds + 7, y)[0]
    assert slope == pytest.approx(5, rel=0.05)
    assert intercept == pytest.approx(-35, rel=0.05)


def test_what_cannot_be_fitted_is_nan_and_separable_data_are_finite() -> None:
    z = np.array([[-1.0, 0.0, 1.0, -2.0], [1.0, 1.0, 1.0, np.inf], [2.0, 2.0, 1.0, 3.0], [3.0, np.nan, 1.0, -1.0]])
    y = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0], [1.0, np.nan, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    found = platt(z, y)
    assert np.isfinite(found[0]).all()
    assert found[0, 0] > 0
    assert np.isnan(found[1]).all(), "its one negative has no logit"
    assert np.isnan(found[2]).all(), "a constant orders nothing"
    assert np.isfinite(found[3]).all(), "the infinite logit is left out"
    with pytest.raises(InputError, match="one shape"):
        platt(z, y[:, :2])
