"""Constant boxes: fitted on one split, in shares of the image, near perfect where objects do not move."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.metrics import fit_constant_boxes, iou


def test_aligned_objects_are_boxed_without_a_map():
    rng = np.random.default_rng(0)
    boxes = np.array([60, 80, 100, 110]) + rng.integers(-4, 5, (200, 4))
    fitted = fit_constant_boxes([list(boxes[:100])], (224, 224)).in_image((224, 224))
    assert (iou(fitted.constant, boxes[100:]) >= 0.5).mean() > 0.95
    assert (iou(fitted.centred, boxes[100:]) >= 0.5).mean() < 0.05


def test_objects_anywhere_are_not():
    low = np.random.default_rng(1).integers(0, 190, (400, 2))
    boxes = np.concatenate([low, low + 30], axis=1)
    fitted = fit_constant_boxes([list(boxes[:200])], (224, 224)).in_image((224, 224))
    assert (iou(fitted.constant, boxes[200:]) >= 0.5).mean() < 0.1


def test_the_constant_box_is_the_most_hit_one_and_not_the_mean():
    """Two places, one more frequent: the mean of both hits neither."""
    boxes = [[[0, 0, 10, 10]]] * 7 + [[[50, 50, 60, 60]]] * 5
    fitted = fit_constant_boxes([boxes], (64, 64)).in_image((64, 64))
    np.testing.assert_allclose(fitted.constant, [[0, 0, 10, 10]])
    np.testing.assert_allclose(fitted.centred, [[27, 27, 37, 37]])
    assert fitted.images.tolist() == [12]


def test_shares_fit_images_of_any_shape():
    fitted = fit_constant_boxes([[[[0, 0, 5, 20]]]], (20, 10))
    np.testing.assert_allclose(fitted.in_image((40, 100)).constant, [[0, 0, 50, 40]])


def test_parts_are_taken_together_and_images_without_a_box_left_out():
    fitted = fit_constant_boxes([[[[0, 0, 2, 2], [6, 6, 8, 8]], []], []], (8, 8))
    np.testing.assert_allclose(fitted.constant[0], [0, 0, 1, 1])
    assert fitted.images.tolist() == [1, 0]
    assert np.isnan(fitted.constant[1]).all()
    with pytest.raises(InputError, match=r"attribute 0: .*no area"):
        fit_constant_boxes([[[[3, 3, 3, 3]]]], (8, 8))
    with pytest.raises(InputError, match="not inside its image"):
        fit_constant_boxes([[[[3, 3, 9, 8]]]], (8, 8))
