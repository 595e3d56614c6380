"""Other images for nulls: of the right label, of another person, spread over all, and reproducible."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.metrics import absent_outputs, donors, partners


@pytest.fixture
def labels() -> np.ndarray:
    random = np.random.default_rng(0)
    values = (random.random((60, 4)) < 0.4).astype(float)
    values[random.random((60, 4)) < 0.1] = np.nan
    return values


def test_partners_have_the_same_label_and_are_other_people(labels: np.ndarray) -> None:
    people = [f"person {n // 3}" for n in range(60)]
    found = partners(labels, people)
    assert ((found == -1) == np.isnan(labels)).all()
    for image, a in np.argwhere(found >= 0):
        other = found[image, a]
        assert labels[other, a] == labels[image, a]
        assert people[other] != people[image]
    chosen = [len(set(found[labels[:, a] == 1, a])) / (labels[:, a] == 1).sum() for a in range(4)]
    assert min(chosen) > 0.8
    assert np.array_equal(partners(labels, people), found)
    assert not np.array_equal(partners(labels, people, seed=1), found)


def test_nobody_is_another_person_of_himself() -> None:
    assert partners([[1.0], [1.0], [0.0]], ["ann", "ann", "bob"]).flatten().tolist() == [-1, -1, -1]
    assert partners([[1.0], [1.0]]).flatten().tolist() == [1, 0]
    assert donors([[0.0], [1.0]], [[False], [True]], ["ann", "ann"]).flatten().tolist() == [-1, -1]


def test_donors_have_the_attribute_and_a_mask(labels: np.ndarray) -> None:
    masked = np.random.default_rng(1).random(labels.shape) < 0.5
    people = [f"person {n // 2}" if n % 5 else "" for n in range(60)]
    found = donors(labels, masked, people)
    assert ((found >= 0) == (labels == 0)).all()
    for image, a in np.argwhere(found >= 0):
        other = found[image, a]
        assert labels[other, a] == 1
        assert masked[other, a]
        assert not people[other] or people[other] != people[image]
    assert len(set(found[labels[:, 0] == 0, 0])) > 5, "not one for all"


def test_absent_outputs_are_absent() -> None:
    random = np.random.default_rng(0)
    present = random.random((50, 6)) < 0.4
    present[7] = True
    true = random.integers(0, 6, 50)
    true[3] = -1
    found = absent_outputs(true, 6, present=present)
    assert found[3] == -1
    assert found[7] == -1
    rest = np.setdiff1d(np.arange(50), [3, 7])
    assert not present[rest, found[rest]].any()
    assert (found[rest] != true[rest]).all()
    assert len(set(absent_outputs(np.zeros(50, int), 6))) == 5


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match="2 names of people"):
        partners([[1.0], [1.0], [0.0]], ["ann", "bob"])
    with pytest.raises(InputError, match=r"masked has shape \(1, 1\)"):
        donors([[1.0], [0.0]], [[True]])
    with pytest.raises(InputError, match=r"present has shape"):
        absent_outputs([0, 1], 3, present=[[True, False]])
