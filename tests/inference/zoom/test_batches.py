"""Batches: full across images, in order, the same numbers as preprocessing, and memory independent of the views."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from bincam.errors import InputError
from bincam.inference import render, view_batches, view_plan
from bincam.inference.zoom import batches
from bincam.models import preprocess
from tests.inference.conftest import card_of


def test_batches_are_full_across_images_and_in_order(photos):
    plan = view_plan("short", (16, 16))
    parts = list(view_batches(photos, plan, card_of(), batch_size=50))
    assert [len(part.images) for part in parts] == [50, 50, 50, 12]
    rows = np.concatenate([part.rows for part in parts])
    views = np.concatenate([part.views for part in parts])
    assert np.array_equal(rows * 54 + views, np.arange(3 * 54))
    assert np.array_equal(parts[1].sizes[0], [23, 37])
    assert np.array_equal(parts[3].sizes[-1], [16, 16])


@pytest.mark.parametrize("fields", [{}, {"mean": (0.5,), "std": (0.25,)}])
def test_numbers_are_those_of_preprocessing(photos, fields):
    card = card_of(**fields)
    plan = view_plan("short", (16, 16))
    seen = torch.cat([part.images for part in view_batches(photos, plan, card, batch_size=7)])
    made = [preprocess(Image.fromarray(view), card) for photo in photos for view in render(photo, plan)]
    torch.testing.assert_close(seen, torch.stack(made), rtol=0, atol=1e-6)


def test_files_are_decoded_once(photos, tmp_path, monkeypatch):
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for path, photo in zip(paths, photos, strict=True):
        Image.fromarray(photo).save(path)
    count = []
    decode = batches.photograph
    monkeypatch.setattr(batches, "photograph", lambda path: count.append(path) or decode(path))
    plan = view_plan("short", (16, 16))
    from_files = torch.cat([part.images for part in view_batches(paths, plan, card_of(), batch_size=5)])
    assert count == paths
    assert torch.equal(from_files, torch.cat([p.images for p in view_batches(photos, plan, card_of())]))


def test_memory_does_not_depend_on_the_number_of_views():
    photo = np.zeros((150, 200, 3), np.uint8)

    def peak(plan):
        tracemalloc.start()
        for _ in view_batches([photo] * 2, plan, card_of(input_size=(64, 64)), batch_size=9):
            pass
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    nine = [(row, column) for row in range(3) for column in range(3)]
    few = view_plan([(200, *at) for at in nine], (64, 64))
    many = view_plan([(size, *at) for size in range(161, 201) for at in nine], (64, 64))
    assert len(many) == 40 * len(few)
    peak(few)  # what is imported on first use
    # The least of three: other threads of the process allocate, too.
    assert min(peak(many) for _ in range(3)) < 1.2 * min(peak(few) for _ in range(3))


def test_requests_that_are_refused(photos):
    plan = view_plan("short", (16, 16))
    for card, options, message in (
        (card_of(input_size=(32, 32)), {}, r"16 x 16 pixels, but the model's input is 32 x 32"),
        (card_of(mean=(0.1,) * 4, std=(1.0,) * 4), {}, "reads 4 channels"),
        (card_of(), {"batch_size": 0}, "batch_size=0"),
        (card_of(fit="face"), {}, "pass landmarks="),
        (card_of(fit="face"), {"landmarks": []}, "fewer landmarks than images"),
        (card_of(fit="face"), {"landmarks": [np.full((5, 2), np.nan)]}, "five known landmarks"),
    ):
        with pytest.raises(InputError, match=message):
            next(view_batches(photos, plan, card, **options))
    with pytest.raises(InputError, match="no such file"):
        next(view_batches(["nowhere.png"], plan, card_of()))


def test_views_of_a_face_are_those_of_its_square():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (60, 50, 3), np.uint8)
    marks = np.array([[18.0, 25.0], [32.0, 25.0], [25.0, 31.0], [20.0, 37.0], [30.0, 37.0]])
    plan = view_plan("short", (16, 16))
    part = next(view_batches([image], plan, card_of(fit="face"), landmarks=[marks], batch_size=54))
    assert np.array_equal(part.sizes[0], [66, 66])  # 5.5 times 12 pixels
    square = batches.face_square(image, marks, 16)
    assert torch.equal(part.images, torch.cat([p.images for p in view_batches([square], plan, card_of())]))
