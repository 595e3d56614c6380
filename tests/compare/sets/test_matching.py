"""Sets and outputs that two audits have in common: in another order, under another name, or stated otherwise."""

import pytest

from bincam.audit.pipeline.runner import run
from bincam.compare.contrast import compare
from bincam.compare.sets.matching import Stated, common_outputs
from bincam.errors import InputError
from tests.audit.conftest import NOTES_ALLOWED
from tests.audit.planted_sets import reader

pytestmark = NOTES_ALLOWED


def matched(first, second, *, single=((), ())):
    return common_outputs(Stated(single[0], first, "model a"), Stated(single[1], second, "model b"))


def test_sets_that_exchange_their_names_are_paired_by_their_outputs():
    common = matched({"x": ("a", "b"), "y": ("c", "d")}, {"x": ("d", "c"), "y": ("a", "b")})
    assert common.sets == {"x": "y", "y": "x"}
    assert common.order == {"x": (0, 1), "y": (1, 0)}
    assert (common.outputs, common.left_out, common.alone) == ((), ({}, {}), ((), ()))


def test_sets_of_one_name_are_also_paired_by_classes_and_no_set_twice():
    assert matched({"sex": ("f", "m")}, {"sex": ("sex=m", "sex=f")}).order == {"sex": (1, 0)}
    # The same classes under another name may mean something else.
    common = matched({"hat": ("hat=yes", "hat=no")}, {"smile": ("smile=yes", "smile=no")})
    assert common.sets == {}
    assert common.left_out[0] == {"hat": "model b has neither this set nor any of its outputs"}
    twice = matched({"sex": ("sex=f", "sex=m"), "other": ("f", "m")}, {"sex": ("f", "m")})
    assert twice.sets == {"other": "sex"}
    assert twice.left_out[0] == {"sex": "the set of this name of model b has other outputs ('f' is in one only)"}


def test_other_sets_are_left_out_with_the_reason_and_their_common_outputs_compared():
    first = {"age": ("young", "old"), "race": ("a", "b", "c"), "hair": ("dark", "fair")}
    common = matched(first, {"race": ("a", "b"), "all": ("dark", "x")}, single=(["Male"], ["old", "young", "Male"]))
    assert common.attributes == ("Male",)
    assert common.sets == {}
    assert common.outputs == ("young", "old", "a", "b", "dark")
    assert common.left_out == (
        {
            "age": "model b states its outputs as yes-or-no attributes",
            "race": "the set of this name of model b has other outputs ('c' is in one only)",
            "hair": "model b has no set of these outputs; it lacks 'fair'",
        },
        {
            "race": "the set of this name of model a has other outputs ('c' is in one only)",
            "all": "model a has no set of these outputs; it lacks 'x'",
        },
    )
    assert common.alone == (("c", "fair"), ("x",))


def test_a_set_of_outputs_of_a_larger_set_and_an_attribute_is_left_out():
    common = matched({"x": ("a", "b")}, {"y": ("a", "c")}, single=((), ["b"]))
    assert common.left_out[0] == {"x": "model b has no set of these outputs; its set 'y' has some of them"}
    assert common.outputs == ("a", "b")


def figures(contrast):
    return {key: value for key, value in contrast["sets"]["colour"].items() if key != "name_in_second"}


@pytest.mark.parametrize("name", ["colour", "hue"])
def test_a_set_in_another_order_or_under_another_name_has_the_same_figures(audits, restated, tmp_path, name):
    other = restated(f"turned-{name}", {name: ("blue", "red", "green")})
    expected = compare(audits[1], audits[0], tmp_path / "same-order")
    contrast = compare(audits[1], other, tmp_path / "contrast")
    assert figures(contrast) == figures(expected)
    assert contrast["families"] == expected["families"]
    assert contrast["sets"]["colour"].get("name_in_second", "colour") == name
    assert (contrast["sets_only_in_first"], contrast["sets_only_in_second"]) == ({}, {})
    assert any(f"calls this set {name!r}" in text for text in contrast["sentences"]["colour"]) == (name == "hue")


def test_audits_without_any_output_in_common_are_refused_with_the_reason(coloured, chosen, tmp_path):
    bright = run(reader(), coloured, tmp_path / "bright", chosen.replace(attributes=["Bright"]))
    colour = run(reader(), coloured, tmp_path / "colour", chosen.replace(attributes=["colour"]))
    with pytest.raises(InputError, match=r"no attribute in common; set 'colour' of .*colour is not compared: model"):
        compare(bright, colour, tmp_path / "contrast")
