"""How figures stand in a sentence: signs, and digits enough to see what is said."""

import pytest

from bincam.compare.sentences import number, percent


def figure(value, low=None, high=None, status="ok"):
    return {"value": value, "low": low, "high": high, "status": status, "images": 100, "identities": None}


@pytest.mark.parametrize(
    ("one", "signed", "said"),
    [
        (figure(0.312, 0.28, 0.345), False, "0.31 [0.28, 0.34]"),
        (figure(-0.00001, -0.03, 0.03), False, "0.0000 [-0.0300, 0.0300]"),
        (figure(-0.0, -0.2, 0.2), False, "0.00 [-0.20, 0.20]"),
        (figure(-0.0, -0.2, 0.2), True, "0.00 [-0.20, +0.20]"),
        (figure(-0.0062, -0.0098, -0.0026), True, "-0.006 [-0.010, -0.003]"),
        (figure(0.0, 0.0, 0.0), True, "0.00 [0.00, 0.00]"),
        (figure(0.5), False, "0.50"),
        (figure(0.25, 0.0, 0.5, "small"), False, "0.25 [0.00, 0.50] (few images)"),
        (figure(None), False, "undefined"),
    ],
)
def test_numbers(one, signed, said):
    assert number(one, signed=signed) == said


def test_percentages():
    assert percent(figure(0.71, 0.66, 0.75)) == "71 % [66, 75]"
    assert percent(figure(0.031, 0.02, 0.05)) == "3.1 % [2.0, 5.0]"
    assert percent(figure(None)) == "an undefined share"
