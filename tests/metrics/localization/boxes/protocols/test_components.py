"""Components at every level, in one pass, are those of labelling the image anew at each level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from bincam.errors import InputError
from bincam.metrics.localization.boxes.protocols.components import component_mask, components_at

LEVELS = np.arange(100) / 100


def labelled(values, level, truth=()):
    """By scipy: mask and box of the largest component, its size, and the best overlap of any component's box."""
    image = np.asarray(values, np.float32)
    above = (image > level * float(image.max())) & (image.max() > 0)
    labels, count = ndimage.label(above, np.ones((3, 3)))
    if not count:
        return labels > 0, [-1] * 4, 0, np.nan
    sizes = np.bincount(labels.ravel())[1:]
    largest = [n for n in range(1, count + 1) if sizes[n - 1] == sizes.max()]
    peak = labels.ravel()[image.argmax()]
    kept = peak if peak in largest else min(largest, key=lambda n: np.flatnonzero(labels.ravel() == n)[0])
    boxes = [[x.start, y.start, x.stop, y.stop] for y, x in ndimage.find_objects(labels)]
    return labels == kept, boxes[kept - 1], sizes.max(), max((overlap(a, b) for a in boxes for b in truth), default=0)


def overlap(a, b):
    both = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def random_map(kind, rng):
    values = rng.normal(size=rng.integers(1, 25, 2))
    if kind == "tied":
        return np.round(values, 1)
    if kind == "smooth":
        return ndimage.gaussian_filter(values, 2)
    if kind == "flat":
        return rng.integers(-1, 3, values.shape).astype(float)
    return values


@pytest.mark.parametrize("kind", ["noise", "tied", "smooth", "flat"])
def test_every_level_is_that_of_labelling_anew(kind):
    rng = np.random.default_rng(0)
    for _ in range(50):  # 200 maps of the four kinds
        values = random_map(kind, rng)
        levels = np.unique(rng.integers(0, 100, 20)) / 100
        corners = rng.integers(0, 20, (2, 2))
        truth = np.concatenate([corners, corners + rng.integers(1, 9, (2, 2))], axis=1)
        found = components_at(values, levels, truth)
        masks, boxes, sizes, best = zip(*(labelled(values, level, truth) for level in levels), strict=True)
        np.testing.assert_array_equal(found.boxes, boxes)
        np.testing.assert_array_equal(found.sizes, sizes)
        np.testing.assert_allclose(found.best, best, rtol=1e-14)
        np.testing.assert_array_equal(component_mask(values, levels[0]), masks[0])
        np.testing.assert_array_equal(component_mask(values, levels[-1]), masks[-1])


def test_every_distinct_value_may_be_a_level():
    """One pixel is added per level, in float32 steps next to one another."""
    steps = np.float32(1) + np.arange(36, dtype=np.float32) * np.finfo(np.float32).eps
    values = np.random.default_rng(1).permutation(steps).reshape(6, 6)
    levels = np.unique(values.ravel().astype(float)[:-1] / float(values.max()))
    levels = levels[levels < 1]
    found = components_at(values, levels)
    for level, box, size in zip(levels, found.boxes, found.sizes, strict=True):
        _, expected, pixels, _ = labelled(values, level)
        assert box.tolist() == expected
        assert size == pixels
    assert (np.diff(found.sizes) <= 0).all()


def test_ties_go_to_the_maximum_and_then_to_the_first():
    tie = np.zeros((3, 7))
    tie[0, 0:2] = tie[2, 3:5] = tie[0, 5:7] = 1
    assert components_at(tie, [0.5]).boxes[0].tolist() == [0, 0, 2, 1]  # holds the first maximum in raster order
    tie[2, 4] = 2
    assert components_at(tie, [0.2]).boxes[0].tolist() == [3, 2, 5, 3]
    tie = np.array([[1, 0, 0, 1, 1], [0, 0, 0, 0, 0], [9, 0, 0, 1, 1.0]])  # the maximum's own component is smaller
    assert components_at(tie, [0.1]).boxes[0].tolist() == [3, 0, 5, 1]


def test_corners_connect_and_a_frame_does_not():
    values = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    assert components_at(values, [0.0]).boxes[0].tolist() == [0, 0, 3, 3]
    wrapped = np.array([[0, 0, 1], [1, 0, 0.0]])  # neighbours in memory, not in the image
    assert components_at(wrapped, [0.0]).sizes.tolist() == [1]


def test_a_threshold_is_strict():
    values = np.array([[1.0, 0.5, 0.25]])
    assert components_at(values, [0.0, 0.25, 0.5]).sizes.tolist() == [3, 2, 1]


def test_nothing_positive_has_no_component():
    for values in (np.zeros((3, 3)), -np.ones((3, 3))):
        found = components_at(values, LEVELS, [[0, 0, 1, 1]])
        assert (found.boxes == -1).all()
        assert not found.sizes.any()
        assert np.isnan(found.best).all()
        assert not component_mask(values, 0.2).any()


def test_one_pixel_is_a_map():
    assert components_at([[3.0]], LEVELS, [[0, 0, 1, 1]]).best.tolist() == [1.0] * 100


def test_a_part_that_was_found_is_not_forgotten_when_it_grows():
    """The best overlap is over the components alive at a level, not over all that ever were."""
    values = np.zeros((5, 9))
    values[2, 2] = 3  # an exact box at high levels
    values[2, 3:9] = 1  # grows away from it at low ones
    found = components_at(values, [0.1, 0.5], [[2, 2, 3, 3]])
    assert found.best.tolist() == [1 / 7, 1.0]


def test_what_is_no_map_or_no_level_is_refused():
    for values in (np.ones(3), np.full((2, 2), np.nan), np.full((2, 2), np.inf), np.zeros((0, 3))):
        with pytest.raises(InputError, match=r"finite and \(H, W\)"):
            components_at(values, [0.2])
    for levels in ([], [0.5, 0.5], [0.5, 0.2], [-0.1], [1.0], [np.nan], [[0.1]]):
        with pytest.raises(InputError, match=r"levels increase within \[0, 1\)"):
            components_at(np.ones((2, 2)), levels)
