"""The interval of an AUROC near 1: never wider than the greatest variance allows, and it covers."""

import numpy as np
import pytest
from scipy.stats import norm

from bincam.stats.clustered.delong import auroc_contributions, ranking_interval
from bincam.stats.clusters import Clusters
from bincam.stats.intervals import wilson
from bincam.stats.roc import ranking


def test_one_image_out_of_order_does_not_make_the_interval_useless():
    labels, scores = np.repeat([1.0, 0.0], [10, 190]), np.concatenate([5 + 0.1 * np.arange(10), np.linspace(0, 4, 190)])
    scores[-1] = 9  # a negative above all positives: it alone decides the estimated variance
    auroc, _ = ranking(scores, labels, Clusters.of([""] * 200))
    assert auroc.value > 0.99
    assert auroc.low >= wilson(auroc.value, 10)[0] - 1e-9
    free = ranking_interval(
        auroc.value, auroc_contributions(scores, labels > 0), labels > 0, np.arange(200), Clusters.of([""] * 200)
    )
    assert free[0] < 0.1
    assert auroc.low > 0.65


@pytest.mark.parametrize("true", [0.9, 0.98])
def test_bounded_intervals_cover(true):
    rng, hits, runs = np.random.default_rng(5), 0, 300
    labels = np.repeat([1.0, 0.0], [30, 170])
    clusters = Clusters.of([""] * 200)
    for _ in range(runs):
        auroc, _ = ranking(rng.normal(size=200) + np.sqrt(2) * norm.ppf(true) * labels, labels, clusters)
        hits += auroc.low <= true <= auroc.high
    assert hits / runs > 0.92
