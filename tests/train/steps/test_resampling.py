"""What re-sampling makes equal, and what it cannot."""

from __future__ import annotations

import numpy as np
import pytest

import bincam
from bincam import data
from bincam.data import AttributeTable
from bincam.errors import BincamWarning, InputError
from bincam.train import LOSSES, ClassCounts, fit, make_loss
from bincam.train.steps.resampling import (
    RESAMPLINGS,
    class_aware,
    questions,
    rarest_label,
    rates,
    resampled,
    shift,
    weights_classes,
)

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


def test_with_one_attribute_the_optimal_logit_moves_by_the_same_amount_whatever_the_image():
    """Images of four kinds; the logit that minimises the cross-entropy over a kind's draws is its log-odds there."""
    kinds = RNG.integers(4, size=4000)
    labels = (RNG.random(4000) < np.array([0.02, 0.1, 0.2, 0.6])[kinds]).astype(float)[:, None]
    labels[RNG.random(4000) < 0.1] = np.nan
    negatives, positives = (labels == 0).sum(), (labels == 1).sum()
    for power, shares in [(1.0, class_aware(labels)), (1.0, rarest_label(labels)), (0.5, rarest_label(labels, 0.5))]:
        moved = shift(labels, shares)
        assert moved == pytest.approx(power * np.log(negatives / positives))
        for kind in range(4):
            here = labels[:, 0][kinds == kind]
            drawn = shares[kinds == kind]
            optimum = np.log(drawn[here == 1].sum() / drawn[here == 0].sum())
            assert optimum == pytest.approx(np.log((here == 1).sum() / (here == 0).sum()) + moved)


def test_with_several_attributes_it_moves_by_no_constant():
    """The other label decides along with the own one how often an image is drawn."""
    shares = class_aware(LABELS)
    moved = []
    for other in (0, 1):
        here = LABELS[:, 2] == other
        y, drawn = LABELS[here, 1], shares[here]
        moved.append(np.log(drawn[y == 1].sum() / drawn[y == 0].sum()) - np.log((y == 1).sum() / (y == 0).sum()))
    assert abs(moved[0] - moved[1]) > 0.1
    assert shift(LABELS, shares) is None


def test_the_card_has_the_shift_of_loss_and_re_sampling(config, spots):
    table = data.load(spots, split="split").split("train")
    below = table.labels[:, 1]
    expected = np.log((below == 0).sum() / (below == 1).sum())

    def stored(to, **changes):
        return bincam.load(fit(config(epochs=1, to=to, **changes)).folder).card.logit_shift

    one = {"data__attributes": ["below"]}
    assert stored("a", **one) == {"below": 0}
    assert stored("b", resampling="class_aware", **one)["below"] == pytest.approx(expected)
    half = {"name": "rarest_label", "options": {"power": 0.5}}
    assert stored("c", resampling=half, **one)["below"] == pytest.approx(expected / 2)
    assert stored("d", resampling="class_aware", loss="focal", **one) == {}
    assert stored("e", resampling="class_aware") == {}
    with pytest.warns(BincamWarning, match="moon_bce weights the classes .* resampling class_aware .* add up"):
        twice = stored("f", resampling="class_aware", loss="moon_bce", **one)
    assert twice["below"] == pytest.approx(2 * expected)


def test_which_losses_weigh_the_classes():
    counts = ClassCounts(("a", "b"), np.array([90, 50]), np.array([10, 50]))
    alike = {name for name in LOSSES if not weights_classes(make_loss(name, counts))}
    assert alike == {"bce", "euclidean", "focal", "an_ls", "two_way"}
    assert weights_classes(make_loss("focal", counts, alpha=0.25))
    even = ClassCounts(("a",), np.array([50]), np.array([50]))
    assert not weights_classes(make_loss("moon_bce", even))


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="did you mean 'class_aware'"):
        resampled(LABELS, "class_awar", 0)
    with pytest.raises(InputError, match="did you mean 'power'"):
        resampled(LABELS, "rarest_label", 0, powr=1)
    with pytest.raises(InputError, match="attribute 0 has no positives"):
        class_aware(np.zeros((3, 1)))
    with pytest.raises(InputError, match="power"):
        rarest_label(LABELS, -1)
    with pytest.raises(InputError, match=r"power=1000000\.0: images .* would never be drawn"):
        rarest_label(LABELS, 1e6)
    with pytest.raises(InputError, match="'power' of resampling 'rarest_label': expected a finite number, got None"):
        resampled(LABELS, "rarest_label", 0, power=None)
    with pytest.raises(InputError, match="at least one image"):
        class_aware(np.zeros((0, 2)))


def set_of_three(n: int = 2000) -> AttributeTable:
    rng = np.random.default_rng(5)
    labels = np.eye(3)[rng.choice(3, n, p=[0.8, 0.15, 0.05])]
    labels[:100] = np.nan
    names = ("a", "b", "c")
    return AttributeTable(names, labels, [str(i) for i in range(n)], ".", one_of={"kind": names})


def test_a_set_is_one_question_and_its_outputs_become_equally_frequent():
    faces = set_of_three()
    asked = questions(faces)
    assert asked.shape == (2000, 1)
    assert np.isnan(asked[:100]).all()
    for name in RESAMPLINGS:
        shares = RESAMPLINGS[name](asked)
        assert shares.sum() == pytest.approx(1)
        assert rates(faces.labels, shares) == pytest.approx([1 / 3] * 3)
        assert shares[:100] == pytest.approx(np.full(100, shares[0]))
    rows = resampled(asked, "class_aware", 3)
    drawn = np.nanmean(np.concatenate([faces.labels[rows(epoch)] for epoch in range(20)]), axis=0)
    assert drawn == pytest.approx([1 / 3] * 3, abs=0.01)


def test_a_set_counts_as_much_as_an_attribute():
    faces = set_of_three(1000).take(np.arange(100, 1000))
    labels = np.column_stack([faces.labels, np.arange(900) % 2])
    both = AttributeTable((*faces.names, "Male"), labels, faces.ids, ".", one_of=faces.one_of)
    asked = questions(both)
    np.testing.assert_array_equal(asked[:, 0], np.arange(900) % 2)
    alone = [class_aware(asked[:, [q]]) for q in range(2)]
    assert class_aware(asked) == pytest.approx(np.mean(alone, axis=0))


def test_a_class_in_the_middle_without_images_is_refused():
    with pytest.raises(InputError, match="attribute 0 has no images of class 1 to draw"):
        class_aware([[0], [0], [2]])
