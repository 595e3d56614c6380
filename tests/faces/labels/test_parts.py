import numpy as np
import pytest

from bincam.errors import InputError
from bincam.faces.labels.parts import SEEN_IN, Part, object_mask, table
from bincam.faces.labels.spec import ATTRIBUTES


def test_every_attribute_but_attractive_is_seen_somewhere():
    assert set(SEEN_IN) == set(ATTRIBUTES)
    assert [a for a in ATTRIBUTES if not SEEN_IN[a]] == ["Attractive"]


def test_object_mask_is_many_to_many():
    parts = np.array([[Part.HAIR, Part.BANGS], [Part.NOSE, Part.BACKGROUND]], np.uint8)
    assert object_mask(parts, "Bangs").tolist() == [[False, True], [False, False]]
    assert object_mask(parts, "Wavy_Hair").tolist() == [[True, True], [False, False]]
    assert object_mask(parts, "Big_Nose").tolist() == [[False, False], [True, False]]
    assert not object_mask(parts, "Attractive").any()
    assert object_mask(np.empty((0, 3), np.uint8), "Male").shape == (0, 3)


def test_unknown_attribute_is_named():
    with pytest.raises(InputError, match="Wavy_Hair"):
        object_mask(np.zeros((2, 2), np.uint8), "Wavy_Hairs")


def test_table_says_the_same_as_the_masks():
    for part, row in table().items():
        for attribute in ATTRIBUTES:
            assert (attribute in row["attributes"]) == object_mask(np.array([[part]]), attribute).item()
