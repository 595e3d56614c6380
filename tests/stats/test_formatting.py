"""The one format of numbers: signs, units, and digits enough to see what is stated."""

import math

import pytest

from bincam.stats.estimate import Estimate
from bincam.stats.formatting import (
    basis,
    counted,
    interval,
    listed,
    number,
    p_value,
    percent,
    shown,
    significant,
    stated,
    written,
)


def estimate(value, low=math.nan, high=math.nan, status="ok", images=100, identities=None):
    return Estimate(value, low, high, images, identities, status, "test")


UNDEFINED = estimate(math.nan, status="undefined")


@pytest.mark.parametrize(
    ("one", "kind", "text"),
    [
        (estimate(0.312, 0.28, 0.345), "number", "0.31 [0.28, 0.34]"),
        (estimate(-0.00001, -0.03, 0.03), "number", "0.0000 [−0.0300, 0.0300]"),
        (estimate(-0.0, -0.2, 0.2), "number", "0.00 [−0.20, 0.20]"),
        (estimate(-0.0, -0.2, 0.2), "difference", "0.00 [−0.20, +0.20]"),
        (estimate(-0.0062, -0.0098, -0.0026), "difference", "−0.006 [−0.010, −0.003]"),
        (estimate(0.0, 0.0, 0.0), "difference", "0.00"),  # a point is no interval
        (estimate(0.5), "number", "0.50"),
        (estimate(0.25, 0.0, 0.5, "small"), "number", "0.25 [0.00, 0.50] (few images)"),
        (UNDEFINED, "number", "undefined"),
        (estimate(0.57, 0.22, 0.86), "percent", "57\u202f% [22, 86]"),
        (estimate(0.031, 0.02, 0.05), "percent", "3.1\u202f% [2.0, 5.0]"),
        (estimate(0.197, 0.194, 0.201), "percent", "19.7\u202f% [19.4, 20.1]"),
        (estimate(0.0, 0.0, 0.16), "percent", "0\u202f% [0, 16]"),
        (estimate(1.0, 0.84, 1.0), "percent", "100\u202f% [84, 100]"),
        (estimate(0.9996, 0.97, 1.0), "percent", "99.96\u202f% [97.00, 100.00]"),
        (estimate(-0.035, -0.061, -0.009), "points", "−4\u202fpoints [−6, −1]"),
        (estimate(0.008, -0.001, 0.017), "points", "+0.8\u202fpoints [−0.1, +1.7]"),
        (estimate(1.0, 0.8, math.inf), "number", "1.00 [0.80, ∞]"),
    ],
)
def test_estimates(one, kind, text):
    assert written(one, kind) == text
    if one.defined:  # value and interval of a table's cell are the sentence's
        assert " ".join(filter(None, (shown(one, kind), interval(one, kind)))) == text.removesuffix(" (few images)")


def test_an_estimate_is_stated_with_what_it_rests_on():
    few = estimate(0.25, 0.0, 0.5, "small", 15, 1)
    assert stated(few, "percent") == "25\u202f% [0, 50] (15 images of 1 person, too few to rely on)"
    assert stated(estimate(0.5, 0.4, 0.6, images=2000), "percent") == "50\u202f% [40, 60] (2,000 images)"
    assert basis(Estimate.of_value(0.5)) == ""
    assert (stated(UNDEFINED), shown(UNDEFINED), interval(UNDEFINED)) == ("undefined", "–", "")


def test_bare_numbers():
    assert (percent(0.197), percent(0.022), percent(0.0), percent(math.nan)) == (
        "20\u202f%",
        "2.2\u202f%",
        "0\u202f%",
        "undefined",
    )
    assert (number(-1.5), number(1.5, 1, signed=True), number(math.nan)) == ("−1.50", "+1.5", "undefined")
    assert [significant(value, 2) for value in (-0.000032, 0.0, 123456.0)] == ["−0.000032", "0", "120000"]
    assert [p_value(p) for p in (0.0004, 0.0234, 1.0, math.nan)] == ["< 0.001", "0.023", "1.000", "–"]
    assert (counted(1, "image"), counted(12345, "person", "people")) == ("1 image", "12,345 people")
    assert [listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_an_estimate_comes_back_from_json():
    for one in (estimate(0.2, 0.1, 0.3, "small", 7, 3), estimate(0.5)):
        assert Estimate.from_json(one.to_json()).to_json() == one.to_json()
    assert not Estimate.from_json(None).defined
    assert Estimate.from_json(UNDEFINED.to_json()).status == "undefined"
    assert estimate(0.2, 0.1, 0.3).scaled(100).low == pytest.approx(10)
