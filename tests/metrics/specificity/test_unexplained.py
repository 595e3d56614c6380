"""Own shares: scikit-learn's ridge, planted copies and disjoint channels, random heads, labels, and too little."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from bincam.metrics.specificity.unexplained import PENALTY, _gram, _mixtures, _remainders, own_share
from bincam.stats.clusters import Clusters

IMAGES, CHANNELS = 80, 12
ALONE = Clusters.of([""] * IMAGES)


@pytest.fixture
def features() -> np.ndarray:
    """Features of a network, which are not negative: ``(images, channels, 4, 5)``."""
    return np.maximum(np.random.default_rng(0).normal(0.3, 1, (IMAGES, CHANNELS, 4, 5)), 0)


def maps_of(rows: np.ndarray, features: np.ndarray) -> np.ndarray:
    return np.einsum("ac,nchw->nahw", rows, features)


def test_one_inverse_is_every_attributes_ridge(features: np.ndarray) -> None:
    maps = features[:, :4].reshape(IMAGES, 4, -1)
    maps = maps - maps.mean(-1, keepdims=True)
    maps[:, 3] += 0.8 * maps[:, 0] - 0.3 * maps[:, 2]
    scale = np.sqrt(np.diagonal(_gram(maps)))
    own = _remainders(_gram(maps))
    units = (maps / scale[:, None]).transpose(1, 0, 2).reshape(4, -1)
    for a in range(4):
        others = np.delete(units, a, 0)
        fitted = Ridge(alpha=PENALTY, fit_intercept=False).fit(others.T, units[a])
        rest = scale[a] * (units[a] - fitted.predict(others.T))
        np.testing.assert_allclose(np.einsum("b,nbc->nc", own[a], maps).ravel(), rest, atol=1e-10)


def test_disjoint_channels_are_their_own_and_copied_rows_are_not(features: np.ndarray) -> None:
    disjoint = own_share(maps_of(np.eye(CHANNELS)[:5], features), ALONE)
    assert (disjoint.value > 0.97).all()
    assert disjoint.null < 0.5
    rows = np.random.default_rng(1).normal(size=(5, CHANNELS))
    rows[3], rows[4] = 2 * rows[1], -rows[2]
    copied = own_share(maps_of(rows, features), ALONE)
    assert (copied.value[1:] < 1e-4).all()
    assert copied.value[0] > 0.5
    total = own_share(maps_of(np.vstack([rows[:3], rows[:3].sum(0)]), features), ALONE)
    assert (total.value < 1e-3).all()


def test_a_template_explains_nothing(features: np.ndarray) -> None:
    """Fixed maps, each attribute's own: all of it is the mean map, which the test before this one fails."""
    fixed = np.broadcast_to(features[:1, :4], (IMAGES, 4, 4, 5))
    noise = np.random.default_rng(2).normal(size=(IMAGES, 1, 4, 5))
    found = own_share(fixed + noise, ALONE)  # what varies is the same for all
    assert (found.value < 1e-3).all()
    assert own_share(fixed, ALONE).reason == "all maps are constant, or the same"


def test_random_mixtures_have_the_heads_mean_and_covariance() -> None:
    rows = np.random.default_rng(3).normal(1, 1, (6, 3))
    drawn = np.concatenate([_mixtures(6, seed) @ rows for seed in range(40)]).reshape(-1, 3)
    np.testing.assert_allclose(drawn.mean(0), rows.mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(rows.T), atol=0.1)


def test_the_null_is_that_of_maps_of_mixed_rows(features: np.ndarray) -> None:
    """By brute force: draw a head, make its maps, and take their own shares."""
    rows = np.random.default_rng(4).normal(size=(4, CHANNELS))
    found = own_share(maps_of(rows, features), ALONE)
    drawn = [own_share(maps_of(mixed @ rows, features), ALONE).value for mixed in _mixtures(4, 0)]
    assert found.null == pytest.approx(np.mean(drawn), rel=1e-6)
    np.testing.assert_allclose(found.null_range, np.quantile(drawn, (0.05, 0.95)), rtol=1e-6)


def test_what_labels_explain_is_taken_out() -> None:
    """Two attributes share what they draw only because images that have one have the other."""
    random = np.random.default_rng(5)
    labels = np.repeat(random.integers(0, 2, (IMAGES, 1)), 2, 1).astype(float)
    place = random.normal(size=(1, 1, 4, 5))
    maps = labels[..., None, None] * place * 2 + random.normal(size=(IMAGES, 2, 4, 5))
    raw, given = own_share(maps, ALONE), own_share(maps, ALONE, labels)
    assert (raw.value < 0.8).all()
    assert (given.value > 0.95).all()
    labels[3, 0] = np.nan
    assert own_share(maps, ALONE, labels).images == IMAGES - 1
    unlabelled = np.column_stack([labels, np.full(IMAGES, np.nan)])  # an attribute that no image has a label of
    np.testing.assert_allclose(own_share(maps, ALONE, unlabelled).value, own_share(maps, ALONE, labels).value)
    assert own_share(maps, ALONE, unlabelled[:, 2:]).reason == "no label that most images have"


def test_people_are_in_one_half_only(features: np.ndarray) -> None:
    """Copies of an image in both halves would let the regression learn the image by heart."""
    few = features[:10, :9]
    copies = np.concatenate([few] * 8)
    people = Clusters(np.tile(np.arange(10), 8), known=True)
    assert own_share(copies, people).value.mean() > own_share(copies, Clusters.of([""] * IMAGES)).value.mean()


def test_what_is_undefined_is_left_out(features: np.ndarray) -> None:
    maps = features[:, :5].copy()
    maps[7, 2] = np.nan
    maps[:, 4, 0, 0] = np.nan  # never defined
    maps[:, 3] = 1
    found = own_share(maps, ALONE)
    assert found.images == IMAGES - 1
    assert np.isnan(found.unexplained[7]).all()
    assert np.isnan(found.value).tolist() == [False, False, False, True, True]
    np.testing.assert_allclose(np.nanmean(found.variance[:, :3], 0), 1)


def test_too_little_is_said(features: np.ndarray) -> None:
    assert "no second attribute" in own_share(features[:, :1], ALONE).reason
    few = own_share(features[:2], Clusters.of(["", ""]))
    assert "1 images in a half, with 20 cells, are too few" in few.reason
    assert np.isnan(few.value).all()
    labels = np.ones((IMAGES, CHANNELS))
    assert "too few for 12 labels" in own_share(features, ALONE, labels).reason
    assert own_share(features[:0], Clusters.of([])).reason
