from __future__ import annotations

import cv2
import numpy as np
import pytest

from bincam.data import crop
from bincam.data.regions.shapes import Box, Cells, Combined, Ellipse, Place, Polygon, Raster, similarity
from bincam.errors import InputError
from tests.data.conftest import MEAN_FACE


def test_cells_at_a_multiple_of_the_grid_are_blocks_and_always_tile():
    rng = np.random.default_rng(0)
    cells = rng.random((7, 7)) < 0.4
    np.testing.assert_array_equal(Cells(cells).draw(Place((224, 224))), np.kron(cells, np.ones((32, 32), bool)))
    for size in ((225, 97), (7, 13), (3, 2)):
        parts = [Cells(np.arange(49).reshape(7, 7) == i).draw(Place(size)) for i in range(49)]
        np.testing.assert_array_equal(np.sum(parts, axis=0), np.ones(size))


def test_a_box_covers_exactly_its_pixels():
    mask = Box(x0=3, y0=1, x1=7, y1=4, units="pixels", size=(10, 12)).draw(Place((10, 12)))
    expected = np.zeros((10, 12), bool)
    expected[1:4, 3:7] = True
    np.testing.assert_array_equal(mask, expected)
    twice = Box(x0=3, y0=1, x1=7, y1=4, units="pixels", size=(10, 12)).draw(Place((20, 24)))
    np.testing.assert_array_equal(twice, np.kron(expected, np.ones((2, 2), bool)))
    assert Box(x0=0, y0=0, x1=1, y1=1).draw(Place((9, 5))).all()


def test_ellipses_have_their_area_and_turn_clockwise():
    mask = Ellipse(x=100, y=80, rx=60, ry=20, angle=30, units="pixels", size=(200, 200)).draw(Place((200, 200)))
    assert mask.sum() == pytest.approx(np.pi * 60 * 20, rel=0.01)
    assert mask[80 + 25, 100 + 43]  # y runs down, so clockwise lowers the right end
    assert not mask[80 - 25, 100 + 43]


def test_polygons_agree_with_opencv_off_the_edges():
    rng = np.random.default_rng(1)
    for _ in range(20):
        points = rng.uniform(0, 100, (6, 2))
        ours = Polygon(points=tuple(map(tuple, points)), units="pixels", size=(100, 100)).draw(Place((100, 100)))
        theirs = np.zeros((100, 100), np.uint8)
        cv2.fillPoly(theirs, [np.rint((points - 0.5) * 256).astype(np.int32)], 1, shift=8)
        edges = np.zeros((100, 100), np.uint8)
        cv2.polylines(edges, [np.rint((points - 0.5) * 256).astype(np.int32)], True, 1, thickness=2, shift=8)
        np.testing.assert_array_equal(ours[edges == 0], theirs[edges == 0] > 0)


def test_face_units_put_the_mouth_at_one_and_follow_the_face():
    dot = Ellipse(x=0, y=1, rx=0.08, ry=0.08, units="face")
    for angle in (0, 40, 180):
        theta = np.deg2rad(angle)
        turn = 1.7 * np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
        points = (MEAN_FACE - 100) @ turn.T + 250
        y, x = np.nonzero(dot.draw(Place((500, 500), points)))
        np.testing.assert_allclose([x.mean(), y.mean()], points[3:].mean(axis=0), atol=0.3)
    left = Ellipse(x=-0.475, y=0, rx=0.05, ry=0.05, units="face").draw(Place((218, 178), MEAN_FACE))
    y, x = np.nonzero(left)
    np.testing.assert_allclose([x.mean(), y.mean()], MEAN_FACE[0], atol=1)
    for points in (None, np.full((5, 2), np.nan), np.zeros((5, 2))):
        with pytest.raises(InputError, match="face units needs"):
            dot.draw(Place((10, 10), points))


def test_combined_adds_and_takes_away_in_order():
    whole, part = Box(x0=0, y0=0, x1=1, y1=1), Box(x0=0, y0=0, x1=0.5, y1=1)
    mask = Combined(((whole, False), (part, True))).draw(Place((4, 4)))
    np.testing.assert_array_equal(mask, np.tile([False, False, True, True], (4, 1)))
    assert Combined(((whole, False), (part, True), (part, False))).draw(Place((4, 4))).all()


def test_a_raster_follows_the_face_it_was_drawn_for():
    mask = np.zeros((218, 178), bool)
    mask[100:121, 60:81] = True  # around the left eye
    np.testing.assert_array_equal(Raster(mask, MEAN_FACE).draw(Place((218, 178), MEAN_FACE)), mask)
    np.testing.assert_array_equal(Raster(mask).draw(Place((218, 178))), mask)
    np.testing.assert_array_equal(Raster(mask).draw(Place((436, 356))), np.kron(mask, np.ones((2, 2), bool)))
    points = crop.move(crop.face_matrix(MEAN_FACE), MEAN_FACE)
    y, x = np.nonzero(Raster(mask, MEAN_FACE).draw(Place((224, 224), points)))
    np.testing.assert_allclose([x.mean(), y.mean()], crop.move(crop.face_matrix(MEAN_FACE), [70, 110]), atol=0.5)
    full = Raster(np.ones((5, 5), bool)).draw(Place((50, 50)))
    assert full.all()


def test_similarity_recovers_a_turn_scale_and_shift():
    theta = np.deg2rad(33)
    matrix = np.array([[2 * np.cos(theta), -2 * np.sin(theta), 5], [2 * np.sin(theta), 2 * np.cos(theta), -8]])
    np.testing.assert_allclose(similarity(MEAN_FACE, crop.move(matrix, MEAN_FACE)), matrix, atol=1e-4)
    with pytest.raises(InputError, match="all coincide"):
        similarity(np.zeros((5, 2)), MEAN_FACE)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Box(x0=1, y0=0, x1=1, y1=2), "a box runs"),
        (lambda: Ellipse(x=0, y=0, rx=0, ry=1), "radii above 0"),
        (lambda: Polygon(points=((0, 0), (1, 1))), "three corners"),
        (lambda: Box(x0=0, y0=0, x1=1, y1=2, units="pixels"), "needs the size"),
        (lambda: Box(x0=0, y0=0, x1=1, y1=2, units="inches"), "units 'inches'"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(InputError, match=message):
        build()
