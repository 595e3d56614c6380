import numpy as np
import pytest

import bincam.faces
from bincam.errors import InputError
from bincam.faces.counterfactuals.pairs import counterfactual, influence, influences, pair
from bincam.faces.labels.spec import ATTRIBUTES, FaceSpec, index
from tests.faces.conftest import cell

pytestmark = pytest.mark.usefixtures("fake_renderer")


def face(*on):
    return FaceSpec(4, 5, tuple(name in on for name in ATTRIBUTES))


def board(*names, size=(178, 218)):
    mask = np.zeros((size[1], size[0]), dtype=bool)
    for name in names:
        mask[cell(index(name), size)] = True
    return mask


@pytest.mark.parametrize("has", [True, False])
def test_influence_is_where_the_attribute_changes_pixels_for_both_classes(has):
    one = face("Male", *["Smiling"] * has)
    assert np.array_equal(influence(one, "Smiling"), board("Smiling"))


def test_labels_that_exclude_the_new_one_become_false():
    one = face("Blond_Hair", "Bangs")
    assert counterfactual(one, "Black_Hair") == face("Black_Hair", "Bangs")
    assert counterfactual(one, "Bald") == face("Bald")
    assert counterfactual(one, "Blond_Hair") == face("Bangs")
    assert np.array_equal(influence(one, "Black_Hair"), board("Blond_Hair", "Black_Hair"))


def test_a_goatee_comes_and_goes_without_a_full_beard():
    shaven = face("Male", "No_Beard")
    with_goatee = counterfactual(shaven, "Goatee")
    assert np.array_equal(influence(shaven, "Goatee"), board("Goatee"))
    assert counterfactual(with_goatee, "Goatee") == shaven
    one = pair(shaven, "Goatee")
    assert one.seen[index("No_Beard")]
    assert not one.flipped_seen[index("No_Beard")]
    assert counterfactual(with_goatee, "No_Beard") == shaven
    assert counterfactual(shaven, "No_Beard") == face("Male")


def test_several_influences_are_those_of_each():
    one = face("Young")
    masks = influences(one, ["Smiling", "Bald"], (100, 120))
    assert all(np.array_equal(mask, influence(one, name, (100, 120))) for name, mask in masks.items())


def test_tau_is_a_strict_bound_on_the_difference():
    assert influence(face(), "Smiling", tau=59).any()  # a label makes its pixels brighter by 60
    assert not influence(face(), "Smiling", tau=60).any()


def test_a_pair_differs_only_in_its_influence_and_shares_the_noise():
    one = pair(face("Male"), "Smiling")
    difference = (one.image != one.flipped_image).any(axis=-1)
    assert np.array_equal(difference, one.influence)
    assert one.flipped == one.spec.flip("Smiling")
    assert one.flipped_seen[index("Smiling")]
    assert not one.seen[index("Smiling")]


def test_a_seed_stands_for_a_face():
    one = pair(11, "Smiling")
    assert one.spec == pair(11, "Bald").spec
    assert one.spec != pair(12, "Smiling").spec


def test_names_are_exported_lazily_and_are_functions():
    assert bincam.faces.influence is influence
    assert bincam.faces.pair is pair


@pytest.mark.parametrize(
    ("asked", "word"),
    [({"attribute": "Smilling"}, "did you mean 'Smiling'"), ({"tau": 256}, "256"), ({"tau": -1}, "-1")],
)
def test_invalid_arguments_are_refused(asked, word):
    with pytest.raises(InputError, match=word):
        influence(**{"face": 1, "attribute": "Smiling", **asked})
