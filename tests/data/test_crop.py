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


def _parts(size, seed=0):
    return np.random.default_rng(seed).integers(0, 5, size).astype(np.uint8)


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("source", [(8, 8), (9, 8), (64, 48), (218, 178), (31, 57), (448, 448), (112, 92)])
@pytest.mark.parametrize("size", [(4, 4), (7, 5), (24, 32), (224, 224), (109, 89), (64, 64), (16, 12)])
def test_the_mask_of_a_mirror_image_is_the_mirror_of_the_mask(fit, source, size):
    mask = _parts(source)
    matrix = crop.fit_matrix(fit, source, size)
    there = crop.warp(mask, matrix, size, mask=True)
    np.testing.assert_array_equal(crop.warp(mask[:, ::-1], matrix, size, mask=True), there[:, ::-1])
    np.testing.assert_array_equal(crop.warp(mask[::-1], matrix, size, mask=True), there[::-1])
    mirrored = crop.compose([[-1, 0, size[1] - 1], [0, 1, 0]], matrix)
    np.testing.assert_array_equal(crop.warp(mask, mirrored, size, mask=True), there[:, ::-1])


def test_a_mirrored_face_crop_mirrors_its_mask():
    mask, landmarks = _parts((218, 178)), MEAN_FACE + np.float32([[1, 2], [0, -1], [2, 0], [0, 1], [-1, 0]])
    for angle in np.linspace(0, 40, 9):
        matrix = crop.compose(crop.face_matrix(landmarks, 224), [[1, np.sin(angle), 0], [0, 1, angle]])
        mirrored = crop.compose([[-1, 0, 223], [0, 1, 0]], matrix)
        np.testing.assert_array_equal(
            crop.warp(mask, mirrored, (224, 224), mask=True), crop.warp(mask, matrix, (224, 224), mask=True)[:, ::-1]
        )


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize("at", range(6))
def test_a_mask_that_shrinks_stays_at_its_place(factor, at):
    """On average over places, not a quarter of a pixel to one side; a box that covers whole cells is exact."""
    mask = np.zeros((60, 60), np.uint8)
    mask[12 + at : 24 + at, 12 + at : 36 + at] = 1
    small = crop.warp(mask, crop.fit_matrix("stretch", (60, 60), (60 // factor,) * 2), (60 // factor,) * 2, mask=True)
    rows, columns = np.nonzero(small)
    centre = np.array([rows.mean(), columns.mean()]) * factor + (factor - 1) / 2
    expected = np.array([17.5, 23.5]) + at
    if factor % 2 == 0:
        np.testing.assert_allclose(centre, expected, atol=factor / 2 if at % factor else 1e-9)
        mirrored = crop.warp(
            mask[:, ::-1], crop.fit_matrix("stretch", (60, 60), (60 // factor,) * 2), (60 // factor,) * 2, mask=True
        )
        np.testing.assert_array_equal(mirrored[:, ::-1], small)
    else:
        np.testing.assert_array_equal(small, mask[factor // 2 :: factor, factor // 2 :: factor])


def test_a_halved_mask_has_every_pixel_that_its_object_touches_half():
    mask = np.zeros((4, 8), np.uint8)
    mask[:, 3:5] = 1  # half of two cells: neither may be lost, and neither alone be kept
    halved = crop.warp(mask, crop.fit_matrix("stretch", (4, 8), (2, 4)), (2, 4), mask=True)
    np.testing.assert_array_equal(halved, [[0, 1, 1, 0]] * 2)


def test_the_nearest_pixel_is_that_of_the_inverse_in_float64():
    """By hand, at matrices without ties: cv2 rounds coordinates, this does not."""
    mask, size = _parts((40, 50)), (60, 70)
    matrix = np.array([[1.1, 0.3, -4.2], [-0.25, 0.9, 9.7]])
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    x, y = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    column, row = (np.rint(back[k, 0] * x + back[k, 1] * y + back[k, 2]).astype(int) for k in range(2))
    inside = (row >= 0) & (row < 40) & (column >= 0) & (column < 50)
    expected = np.where(inside, mask[row.clip(0, 39), column.clip(0, 49)], 0)
    np.testing.assert_array_equal(crop.warp(mask, matrix, size, mask=True), expected)
