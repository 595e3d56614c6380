"""Rank correlations over clusters: scipy's value, coverage in repeated samples, and degenerate."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from bincam.errors import InputError
from bincam.stats.clustered.rank_correlations import rank_correlation
from bincam.stats.clusters import Clusters


def test_the_value_is_scipys():
    random = np.random.default_rng(0)
    x, y = random.integers(0, 6, (2, 40)).astype(float)  # with ties
    x[3] = np.nan
    found = rank_correlation(x, y, Clusters(np.arange(40), known=True))
    assert found.value == pytest.approx(spearmanr(x, y, nan_policy="omit").statistic)
    assert (found.images, found.identities, found.status) == (39, 39, "ok")


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_intervals_cover_in_repeated_samples(correlation):
    """Thirty people with two images each, of which a half of the variance is the person's."""
    random = np.random.default_rng(1)
    truth = 6 / np.pi * np.arcsin(correlation / 2)  # of a bivariate normal
    mix = np.linalg.cholesky([[1, correlation], [correlation, 1]])
    covered, samples = 0, 300
    for _ in range(samples):
        person, image = random.normal(size=(2, 60, 2))
        person[1::2] = person[::2]
        x, y = ((person + image) / np.sqrt(2) @ mix.T).T
        found = rank_correlation(x, y, Clusters(np.arange(60) // 2, known=True))
        covered += found.low <= truth <= found.high
    assert 0.91 <= covered / samples <= 0.99


@pytest.mark.parametrize(
    ("x", "y", "status"),
    [
        ([1.0, 2.0], [1.0, 2.0], "undefined"),
        ([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0], "undefined"),
        ([1.0, 2.0, 3.0], [1.0, 3.0, 2.0], "small"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0], "small"),
    ],
)
def test_degenerate(x, y, status):
    found = rank_correlation(x, y, Clusters(np.arange(len(x)), known=True))
    assert found.status == status
    assert np.isnan(found.low)


def test_shapes_must_agree():
    with pytest.raises(InputError, match=r"\(3,\)"):
        rank_correlation([1.0, 2.0], [1.0, 2.0, 3.0], Clusters(np.arange(3), known=True))
