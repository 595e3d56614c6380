"""The bootstrap of many cells against one resample written out, and what it covers."""

import numpy as np
import pytest

from bincam.stats.bootstrap import resampled_means
from bincam.stats.clusters import Clusters
from bincam.stats.intervals import quantiles
from bincam.stats.outcomes import BASIC, CELLS, MEMBERSHIP, basic_name, cells


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 2, 3)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    cell = rng.integers(-1, len(CELLS), (60, 2))
    clusters = Clusters(np.sort(rng.integers(0, 15, 60)), True)
    clusters = Clusters(np.unique(clusters.codes, return_inverse=True)[1], True)
    return values, cell, clusters


def test_every_resample_is_what_repeating_its_images_gives(world):
    values, cell, clusters = world
    weights = clusters.weights(7, seed=3)
    assert (weights.sum(0) == clusters.count).all()
    for a, found in enumerate(resampled_means(values, cell, MEMBERSHIP, clusters, weights)):
        for g, group in enumerate(BASIC):
            inside = (cell[:, a] >= 0) & (MEMBERSHIP[g][np.maximum(cell[:, a], 0)] > 0)
            people = clusters.codes[inside & np.isfinite(values[:, a, 0])]
            assert found.identities[g, 0] == len(set(people)), group
            np.testing.assert_allclose(found.value[g], np.nanmean(values[inside, a], 0), rtol=1e-5)
            np.testing.assert_array_equal(found.images[g], np.isfinite(values[inside, a]).sum(0))
            for r in range(7):
                repeated = np.repeat(np.flatnonzero(inside), weights[clusters.codes[inside], r].astype(int))
                drawn = values[repeated, a]
                expected = [np.mean(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in drawn.T]
                np.testing.assert_allclose(found.samples[g, :, r], expected, rtol=1e-4, atol=1e-6)


def test_an_empty_cell_is_undefined_and_does_not_warn(world):
    values, _, clusters = world
    nobody = np.full(values.shape[:2], -1)
    found = next(resampled_means(values, nobody, MEMBERSHIP, clusters, clusters.weights(5, 0)))
    assert np.isnan(found.value).all()
    assert np.isnan(found.samples).all()
    assert (found.images == 0).all()


def test_the_same_seed_draws_the_same(world):
    clusters = world[2]
    np.testing.assert_array_equal(clusters.weights(9, 1), clusters.weights(9, 1))
    assert (clusters.weights(9, 1) != clusters.weights(9, 2)).any()


def test_the_cluster_bootstrap_covers_where_one_of_images_does_not():
    rng = np.random.default_rng(4)
    hits = {True: 0, False: 0}
    for run in range(200):
        codes = np.repeat(np.arange(40), 6)
        x = (rng.normal(size=40)[codes] + 0.5 * rng.normal(size=240)).astype(np.float32)[:, None, None]
        for known in hits:
            clusters = Clusters(codes if known else np.arange(240), known)
            one = next(
                resampled_means(
                    x, np.zeros((240, 1), int), np.ones((1, 1), np.float32), clusters, clusters.weights(400, run)
                )
            )
            low, high = quantiles(one.samples)
            hits[known] += low[0, 0] <= 0 <= high[0, 0]
    assert 0.89 <= hits[True] / 200 <= 0.99
    assert hits[False] / 200 < 0.75


def test_unknown_people_are_each_somebody_of_their_own():
    clusters = Clusters.of(["a", "", "a", "", "b"])
    assert clusters.known
    assert clusters.count == 4
    assert clusters.codes[0] == clusters.codes[2]
    assert clusters.identities(np.array([[1], [1], [1], [0], [0]], bool)).tolist() == [2]
    assert not Clusters.of(["", ""]).known
    assert Clusters.of([]).count == 0


def test_cells_follow_labels_and_logits_and_a_logit_at_its_threshold_is_positive():
    label = np.array([1, 0, 1, 0, np.nan, np.nan, 1])
    logit = np.array([0.5, 0.5, 0.4, 0.4, 0.5, 0.4, np.nan])
    assert [CELLS[c] if c >= 0 else "" for c in cells(label, logit, np.full(7, 0.5))] == [*CELLS[:4], "P?", "N?", ""]
    assert basic_name("true:minority", 1) == "true:positive"
    assert basic_name("predicted:majority", 1) == "predicted:negative"
    assert basic_name("outcome:TP", -1) == "outcome:TP"
