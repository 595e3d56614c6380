import numpy as np
import pytest

from bincam.scenes.drawing.shapes import SHAPES, inside, lens_area, polygon_area, reach


def grid(fine=400, extent=1.2):
    """Points of a shape's frame, and the area that each stands for."""
    axis = (np.arange(fine) + 0.5) / fine * 2 * extent - extent
    return axis, (2 * extent / fine) ** 2


@pytest.mark.parametrize("row", range(len(SHAPES)), ids=SHAPES)
def test_every_shape_has_area_1(row):
    axis, cell = grid()
    cos, sin = np.cos(0.3), np.sin(0.3)  # so that no edge follows a row of the grid
    count = sum(inside(row, u * cos - v * sin, u * sin + v * cos) for u in axis for v in axis)
    assert count * cell == pytest.approx(1, abs=0.002)


@pytest.mark.parametrize("turn", [0.0, 0.7, 2.9])
@pytest.mark.parametrize("row", range(len(SHAPES)), ids=SHAPES)
def test_nothing_is_beyond_its_reach_and_the_reach_is_not_much_more(row, turn):
    axis, _ = grid(200)
    points = np.array([(u, v) for u in axis for v in axis if inside(row, u, v)])
    x = points[:, 0] * np.cos(turn) - points[:, 1] * np.sin(turn)
    y = points[:, 0] * np.sin(turn) + points[:, 1] * np.cos(turn)
    left, up, right, down = reach(row, 1.0, turn)
    found = np.array([-x.min(), -y.min(), x.max(), y.max()])
    assert (found <= np.array([left, up, right, down])).all()
    assert (np.array([left, up, right, down]) - found <= 0.08).all()


def test_a_square_is_a_square_and_a_ring_has_a_hole():
    square, ring, crescent = (SHAPES.index(name) for name in ("square", "ring", "crescent"))
    assert inside(square, 0.499, -0.499)
    assert not inside(square, 0.501, 0)
    assert not inside(ring, 0, 0)
    assert inside(ring, 0, np.sqrt(1 / np.pi / (1 - 0.55**2)) * 0.99)
    assert not inside(crescent, 0.35, 0)


def test_areas_by_hand():
    assert polygon_area([(0, 0), (4, 0), (0, 3)]) == 6
    assert lens_area(2, 2, 1e-9) == pytest.approx(4 * np.pi)
    assert lens_area(3, 4, 5) == pytest.approx(9 * np.arccos(0.6) + 16 * np.arccos(0.8) - 12)
