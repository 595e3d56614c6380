"""Overlap of boxes, hits, and the form in which overlaps are stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from bincam.errors import InputError
from bincam.metrics import Overlaps, iou
from bincam.metrics.localization.boxes.overlaps import decoded, encoded


def random_boxes(n, seed):
    low = np.random.default_rng(seed).random((n, 2)) * 10
    return np.concatenate([low, low + 0.1 + np.random.default_rng(seed + 1).random((n, 2)) * 10], axis=1)


def test_iou_is_torchvisions():
    a, b = random_boxes(40, 0), random_boxes(30, 2)
    np.testing.assert_allclose(iou(a, b), box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy(), rtol=1e-12)


def test_no_box_has_no_overlap():
    assert np.isnan(iou([[np.nan] * 4, [-1, -1, -1, -1]], [[0, 0, 1, 1]])).all()
    assert iou([[0, 0, 1, 1]], [[1, 0, 2, 1]]).item() == 0  # ends are exclusive


def test_hits():
    curves = np.array([[0.5, 0.499], [np.nan, np.nan], [np.nan, np.nan]])
    overlaps = Overlaps(np.array([0.2, 0.4]), curves, curves + 0.1, np.array([0, 1, 2], np.int8))
    np.testing.assert_array_equal(overlaps.hits(0.5), [[1, 0], [0, 0], [np.nan, np.nan]])
    np.testing.assert_array_equal(overlaps.hits(0.5, several=True), [[1, 1], [0, 0], [np.nan, np.nan]])
    for delta in (0, 1.1, np.nan):
        with pytest.raises(InputError, match="an IoU above 0"):
            overlaps.hits(delta)
    assert overlaps.at(0.4) == 1
    with pytest.raises(InputError, match=r"level 0.3 was not measured; .*2 in all"):
        overlaps.at(0.3)


def test_storing_changes_no_hit():
    whole = np.arange(1, 400)
    shares = np.unique((whole[:, None] / whole)[whole[:, None] <= whole])  # every share of up to 399 pixels
    stored = decoded(encoded(shares))
    for step in range(1, 201):
        np.testing.assert_array_equal(stored >= step / 200, shares >= step / 200)
    assert (stored <= shares).all()
    assert (shares - stored).max() < 1 / 200
