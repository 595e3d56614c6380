from __future__ import annotations

import numpy as np
import pytest

from bincam.data import crop
from bincam.errors import InputError
from tests.data.conftest import MEAN_FACE

PUBLISHED = np.array([[93, 101], [132, 101], [112, 125], [95, 142], [130, 142]], float)


def crop_by_hand(points: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """The issue's formula for level eyes, on plain numbers."""
    ex, ey = (points[0] + points[1]) / 2
    mx, my = (points[3] + points[4]) / 2
    side = 5.5 * ((mx - ex) ** 2 + (my - ey) ** 2) ** 0.5
    return (x - (ex - 0.5 * side)) * 224 / side, (y - (ey - 0.45 * side)) * 224 / side


def test_level_eyes_follow_the_formula():
    matrix = crop.face_matrix(MEAN_FACE)
    for x, y in MEAN_FACE.tolist():
        np.testing.assert_allclose(crop.move(matrix, [x, y]), crop_by_hand(MEAN_FACE.astype(float), x, y), atol=1e-4)


def test_celebas_mean_face_lands_where_published():
    """The mean of CelebA's aligned landmarks, to the whole pixels that are published."""
    np.testing.assert_allclose(crop.move(crop.face_matrix(MEAN_FACE), MEAN_FACE), PUBLISHED, atol=1.01)


@pytest.mark.parametrize("angle", [-170, -35, 0, 20, 90])
@pytest.mark.parametrize("scale", [0.2, 1, 7])
def test_a_face_turned_scaled_and_moved_gives_the_same_crop(angle, scale):
    """The crop's landmarks depend on the face's shape alone, to a hundredth of a pixel."""
    face = PUBLISHED + np.array([[0.4, 0], [-0.3, 0], [2, 1], [0, 0.7], [1, -0.2]])
    theta = np.deg2rad(angle)
    turn = scale * np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    moved = face @ turn.T + [37.3, -12.9]
    expected = crop.move(crop.face_matrix(face), face)
    got = crop.move(crop.face_matrix(moved), moved)
    np.testing.assert_allclose(got, expected, atol=0.01)
    assert got[0, 1] == pytest.approx(got[1, 1], abs=1e-6), "the eyes are level"
    np.testing.assert_allclose(got[:2].mean(axis=0), [112, 100.8], atol=1e-6)
    assert np.hypot(*(got[3:].mean(axis=0) - got[:2].mean(axis=0))) == pytest.approx(224 / 5.5)


def test_pixels_go_where_the_points_go():
    """Dots drawn at the landmarks have their centre of mass at the transformed landmarks, to a tenth of a pixel."""
    yy, xx = np.mgrid[:218, :178]
    theta = np.deg2rad(17)
    about = MEAN_FACE.mean(axis=0)
    points = (MEAN_FACE - about) @ np.array([[np.cos(theta), np.sin(theta)], [-np.sin(theta), np.cos(theta)]]) + about
    matrix = crop.face_matrix(points)
    for point in points:
        dot = 255 * np.exp(-((xx - point[0]) ** 2 + (yy - point[1]) ** 2) / (2 * 2.5**2))
        view = crop.warp(dot.astype(np.float32), matrix, (224, 224))
        y, x = np.mgrid[:224, :224]
        centre = np.array([(view * x).sum(), (view * y).sum()]) / view.sum()
        np.testing.assert_allclose(centre, crop.move(matrix, point), atol=0.1)


def test_large_photographs_are_averaged_not_sampled():
    """A one-pixel checkerboard shrunk eightfold is grey; sampled without averaging it would keep its contrast."""
    board = (np.indices((800, 800)).sum(axis=0) % 2 * 255).astype(np.uint8)
    view = crop.warp(board, crop.fit_matrix("stretch", (800, 800), (100, 100)), (100, 100))
    assert np.abs(view.astype(int) - 127.5).max() < 3


def test_shrinking_keeps_points_on_their_pixels():
    yy, xx = np.mgrid[:900, :700]
    dot = np.exp(-((xx - 300) ** 2 + (yy - 500) ** 2) / (2 * 12.0**2)).astype(np.float32)
    matrix = crop.compose(np.array([[0.21, 0.05, 3], [-0.05, 0.21, 40]]), np.eye(3)[:2])
    view = crop.warp(dot, matrix, (220, 220))
    y, x = np.mgrid[:220, :220]
    centre = np.array([(view * x).sum(), (view * y).sum()]) / view.sum()
    np.testing.assert_allclose(centre, crop.move(matrix, [300, 500]), atol=0.1)


def test_the_border_is_continued_and_masks_are_not():
    image = np.full((50, 40), 200, np.uint8)
    away = np.array([[1.0, 0, 30], [0, 1, 30]])
    assert (crop.warp(image, away, (50, 40)) == 200).all()
    mask = crop.warp(image, away, (50, 40), mask=True)
    assert not mask[:30].any()
    assert not mask[:, :30].any()


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize(("source", "size"), [((112, 92), (64, 64)), ((31, 57), (224, 128)), ((7, 7), (7, 7))])
def test_whole_images_keep_their_centre_and_edges(fit, source, size):
    matrix = crop.fit_matrix(fit, source, size)
    edges = crop.move(matrix, [[-0.5, -0.5], [source[1] - 0.5, source[0] - 0.5]])
    np.testing.assert_allclose(edges.mean(axis=0), [(size[1] - 1) / 2, (size[0] - 1) / 2])
    span = edges[1] - edges[0]
    if fit == "stretch":
        np.testing.assert_allclose(span, [size[1], size[0]])
    else:
        assert matrix[0, 0] == matrix[1, 1]
        assert (span >= np.array([size[1], size[0]]) - 1e-9).all()
        assert np.isclose(span, [size[1], size[0]]).any()


def test_a_face_that_cannot_be_placed_is_refused():
    for points in (np.full((5, 2), np.nan), np.zeros((5, 2)), MEAN_FACE[:4], MEAN_FACE[[0, 0, 2, 3, 4]]):
        with pytest.raises(InputError, match="a face crop needs"):
            crop.face_matrix(points)


def test_the_frontal_filter_by_hand_and_its_limits():
    face = np.array([[-10, 0], [10, 0], [0, 12], [-8, 20], [8, 20]], float)
    assert crop.off_axis(face) == 0
    aside = face.copy()
    aside[2, 0] = 2.0  # 2 px from a vertical line of 20 px: exactly the limit
    assert crop.off_axis(aside) == pytest.approx(0.1)
    assert crop.frontal(aside)
    aside[2, 0] = 2.1
    assert not crop.frontal(aside)
    leaning = face.copy()
    leaning[3:, 0] += 20  # the line runs at 45 degrees: the nose (0, 12) is 12/sqrt(2) away from it
    assert crop.off_axis(leaning) == pytest.approx(12 / np.sqrt(2) / 20)


def test_the_filter_does_not_mind_the_published_shift():
    faces = MEAN_FACE + np.random.default_rng(0).normal(0, 4, (200, 5, 2))
    np.testing.assert_allclose(crop.off_axis(faces), crop.off_axis(faces + np.array([24, -10])))
    assert 0 < crop.frontal(faces).mean() < 1


def test_unknown_and_upside_down_faces_are_not_frontal():
    faces = np.stack([np.full((5, 2), np.nan), MEAN_FACE[[3, 4, 2, 0, 1]]])
    assert np.isnan(crop.off_axis(faces)).all()
    assert not crop.frontal(faces).any()
