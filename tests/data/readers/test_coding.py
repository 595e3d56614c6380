from __future__ import annotations

import pytest

from bincam.data.readers.coding import NAMED, UNKNOWN, Coding, to_state
from bincam.errors import InputError


def test_named_codings_mean_what_they_did():
    expected = {"0/1": {"0": 0, "1": 1, "0.0": 0, "1.0": 1}, "-1/1": {"-1": 0, "1": 1, "-1.0": 0, "1.0": 1}}
    expected["true/false"] = {"false": 0, "TRUE": 1}
    for name in NAMED:
        coding = Coding.of(name)
        assert {word: coding.value(word) for word in expected[name]} == expected[name]
        assert coding.value("") == coding.value(" ") == UNKNOWN
        assert coding.value("2") is coding.value("yes") is None
        others = {word for other in expected.values() for word in other} - {"1", "1.0"} - expected[name].keys()
        assert not any(coding.reads([word]) for word in others)


def test_yaml_keys_and_values_are_the_same_coding():
    typed = Coding.of({"1": "yes", "0": "no", "-1": "unknown"})
    assert Coding.of({1: True, 0: False, -1.0: None}) == typed
    assert Coding.of({True: True, False: False}).value("TRUE") == 1
    assert str(Coding.of({"y": "yes", "": "no"})) == "y = yes, empty = no"
    assert Coding.of({"y": "yes", "": "no"}).labels(["Y", ""]) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ("yes/no", "expected one of 0/1, -1/1, true/false, or what every value means, such as 1=yes"),
        (7, "expected the name of a coding"),
        ({"1": "yes", "0": "maybe"}, "0 is 'maybe'; expected yes, no or unknown"),
        ({"1": "yes", "0": 0}, "0 is 0; expected yes, no or unknown"),
        ({"1": "yes", "0": ["no"]}, "0 is .*; expected yes, no or unknown"),
        ({"1": "yes", "1.0": "no"}, "1 has two meanings, yes and no"),
        ({"1": "yes"}, "no value means no"),
        ({"1": "unknown", "0": "no"}, "no value means yes"),
        ({}, "no value means yes"),
    ],
)
def test_a_coding_that_cannot_be_is_refused(labels, text):
    with pytest.raises(InputError, match=text):
        Coding.of(labels)


def test_what_has_to_be_stated_can_be_typed():
    from bincam.cli.reading.table_options import TableOptions

    values = ["1", "a,b", 'say "x"', "p=q", "1.0"]
    typed = to_state(values).removeprefix("--labels ").replace("...", "yes").replace("1=yes", "1=no")
    labels = TableOptions(labels=typed).reader_options()["labels"]
    assert labels == {"1": "no", "a,b": "yes", 'say "x"': "yes", "p=q": "yes"}
    assert Coding.of(labels).reads(values)
