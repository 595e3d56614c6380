import numpy as np
import pytest

from bincam.errors import InputError
from bincam.faces.labels.intensity import amount, shown
from bincam.faces.labels.sampler import spec
from bincam.faces.labels.spec import ATTRIBUTES


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_flipping_a_label_always_moves_its_amount_in_the_same_direction_and_no_other(attribute):
    for seed in range(30):
        face = spec(seed)
        on, off = (face, face.flip(attribute)) if face[attribute] else (face.flip(attribute), face)
        assert amount(on, attribute) > amount(off, attribute) + 0.5
        assert all(amount(on, other) == amount(off, other) for other in ATTRIBUTES if other != attribute)


def test_amounts_spread_about_the_label_within_their_bounds():
    faces = [spec(seed) for seed in range(400)]
    amounts = np.array([amount(face, "Smiling") for face in faces])
    smiling = np.array([face["Smiling"] for face in faces])
    assert amounts.min() >= -0.35
    assert amounts.max() <= 1.3
    assert amounts[smiling].mean() == pytest.approx(1, abs=0.08)
    assert amounts[~smiling].mean() == pytest.approx(0, abs=0.08)
    assert 0.2 < amounts[smiling].std() < 0.35
    assert amounts[smiling].min() < amounts[~smiling].max()  # the two labels overlap


def test_what_lasts_belongs_to_the_person_and_the_rest_to_the_photograph():
    one = spec(3)
    again = type(one)(one.seed + 1, one.identity, one.labels)
    assert amount(one, "Big_Nose") == amount(again, "Big_Nose")
    assert amount(one, "Smiling") != amount(again, "Smiling")


def test_less_than_nothing_is_not_shown():
    faces = [spec(seed) for seed in range(60)]
    assert min(amount(face, "Rosy_Cheeks") for face in faces) < 0
    assert min(shown(face, "Rosy_Cheeks") for face in faces) == 0


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="did you mean 'Smiling'"):
        amount(spec(1), "Smilling")
