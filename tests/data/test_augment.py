from __future__ import annotations

from dataclasses import replace

import albumentations
import numpy as np
import pytest

from bincam.data import Augmentation, crop
from bincam.data.augment import Views
from bincam.errors import InputError
from tests.data.conftest import MEAN_FACE, make_images

NOTHING = Augmentation(scale=0, rotation=0, shift=0, mirror=0, blur=0, gamma=0)
MATRIX = crop.face_matrix(MEAN_FACE)


def view(augmentation, seed=(0, 0, 0), image=None, **parts):
    image = make_images(1)[0] if image is None else image
    return Views(augmentation, (224, 224))(image, MATRIX, seed, landmarks=MEAN_FACE, **parts)


def test_everything_off_is_the_plain_crop():
    plain, off = view(None), view(NOTHING)
    np.testing.assert_array_equal(plain.image, off.image)
    np.testing.assert_allclose(plain.landmarks, off.landmarks, atol=1e-3)
    assert not off.mirrored


def test_a_view_follows_from_its_seed_alone():
    views = Views(Augmentation(), (224, 224))
    image = make_images(1)[0]
    first = views(image, MATRIX, (1, 2, 3), landmarks=MEAN_FACE)
    views(image, MATRIX, (9, 9, 9))
    np.random.seed(5)  # noqa: NPY002  # the global state must not matter
    again = Views(Augmentation(), (224, 224))(image, MATRIX, (1, 2, 3), landmarks=MEAN_FACE)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.landmarks, again.landmarks)
    for other in ((1, 2, 4), (1, 3, 3), (2, 2, 3)):
        assert (views(image, MATRIX, other).image != first.image).any()


@pytest.mark.parametrize(("name", "value"), [("scale", 0.3), ("rotation", 30), ("shift", 0.1), ("mirror", 1.0)])
def test_points_boxes_and_masks_follow_the_pixels(name, value):
    """A dot per landmark, drawn into the image and into a mask, is at the transformed landmark afterwards."""
    yy, xx = np.mgrid[:218, :178]
    order = list(crop.MIRROR_ORDER)
    for seed in range(4):
        for which, point in enumerate(MEAN_FACE):
            near = (xx - point[0]) ** 2 + (yy - point[1]) ** 2
            image = np.repeat((255 * np.exp(-near / 50))[..., None], 3, axis=2).astype(np.uint8)
            box = np.array([point[0] - 5, point[1] - 5, 10, 10])
            got = view(replace(NOTHING, **{name: value}), (seed, 0, 0), image, box=box, masks=near[None] <= 25)
            assert got.mirrored == (name == "mirror")
            target = got.landmarks[order.index(which) if got.mirrored else which]
            y, x = np.mgrid[:224, :224]
            weight = got.image[..., 0].astype(float)
            np.testing.assert_allclose([(weight * v).sum() / weight.sum() for v in (x, y)], target, atol=0.3)
            np.testing.assert_allclose([v[got.masks[0]].mean() for v in (x, y)], target, atol=0.6)
            np.testing.assert_allclose(got.box[:2] + got.box[2:] / 2, target, atol=1e-2)


def test_a_mirrored_face_keeps_its_left_eye_on_the_left():
    got = view(replace(NOTHING, mirror=1.0))
    assert got.mirrored
    assert got.landmarks[0, 0] < got.landmarks[1, 0]
    assert got.landmarks[3, 0] < got.landmarks[4, 0]
    plain = view(None)
    np.testing.assert_allclose(got.landmarks[0], [223 - plain.landmarks[1, 0], plain.landmarks[1, 1]], atol=1e-3)
    np.testing.assert_array_equal(got.image, plain.image[:, ::-1])


def test_the_draws_have_the_stated_spread():
    """Scale 2^N(0, 0.1), rotation N(0, 20 degrees), shift N(0, 0.05) of the side, measured on the landmarks."""
    views = Views(replace(NOTHING, scale=0.1, rotation=20, shift=0.05), (224, 224))
    image = np.zeros((8, 8, 3), np.uint8)
    centre = np.array([111.5, 111.5])
    inverse = np.linalg.inv(np.vstack([MATRIX, [0, 0, 1]]))[:2]
    marks = crop.move(inverse, [centre, centre + np.array([50, 0]), centre, centre, centre])
    moved = np.stack([views(image, MATRIX, (0, 0, i), landmarks=marks).landmarks for i in range(1500)])
    arm = moved[:, 1] - moved[:, 0]
    angle, size = np.rad2deg(np.arctan2(arm[:, 1], arm[:, 0])), np.log2(np.hypot(arm[:, 0], arm[:, 1]) / 50)
    shift = (moved[:, 0] - centre) / 224
    for values, spread in ((angle, 20), (size, 0.1), (shift[:, 0], 0.05), (shift[:, 1], 0.05)):
        assert values.std() == pytest.approx(spread, rel=0.08)
        assert abs(values.mean()) < 0.1 * spread


def test_gamma_keeps_black_and_white_and_spreads_as_stated():
    image = np.zeros((224, 224, 3), np.uint8)
    image[:100], image[100:150] = 255, 128
    views = Views(replace(NOTHING, gamma=1.0), (224, 224))
    power = []
    for i in range(400):
        got = views(image, np.eye(3)[:2], (0, 0, i)).image
        assert (got[:100] == 255).all()
        assert (got[150:] == 0).all()
        grey = int(got[120, 0, 0])
        if 0 < grey < 255:
            power.append(np.log2(np.log(grey / 255) / np.log(128 / 255)))
    assert np.std(power) == pytest.approx(1, abs=0.12)


def test_blur_takes_contrast_and_moves_nothing():
    got, plain = view(replace(NOTHING, blur=1.0, blur_sigma=3)), view(None)
    assert np.abs(np.diff(got.image.astype(int), axis=1)).max() < np.abs(np.diff(plain.image.astype(int), axis=1)).max()
    np.testing.assert_allclose(got.landmarks, plain.landmarks, atol=1e-3)


def test_extra_transforms_run_and_their_mirroring_is_noticed():
    got = view(replace(NOTHING, extra=[albumentations.HorizontalFlip(p=1), albumentations.InvertImg(p=1)]))
    np.testing.assert_array_equal(got.image, 255 - view(None).image[:, ::-1])
    assert got.mirrored
    assert got.landmarks[0, 0] < got.landmarks[1, 0]


def test_unknown_landmarks_stay_unknown():
    views = Views(Augmentation(), (64, 64))
    points = MEAN_FACE.copy()
    points[2] = np.nan
    got = views(make_images(1)[0], MATRIX, (0, 0, 0), landmarks=points, box=np.full(4, np.nan))
    assert np.isnan(got.landmarks).sum() == 2
    assert np.isnan(got.box).all()


@pytest.mark.parametrize("wrong", [{"mirror": 1.5}, {"scale": -1}, {"gamma": float("nan")}, {"blur_sigma": 0.1}])
def test_impossible_amounts_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Augmentation(**wrong)
