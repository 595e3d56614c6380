"""What re-sampling makes equal, and what it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.train.resampling import RESAMPLINGS, class_aware, rarest_label, rates, resampled

RNG = np.random.default_rng(0)
LABELS = (RNG.random((4000, 3)) < [0.02, 0.3, 0.8]).astype(float)


@pytest.mark.parametrize("name", RESAMPLINGS)
def test_one_attribute_is_balanced(name):
    shares = RESAMPLINGS[name](LABELS[:, :1])
    assert shares.sum() == pytest.approx(1)
    assert rates(LABELS[:, :1], shares) == pytest.approx([0.5])


def test_several_attributes_come_nearer_to_balance():
    for shares in (class_aware(LABELS), rarest_label(LABELS, 0.5)):
        found = rates(LABELS, shares)
        assert (np.abs(found - 0.5) <= np.abs(LABELS.mean(0) - 0.5) + 0.02).all()
        assert found[0] > 4 * LABELS[:, 0].mean()


def test_power_zero_draws_all_alike():
    assert rarest_label(LABELS, 0) == pytest.approx(np.full(4000, 1 / 4000))


def test_an_epoch_is_decided_by_seed_and_epoch():
    rows = resampled(LABELS, "class_aware", 3)
    assert np.array_equal(rows(1), resampled(LABELS, "class_aware", 3)(1))
    assert not np.array_equal(rows(1), rows(2))
    assert len(rows(0)) == 4000
    drawn = LABELS[np.concatenate([rows(epoch) for epoch in range(20)]), 0].mean()
    assert drawn == pytest.approx(rates(LABELS, class_aware(LABELS))[0], abs=0.01)


def test_images_of_unknown_label_keep_their_share():
    labels = LABELS[:, :1].copy()
    labels[:1000] = np.nan
    shares = class_aware(labels)
    assert shares[:1000] == pytest.approx(np.full(1000, 1 / 4000))
    assert shares.sum() == pytest.approx(1)
    assert rates(labels, shares) == pytest.approx([0.5])


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="did you mean 'class_aware'"):
        resampled(LABELS, "class_awar", 0)
    with pytest.raises(InputError, match="did you mean 'power'"):
        resampled(LABELS, "rarest_label", 0, powr=1)
    with pytest.raises(InputError, match="attribute 0 has no positives"):
        class_aware(np.zeros((3, 1)))
    with pytest.raises(InputError, match="power"):
        rarest_label(LABELS, -1)
    with pytest.raises(InputError, match="'power' of resampling rarest_label: expected a number, got None"):
        resampled(LABELS, "rarest_label", 0, power=None)
    with pytest.raises(InputError, match="at least one image"):
        class_aware(np.zeros((0, 2)))
