"""Poolings of given cells against their formulas, and thresholds at a given rate."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bincam.errors import InputError
from bincam.postprocessing.cell_pooling import POOLED, fit_poolings, pool_attributes, pool_set, threshold_at_rate


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(5, 3, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3


def test_every_pooling_is_its_formula(scores: torch.Tensor) -> None:
    pooled = pool_attributes(scores)
    assert tuple(pooled) == POOLED
    s = scores.flatten(2).numpy()
    p = 1 / (1 + np.exp(-s))
    best = -np.sort(-s, axis=-1)
    noisy = 1 - np.prod(1 - p, -1)
    expected = {
        "mean": s.mean(-1),
        "max": s.max(-1),
        "logsumexp": np.log(np.exp(s).mean(-1)),
        "top_10": best[..., :5].mean(-1),
        "top_25": best[..., :12].mean(-1),
        "noisy_or": -np.log(np.prod(1 - p, -1)) + np.log(noisy),
        "pcam": (p / p.sum(-1, keepdims=True) * s).sum(-1),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(pooled[name], values, rtol=1e-9, atol=1e-9, err_msg=name)


def test_the_outputs_of_a_set_are_pooled_each_and_compete_then(scores: torch.Tensor) -> None:
    pooled = pool_set(scores)
    assert set(POOLED) - set(pooled) == {"noisy_or", "pcam"}
    for name, pool in (("mean", scores.mean((2, 3))), ("max", scores.amax((2, 3)))):
        torch.testing.assert_close(pooled[name].sigmoid(), pool.softmax(1))


def test_what_pooling_lost_is_found_by_others() -> None:
    """One object of two cells among 49: the mean says no, the best cells say yes; without it, all say no."""
    with_object = torch.full((1, 1, 7, 7), -4.0)
    with_object[..., 2, 2:4] = 8.0
    found, without = pool_attributes(with_object), pool_attributes(torch.full((1, 1, 7, 7), -6.0))
    assert [name for name, z in found.items() if z.item() < 0] == ["mean", "top_25"]
    assert all(z.item() < 0 for z in without.values())


@pytest.mark.parametrize("positives", [0, 1, 17, 49, 50])
def test_the_threshold_gives_the_number_of_positives(positives: int) -> None:
    z = np.random.default_rng(0).normal(size=50)
    assert (z >= threshold_at_rate(z, positives)).sum() == positives
    shifted = np.append(3 * z + 7, np.nan)
    assert (shifted >= threshold_at_rate(shifted, positives)).sum() == positives


def test_equal_scores_are_not_divided() -> None:
    z = [0.0, 0.0, 0.0, 1.0]
    assert (np.array(z) >= threshold_at_rate(z, 2)).sum() == 1
    assert (np.array(z) >= threshold_at_rate(z, 3)).sum() == 4
    close = np.array([1.0, np.nextafter(1.0, 2)])
    assert (close >= threshold_at_rate(close, 1)).sum() == 1


def test_without_scores_there_is_no_threshold() -> None:
    with pytest.raises(InputError, match="positives=0 of 0 images"):
        threshold_at_rate([np.nan], 0)
    with pytest.raises(InputError, match="positives=3 of 2 images"):
        threshold_at_rate([0.0, 1.0], 3)


def test_the_best_pooling_on_the_reference_split_decides_as_often_as_the_mean() -> None:
    random = np.random.default_rng(0)
    labels = (random.random(300) < 0.3).astype(float)
    cells = torch.from_numpy(random.normal(-2, 1, (300, 1, 7, 7)))
    cells[labels == 1, 0, 2:4, 2] += 6  # two of 49 cells, which the mean loses in noise
    cells += torch.from_numpy(random.normal(0, 0.6, (300, 1, 1, 1)))
    pooled = {name: z[:, 0].numpy() for name, z in pool_attributes(cells).items()}
    threshold = float(np.quantile(pooled["mean"], 0.7))
    fitted = fit_poolings(pooled, labels, threshold)
    assert fitted.best in ("max", "top_10", "noisy_or", "logsumexp", "pcam")
    assert fitted.thresholds["mean"] == threshold
    rates = {name: (z >= fitted.thresholds[name]).sum() for name, z in pooled.items()}
    assert len(set(rates.values())) == 1
    assert fitted.balanced_errors[fitted.best] < fitted.balanced_errors["mean"] - 0.1
    twin = {name: pooled["mean"] * factor for factor, name in enumerate(pooled, start=1)}
    assert fit_poolings(twin, labels, threshold).best == "mean"
    unknown = fit_poolings(pooled, np.ones(300), threshold)
    assert unknown.best == "mean"
    assert np.isnan(unknown.balanced_errors["max"])
    with pytest.raises(InputError, match="expected 'mean' among them"):
        fit_poolings({"max": pooled["max"]}, labels, 0.0)
