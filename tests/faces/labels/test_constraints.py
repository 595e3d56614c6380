import numpy as np
import pytest

from bincam.faces.labels import constraints
from bincam.faces.labels.spec import ATTRIBUTES, index


def test_repair_leaves_no_exclusion_and_only_removes():
    labels = np.random.default_rng(0).random((5000, 40)) < 0.5
    repaired = constraints.repair(labels)
    both = repaired.T.astype(int) @ repaired
    assert not both[constraints.exclusive()].any()
    assert not (repaired & ~labels).any()
    assert np.array_equal(constraints.repair(repaired), repaired)


def test_the_earlier_in_a_clique_wins():
    labels = np.ones((1, 40), dtype=bool)
    on = {ATTRIBUTES[column] for column in np.flatnonzero(constraints.repair(labels)[0])}
    assert {"Wearing_Hat", "Gray_Hair", "Straight_Hair", "No_Beard"} <= on
    assert on.isdisjoint({"Bald", "Bangs", "Black_Hair", "Wavy_Hair", "Goatee", "Sideburns"})


def test_possible_prevalences_stay():
    wanted = np.full(40, 0.1)
    assert np.array_equal(constraints.nearest_possible(wanted), wanted)


@pytest.mark.parametrize("seed", range(5))
def test_reduced_prevalences_are_possible_and_keep_the_fixed(seed):
    rng = np.random.default_rng(seed)
    wanted = rng.random(40)
    fixed = {index("Bald"): 0.3, index("No_Beard"): 0.8}
    possible = constraints.nearest_possible(wanted, fixed)
    assert not constraints.overfull(possible)
    assert all(possible[column] == value for column, value in fixed.items())
    assert (possible <= wanted + 1e-12)[[c for c in range(40) if c not in fixed]].all()
    colours = [index(name) for name in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")]
    assert np.ptp(possible[colours] / wanted[colours]) < 1e-9  # in proportion


def test_every_order_and_column_once():
    assert sorted(constraints.ORDER) == list(range(40))
    place = {column: at for at, column in enumerate(constraints.ORDER)}
    assert all(place[winner] < place[column] for column in range(40) for winner in constraints.winners(column))


def test_a_goatee_drawn_without_a_full_beard_is_labelled_as_a_beard():
    labels = constraints.repair(np.random.default_rng(3).random((2000, 40)) < 0.5)
    partial = np.random.default_rng(4).random(2000) < 0.5
    drawn = constraints.without_full_beard(labels, partial)
    assert np.array_equal(constraints.labels_from_drawn(drawn), labels)
    some = labels[:, [index("Goatee"), index("Sideburns")]].any(axis=1)
    assert np.array_equal(drawn[:, index("No_Beard")], labels[:, index("No_Beard")] | (some & partial))
