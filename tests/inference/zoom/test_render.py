"""Pixels of views equal those that Pillow makes one view at a time, and where views lie follows from sizes alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bincam.data import crop
from bincam.errors import InputError
from bincam.inference import face_square, places_of, render, view_plan
from bincam.inference.zoom import render as rendering
from bincam.models import preprocess
from tests.inference.conftest import card_of

SIZES = [(23, 37), (41, 19), (16, 16), (2, 5), (1, 1), (1, 30), (67, 3)]


def by_itself(image, view, size):
    """One view from the file on: resize the shorter side, crop around the anchor, black beyond."""
    picture = Image.fromarray(image)
    w, h = picture.size
    resized = (view.size, int(view.size * h / w)) if w <= h else (int(view.size * w / h), view.size)
    picture = picture.resize(resized, Image.Resampling.BICUBIC)
    x = view.column * (picture.width // 3) + (picture.width // 3) // 2 - size[1] // 2
    y = view.row * (picture.height // 3) + (picture.height // 3) // 2 - size[0] // 2
    return np.asarray(picture.crop((x, y, x + size[1], y + size[0])))


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("size", [(16, 16), (15, 22)])
def test_pixels_equal_those_of_a_view_by_itself(shape, size):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    plan = view_plan("paper", size)
    views = list(render(image, plan))
    assert len(views) == len(plan)
    for view, pixels in zip(plan.views, views, strict=True):
        assert np.array_equal(pixels, by_itself(image, view, size)), view


@pytest.mark.parametrize("shape", SIZES)
def test_images_too_large_to_resize_whole_give_the_same_within_rounding(shape, monkeypatch):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    waves = 128 + 60 * np.sin(rows / 7 + 1) * np.cos(columns / 5)  # smooth, and far from what would be clipped
    image = np.repeat(waves[..., None], 3, 2).astype(np.uint8)
    plan = view_plan("short", (16, 16))
    whole = list(render(image, plan))
    monkeypatch.setattr(rendering, "WHOLE", 0)
    for one, other in zip(whole, render(image, plan), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 2
        assert np.array_equal(one == 0, other == 0)


def test_a_strip_costs_no_more_memory_than_its_views():
    strip = np.zeros((1, 60_000, 3), np.uint8)  # resized whole, it would take 180 GB
    assert sum(1 for _ in render(strip, view_plan([(1000, 1, 1), (1000, 2, 2)], (16, 16)))) == 2


def test_the_one_crop_is_no_centre_crop():
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    plan = view_plan("short", (224, 224))
    found = list(render(image, plan))[plan.one_crop]
    assert np.array_equal(found, image[15:239, 15:239])
    assert not np.array_equal(found, image[16:240, 16:240])


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), "photo.jpg", np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_image_is_refused(wrong):
    with pytest.raises(InputError, match="image"):
        next(render(wrong, view_plan("short", (16, 16))))


def test_places_agree_with_pixels():
    """A point is visible exactly where its pixel shows in a view."""
    plan = view_plan([(size, row, column) for size in (8, 24, 60) for row in range(3) for column in range(3)], (16, 16))
    shape, spot = (30, 48), (11, 33)
    image = np.zeros((*shape, 3), np.uint8)
    image[spot[0] - 1 : spot[0] + 2, spot[1] - 1 : spot[1] + 2] = 255
    places = places_of(plan, [shape])
    centre = [[(spot[1] + 0.5) / shape[1], (spot[0] + 0.5) / shape[0]]]
    for at, pixels in zip(places.visible(centre)[0], render(image, plan), strict=True):
        assert at == (pixels.max() > 200) or pixels.max() < 255
        if at:
            assert pixels.max() > 0
    assert places.strict[0].tolist() == [False] * 9 + [True] * 18
    assert places.visible([[np.nan, 0.5]]).sum() == 0
    assert places.visible([[centre[0], centre[0]]]).shape == (1, 27, 2)


def test_every_view_sees_its_own_anchor_and_a_small_scale_sees_all():
    plan = view_plan("paper", (16, 16))
    for shape in SIZES:
        places = places_of(plan, [shape])
        seen = places.visible_anchors()[0]
        own = seen[np.arange(len(plan)), places.anchors[:, 0], places.anchors[:, 1]]
        assert own.all()
    square = places_of(plan, [(40, 40)])
    assert square.visible_anchors()[0, :9].all()
    far = square.visible_anchors()[0, -9:].sum((1, 2))
    assert far.tolist() == [1] * 9


@pytest.mark.parametrize("wrong", [[(0, 4)], [4, 4], [[1, 2, 3]]])
def test_sizes_that_are_refused(wrong):
    with pytest.raises(InputError, match="sizes"):
        places_of(view_plan("short", (16, 16)), wrong)


LANDMARKS = [[69.0, 111.0], [108.0, 113.0], [88.0, 135.0], [72.0, 152.0], [106.0, 152.0]]


def test_the_square_of_a_face_crop_is_the_crop():
    """Resized to the input, the square shows what the model's own crop shows."""
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 256, (14, 12, 3), np.uint8))
    image = np.asarray(rough.resize((178, 218), Image.Resampling.BICUBIC))
    square = face_square(image, LANDMARKS, 64)
    own = np.asarray(crop.warp(image, crop.face_matrix(LANDMARKS, 64), (64, 64)), int)
    shown = np.asarray(Image.fromarray(square).resize((64, 64), Image.Resampling.BICUBIC), int)
    assert np.abs(own - shown).mean() < 2
    assert np.abs(own - shown[::-1]).mean() > 10


def test_a_face_larger_than_all_views_is_bounded():
    far = (np.array(LANDMARKS) * 100).tolist()
    assert face_square(np.zeros((50, 50, 3), np.uint8), far).shape == (2048, 2048, 3)
    with pytest.raises(InputError, match="five known landmarks"):
        face_square(np.zeros((50, 50, 3), np.uint8), np.full((5, 2), np.nan))


def test_a_view_of_the_whole_image_is_what_the_model_reads():
    """At the input's scale, an image of the input's size is moved by a pixel of rounding and is otherwise the same."""
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    card = card_of()
    pixels = next(render(image, view_plan([(16, 1, 1)], (16, 16))))
    top, left = 7 - 8, 7 - 8
    assert np.array_equal(pixels[1:, 1:], image[: top + 16, : left + 16])
    assert not pixels[0].any()
    assert preprocess(Image.fromarray(image), card).shape == (3, 16, 16)
