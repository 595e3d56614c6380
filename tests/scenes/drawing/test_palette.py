import colorsys

import cv2
import numpy as np
import pytest

from bincam.scenes.drawing.ground import ground
from bincam.scenes.drawing.palette import APART, APART_FROM_GROUND, KEPT_FREE, from_hsv, objects_and_ground


def lab(colours):
    return cv2.cvtColor(np.asarray(colours, np.float32)[None] / 255, cv2.COLOR_RGB2Lab)[0]


def hue(colour):
    return colorsys.rgb_to_hsv(*colour)[0]


def test_hsv_as_the_standard_library_converts_it():
    values = np.random.default_rng(0).random((50, 3))
    wanted = [colorsys.hsv_to_rgb(*row) for row in values]
    assert from_hsv(*values.T) == pytest.approx(np.array(wanted), abs=2e-3)


def test_objects_are_told_from_the_ground_and_from_one_another():
    kept = 0
    for seed in range(100):
        colours, base = objects_and_ground(np.random.default_rng(seed), 5)
        objects, grounds = lab(colours), lab(base)
        away = np.linalg.norm(objects[:, None] - grounds, axis=2).min()
        apart = np.linalg.norm(objects[:, None] - objects, axis=2)[~np.eye(5, dtype=bool)].min()
        kept += away >= APART_FROM_GROUND - 0.01 and apart >= APART - 0.01
        assert away > 0.5 * APART_FROM_GROUND
    assert kept >= 90  # the others are as far apart as their candidates allow


@pytest.mark.parametrize("seed", range(20))
def test_only_the_cued_object_is_red(seed):
    colours, base = objects_and_ground(np.random.default_rng(seed), 4, 2, free=True)
    near = [min(hue(colour), 1 - hue(colour)) for colour in colours.tolist()]
    assert near[2] < 0.03
    assert min(near[:2] + near[3:]) > KEPT_FREE - 0.01
    assert min(min(hue(colour), 1 - hue(colour)) for colour in base.tolist()) > KEPT_FREE - 0.01
    without, _ = objects_and_ground(np.random.default_rng(seed), 4, free=True)
    assert min(min(hue(colour), 1 - hue(colour)) for colour in without.tolist()) > KEPT_FREE - 0.01


def test_without_a_planted_colour_hues_are_free():
    hues = [hue(c) for seed in range(60) for c in objects_and_ground(np.random.default_rng(seed), 4)[0].tolist()]
    assert min(min(value, 1 - value) for value in hues) < 0.02


def test_a_ground_is_textured_and_stays_between_its_colours():
    colours = np.array([[60.0, 90, 120], [100, 120, 90]])
    for seed in range(12):
        painted = ground(np.random.default_rng(seed), 96, colours)
        assert painted.shape == (96, 96, 3)
        assert painted[..., 0].std() > 4
        assert (painted >= 0.8 * colours.min(axis=0)).all()
        assert (painted <= 1.2 * colours.max(axis=0)).all()
