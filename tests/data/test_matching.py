"""Tables brought to the outputs and the sets of a model."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from bincam.data import AttributeTable, BoxTable, match_outputs
from bincam.errors import BincamWarning, InputError

SET = {"race": ("race=Asian", "race=Black", "race=White")}


def faces(codes: list[int], **changes) -> AttributeTable:
    labels = np.concatenate([np.eye(3)[codes], np.arange(len(codes))[:, None] % 2], axis=1)
    fields = {"one_of": SET} | changes
    return AttributeTable((*SET["race"], "Male"), labels, [str(i) for i in range(len(codes))], "photos", **fields)


@pytest.mark.parametrize("own", [SET["race"], ("Asian", "Black", "White")])
@pytest.mark.parametrize("prefix", ["", "race="])
def test_outputs_are_matched_by_set_and_class_in_the_models_order(own, prefix):
    data = faces([0, 1, 2, 2])
    data = AttributeTable((*own, "Male"), data.labels, data.ids, "photos", one_of={"race": own})
    model = tuple(prefix + name for name in ("White", "Asian", "Black"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        matched = match_outputs(data, ("Male", *model), {"race": model})
    assert matched.names == ("Male", *model)
    assert matched.one_of == {"race": model}
    np.testing.assert_array_equal(matched.labels, data.labels[:, [3, 2, 0, 1]])


def test_a_class_that_the_data_lack_is_warned_of_and_has_label_0():
    model = (*SET["race"], "race=Indian")
    with pytest.warns(
        BincamWarning, match="no image has the class 'Indian' of the set 'race'.* miss rate is undefined"
    ):
        matched = match_outputs(faces([0, 1, 2]), model, {"race": model})
    assert matched.labels[:, 3].tolist() == [0, 0, 0]
    with pytest.warns(BincamWarning, match="no image has the class 'White'"):
        match_outputs(faces([0, 1]), SET["race"], SET)


def test_unknown_rows_stay_unknown_for_a_class_that_the_data_lack():
    data = faces([0, 1, 2])
    labels = np.array(data.labels)
    labels[1, :3] = np.nan
    data = AttributeTable(data.names, labels, data.ids, "photos", one_of=SET)
    model = (*SET["race"], "race=Indian")
    with pytest.warns(BincamWarning, match="'Black', 'Indian'"):
        matched = match_outputs(data, model, {"race": model})
    assert np.isnan(matched.labels[1]).all()


def test_a_class_that_the_model_cannot_predict_is_refused_unless_no_image_has_it():
    model = ("race=Asian", "race=Black")
    with pytest.raises(
        InputError, match="2 images have a class of the set 'race' that the model cannot predict, 2 of "
    ):
        match_outputs(faces([0, 1, 2, 2]), model, {"race": model})
    assert match_outputs(faces([0, 1]), model, {"race": model}).labels.shape == (2, 2)


def test_a_set_that_the_data_do_not_state_is_checked_and_taken_over():
    plain = faces([0, 1, 2], one_of={})
    assert match_outputs(plain, plain.names, SET).one_of == SET
    labels = np.array(plain.labels)
    labels[1] = 1
    wrong = AttributeTable(plain.names, labels, plain.ids, "photos")
    with pytest.raises(InputError, match="photos: image '1': set 'race' has 3 true labels"):
        match_outputs(wrong, plain.names, SET)
    with pytest.raises(
        InputError, match=r"set 'age' has the output '0-2', which is no column, and the data states the sets race"
    ):
        match_outputs(faces([0, 1, 2]), ("0-2", "3-9"), {"age": ("0-2", "3-9")})
    with pytest.raises(InputError, match=r"the data states no sets.*--one-of-column age"):
        match_outputs(plain, ("0-2", "3-9"), {"age": ("0-2", "3-9")})


def test_yes_or_no_outputs_are_matched_by_name():
    assert match_outputs(faces([0, 1, 2]), ["Male"]).names == ("Male",)
    with pytest.raises(InputError, match="unknown attribute 'Mal'"):
        match_outputs(faces([0, 1, 2]), ["Mal"])


def test_two_names_of_one_class_are_refused():
    with pytest.raises(InputError, match="has two outputs of the class 'White'"):
        match_outputs(faces([0, 1, 2]), ("White", "race=White"), {"race": ("White", "race=White")})


def test_one_hot_rows_without_one_true_label_become_unknown_where_that_was_chosen():
    labels = np.array(faces([0, 1, 2, 0], one_of={}).labels)
    labels[1, :3] = 0
    labels[2, :3] = 1
    plain = AttributeTable((*SET["race"], "Male"), labels, list("abcd"), "photos")
    with pytest.raises(InputError, match="photos: image 'b': set 'race' has no true labels"):
        match_outputs(plain, plain.names, SET)
    for table, options in (
        (plain, {"invalid": "unknown"}),
        (replace(plain, reading={"one_of_invalid": "unknown"}), {}),
    ):
        with pytest.warns(BincamWarning, match="set 'race': 1 row without a true label, 1 row with several, of 4"):
            matched = match_outputs(table, plain.names, SET, **options)
        assert np.isnan(matched.labels[:, :3]).all(1).tolist() == [False, True, True, False]
        np.testing.assert_array_equal(matched.labels[:, 3], labels[:, 3])


@pytest.mark.parametrize(
    ("reading", "advised"),
    [
        ({"one_of": {"race": list(SET["race"])}}, "--data-one-of race=race=Asian,race=Black"),
        ({"one_of_columns": {"race": None}}, "--one-of-column race=Asian,Black"),
        ({"one_of_columns": ["skin"], "one_of_names": {"skin": "race"}}, "--one-of-column skin=Asian,Black"),
        ({}, "--one-of-column race=Asian,Black"),
    ],
)
def test_the_advice_states_the_set_as_it_was_stated(reading, advised):
    with pytest.raises(InputError) as error:
        match_outputs(faces([0, 1, 2], reading=reading), SET["race"][:2], {"race": SET["race"][:2]})
    assert f"({advised}) and read the others as unknown (--one-of-invalid unknown)" in str(error.value)


def test_boxes_follow_the_model_s_names_of_a_set():
    boxes = BoxTable({("a", "class=cat"): np.array([[1.0, 2, 3, 4]]), ("b", "class=dog"): np.array([[0.0, 0, 1, 1]])})
    sets = {"class": ("class=cat", "class=dog")}
    table = AttributeTable(sets["class"], np.eye(2), "ab", "photos", one_of=sets, objects=boxes)
    matched = match_outputs(table, ["dog", "cat"], {"class": ["dog", "cat"]})
    assert matched.objects.of("a", "cat").tolist() == [[1, 2, 3, 4]]
    assert matched.objects.names == {"cat", "dog"}
    assert match_outputs(table, ["class=dog"]).objects.names == {"class=cat", "class=dog"}
