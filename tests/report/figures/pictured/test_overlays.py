import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from bincam.report.figures.pictured.examples import choose
from bincam.report.figures.pictured.explanation import backdrop
from bincam.report.figures.pictured.overlays import gradient, hidden, outline, overlay, resize, uri
from bincam.report.sections.attributes.card import describe


def test_zero_and_undefined_leave_the_backdrop():
    grey = np.full((20, 24, 3), 180, np.uint8)
    for values in (np.zeros((3, 4)), np.full((3, 4), np.nan)):
        np.testing.assert_array_equal(overlay(grey, values, 1.0), grey)


def test_for_is_red_against_is_blue_and_both_are_equally_far_from_grey():
    grey = np.full((8, 8, 3), 200, np.uint8)
    red, blue = (overlay(grey, np.full((2, 2), value), 2.0)[4, 4].astype(int) for value in (2.0, -2.0))
    assert red[0] > red[2] + 40
    assert blue[2] > blue[0] + 40
    weaker = overlay(grey, np.full((2, 2), 1.0), 2.0)[4, 4].astype(int)
    assert abs(weaker - 200).sum() < abs(red - 200).sum()
    np.testing.assert_array_equal(overlay(grey, np.full((2, 2), 9.0), 2.0)[4, 4], red)  # beyond the scale: its end


def test_the_backdrop_has_no_colour():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    grey = backdrop(image)
    assert (grey[..., 0] == grey[..., 1]).all()
    assert (grey[..., 0] == grey[..., 2]).all()
    assert grey.min() >= 70


def test_an_outline_goes_round_the_region():
    mask = np.zeros((20, 40))
    mask[5:15, 10:20] = 1
    path = outline(mask)
    numbers = np.array([float(v) for v in path.replace("M", " ").replace("L", " ").replace("Z", " ").split()])
    x, y = numbers.reshape(-1, 2).T
    assert (x.min(), x.max()) == pytest.approx((25, 50), abs=1.5)
    assert (y.min(), y.max()) == pytest.approx((25, 75), abs=2.6)
    assert outline(np.zeros((4, 4))) == ""
    assert outline(np.full((4, 4), np.nan)) == ""
    assert outline(np.ones((4, 4))).startswith("M")  # the whole image: its border


def test_pictures_keep_their_aspect_and_are_small():
    image = np.random.default_rng(0).integers(0, 256, (218, 178, 3), dtype=np.uint8)
    small = resize(image, 96)
    assert small.shape == (96, 78, 3)
    assert resize(np.zeros((1, 1, 3), np.uint8), 96).shape == (96, 96, 3)
    text = uri(small)
    decoded = Image.open(BytesIO(base64.b64decode(text.split(",")[1])))
    assert decoded.size == (78, 96)
    assert text.startswith("data:image/jpeg;base64,")


def test_hiding_throws_away_what_makes_a_face():
    """Two faces that differ in fine detail alone are the same once hidden."""
    ys, xs = np.mgrid[0:112, 0:112]
    base = np.repeat((100 + 50 * np.sin(xs / 30) + 30 * np.cos(ys / 40))[..., None], 3, axis=2)
    checks = 40 * ((xs // 2 + ys // 2) % 2 * 2 - 1)[..., None]
    first, second = (hidden(np.clip(base + sign * checks, 0, 255).astype(np.uint8)) for sign in (1, -1))
    assert first.shape == (112, 112, 3)
    assert np.abs(first.astype(int) - second.astype(int)).max() <= 6


def test_the_gradient_s_middle_is_white():
    assert gradient(3).split(",")[2] == "rgb(255 255 255)"


def test_examples_stand_at_the_percentiles_by_nearest_rank():
    distance = np.arange(100.0)[::-1]
    assert choose(distance, np.ones(100, bool)) == [90, 50, 10]  # the 10th, 50th and 90th smallest
    assert choose(np.zeros(20), np.ones(20, bool)) == [1, 9, 17]  # equal ones as they stand
    assert choose(np.array([3.0, np.nan, 1.0]), np.array([True, True, True])) == [2, 0]
    assert choose(np.array([1.0]), np.array([True])) == [0]
    assert choose(np.array([1.0]), np.array([False])) == []
    assert choose(np.full(3, np.nan), np.ones(3, bool)) == []


def test_maps_are_told_in_words():
    grid = np.zeros((7, 7))
    assert describe(grid, "the answer given") == "zero everywhere"
    grid[0, 6], grid[3, 3] = 0.25, -0.5
    told = describe(grid, "the answer given")
    assert told.startswith("strongest for the answer given upper right (0.25), ")
    assert told.endswith("strongest against the answer given centre (−0.50)")
