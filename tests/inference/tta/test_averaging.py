"""Means of probabilities over views, against hand cases, and views that are chosen where they are planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from bincam.errors import InputError
from bincam.inference import Predictions, choose_views, mean_probability
from bincam.inference.prediction import decided
from tests.inference.conftest import card_of


def seen(logits, card=None, undefined=None):
    z = np.asarray(logits, np.float32)
    if card is not None:
        return decided(card, z, np.full((len(z), 2), 16))
    unknown = np.isnan(z) if undefined is None else undefined
    return Predictions(("a",) * z.shape[2], z, z >= 0, unknown, np.full((len(z), 2), 16))


def test_means_of_attributes_and_sets():
    rng = np.random.default_rng(0)
    card = card_of(one_of={"hair": ("Bald", "Young")}, thresholds={"Eyeglasses": 0.5})
    scores = rng.normal(size=(20, 5, 4)).astype(np.float32) * 2
    result = mean_probability(seen(scores, card), card)
    p = expit(scores.astype(float))
    p[..., [1, 3]] = softmax(scores[..., [1, 3]].astype(float), -1)
    np.testing.assert_allclose(result.probability, p.mean(1), atol=1e-6)
    assert np.array_equal(result.positive[:, 1], result.probability[:, 1] > result.probability[:, 3])
    assert np.array_equal(result.positive[:, 2], result.probability[:, 2] >= expit(0.5))
    assert (result.positive[:, [1, 3]].sum(1) == 1).all()


def test_one_view_is_decided_as_it_decides_itself():
    rng = np.random.default_rng(1)
    card = card_of(one_of={"hair": ("Bald", "Young")}, thresholds={"Eyeglasses": 0.5})
    views = seen(rng.normal(size=(50, 3, 4)), card)
    for view in range(3):
        assert np.array_equal(mean_probability(views, card, [view]).positive, views.positive[:, view])


def test_views_without_a_decision_are_left_out_and_counted():
    card = card_of()
    z = np.zeros((2, 3, 4))
    z[0, 0, 0] = z[1, :, 1] = np.nan
    z[0, 1:, 0] = 2.0
    result = mean_probability(seen(z, card), card)
    assert result.probability[0, 0] == pytest.approx(expit(2.0))
    assert result.undefined.tolist() == [[False] * 4, [False, True, False, False]]
    assert np.isnan(result.probability[1, 1])
    assert not result.positive[1, 1]
    assert result.left_out.tolist() == [1, 3, 0, 0]


@pytest.mark.parametrize(
    ("views", "message"), [([], "at least one"), ([3], "got 3"), ([-1], "got -1"), ([0, 0], "twice")]
)
def test_views_that_are_not_there_are_refused(views, message):
    with pytest.raises(InputError, match=message):
        mean_probability(seen(np.zeros((2, 3, 4))), card_of(), views)


def test_a_planted_pair_of_views_is_chosen():
    """Two views err on different images, so that their mean is always right; the others guess."""
    rng = np.random.default_rng(0)
    card = card_of()
    y = rng.integers(2, size=(200, 4)).astype(float)
    z = rng.normal(size=(200, 6, 4))
    sign = 2 * y - 1
    odd = (np.arange(200) % 10 < 7)[:, None]
    z[:, 2] = sign * np.where(odd, 4, -1)
    z[:, 4] = sign * np.where(odd, -1, 4)
    assert set(choose_views(seen(z, card), y, card, 2)) == {2, 4}
    y[:5] = np.nan
    assert set(choose_views(seen(z, card), y, card, 2)) == {2, 4}
    assert sorted(choose_views(seen(z, card), y, card, 6)) == list(range(6))


def test_views_of_a_set_are_chosen():
    rng = np.random.default_rng(0)
    card = card_of(one_of={"all": ("Smiling", "Bald", "Eyeglasses", "Young")})
    y = np.eye(4)[rng.integers(4, size=100)]
    scores = rng.normal(size=(100, 5, 4))
    scores[:, 3] += 5 * y
    assert choose_views(seen(scores, card), y, card, 1) == (3,)


@pytest.mark.parametrize(
    ("count", "labels", "message"), [(0, (2, 4), "k=0"), (4, (2, 4), "k=4"), (1, (3, 4), "labels")]
)
def test_choices_that_are_refused(count, labels, message):
    with pytest.raises(InputError, match=message):
        choose_views(seen(np.zeros((2, 3, 4))), np.zeros(labels), card_of(), count)
