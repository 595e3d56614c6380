"""Mean maps are those of the other images, whatever the scale; what is left of a template is rounding."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.errors import InputError
from bincam.metrics.randomization.template import templates, unit_maps, variance_left, without_template


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(30, 3, 4, 5))


def test_unit_maps_forget_scale_and_offset(maps: np.ndarray) -> None:
    units = unit_maps(maps)
    np.testing.assert_allclose(units.mean(-1), 0, atol=1e-15)
    np.testing.assert_allclose((units**2).sum(-1), 1)
    np.testing.assert_allclose(unit_maps(7 * maps + 3), units)
    np.testing.assert_allclose(unit_maps(-maps), -units)


def test_constant_maps_and_maps_that_are_not_finite_are_undefined(maps: np.ndarray) -> None:
    maps[0, 0], maps[1, 1, 0, 0], maps[2, 2, 0, 0] = 5, np.nan, np.inf
    maps[3, 0] = 5 + 1e-7 * maps[3, 0]  # as float32 rounds
    undefined = np.isnan(unit_maps(maps)).all(-1)
    assert np.argwhere(undefined).tolist() == [[0, 0], [1, 1], [2, 2], [3, 0]]
    assert np.isnan(unit_maps(np.zeros((2, 1, 3, 3)))).all()
    with pytest.raises(InputError, match="expected"):
        unit_maps(maps[0, 0])


def test_the_template_is_the_mean_of_the_others(maps: np.ndarray) -> None:
    units = unit_maps(maps)
    units[4, 1] = np.nan
    rest = without_template(units)
    for image, attribute in ((0, 0), (7, 1), (29, 2)):
        others = np.delete(units[:, attribute], image, 0)
        np.testing.assert_allclose(rest[image, attribute], units[image, attribute] - np.nanmean(others, 0))
    assert np.isnan(rest[4, 1]).all()


def test_each_side_has_a_template_of_its_own(maps: np.ndarray) -> None:
    """A method that draws one map for yes and its negative for no draws one map."""
    sides = np.where(np.random.default_rng(1).random((30, 3)) < 0.3, -1, 1)
    sides[:, 2] = 1
    sides[0, 2] = -1  # alone on its side
    drawn = unit_maps(maps[:1] * sides[..., None, None])
    left = variance_left(drawn, sides)
    assert np.nanmax(left) < 1e-20
    assert variance_left(drawn).mean() > 0.3
    assert np.argwhere(np.isnan(left)).tolist() == [[0, 2]]
    means = templates(drawn, sides)
    assert means.shape == (2, 3, 20)
    np.testing.assert_allclose(means[0, :2], -means[1, :2])


def test_variance_left_is_unbiased() -> None:
    """Of maps that have nothing in common all of the variance is left, also of few images."""
    random = np.random.default_rng(2)
    for images in (2, 5, 40):
        values = [variance_left(unit_maps(random.normal(size=(images, 5, 6, 6)))).mean() for _ in range(60)]
        assert np.mean(values) == pytest.approx(1, abs=0.02)


def test_variance_left_is_the_sample_variance(maps: np.ndarray) -> None:
    units = unit_maps(maps)
    np.testing.assert_allclose(variance_left(units).mean(0), units.var(0, ddof=1).sum(-1))
