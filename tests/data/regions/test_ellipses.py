"""Ellipses of annotations: their box is the one around their mask, and radii that draw nothing are told."""

import numpy as np
import pytest

from bincam.data.regions.boxes import part_boxes
from bincam.data.regions.ellipses import ellipse, ellipse_reach
from bincam.data.regions.shapes import Place
from bincam.errors import InputError

SIZE = (300, 400)


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 135, -20])
@pytest.mark.parametrize("unit", [(1.0, 1.0), (2.0, 0.5)])
def test_the_reach_is_that_of_the_mask(angle, unit):
    radii = (60.0, 25.0)
    dx, dy = ellipse_reach(radii, np.deg2rad(angle), "an ellipse", unit)
    centre = 200 / unit[0], 150 / unit[1]
    mask = ellipse(centre, radii, angle, SIZE, "an ellipse", unit).draw(Place(SIZE))
    np.testing.assert_allclose(part_boxes(mask), [[200 - dx, 150 - dy, 200 + dx, 150 + dy]], atol=1)
    turns = np.linspace(0, 2 * np.pi, 10001)
    across, down = radii[0] * unit[0] * np.cos(turns), radii[1] * unit[1] * np.sin(turns)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    assert dx == pytest.approx(np.max(across * cos - down * sin), rel=1e-6)
    assert dy == pytest.approx(np.max(across * sin + down * cos), rel=1e-6)


@pytest.mark.parametrize("radii", [(-3.0, 2.0), (3.0, -2.0), (-3.0, 0.0)])
def test_a_negative_radius_is_refused_of_masks_and_of_boxes(radii):
    for made in (
        lambda: ellipse((5, 5), radii, 0, (9, 9), "a.xml: ellipse of cat"),
        lambda: ellipse_reach(radii, 0, "a.xml: ellipse of cat"),
    ):
        with pytest.raises(InputError, match=r"^a\.xml: ellipse of cat: radii are .*; expected numbers above 0$"):
            made()


def test_a_radius_of_nothing_has_no_area_however_it_is_turned():
    assert ellipse_reach((0.0, 5.0), 0.7, "an ellipse") == (0, 0)
    with pytest.raises(InputError, match="radii are 0 and 5"):
        ellipse((5, 5), (0, 5), 0, (9, 9), "an ellipse")
