"""The verdict on planted maps: of the frame, the image, the model, and mixtures, on grids from 4 x 4 to 14 x 14."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, sobel

from bincam.errors import InputError
from bincam.metrics import ParameterDependence, parameter_dependence

GRIDS = (4, 5, 7, 14)
IMAGES = 48
Maps = NDArray[np.float64]


def smooth(seed: int, grid: int, attributes: int = 4, images: int = IMAGES) -> Maps:
    """What a network may draw: smooth maps, without anything in common."""
    noise = np.random.default_rng(seed).normal(size=(images, attributes, grid, grid))
    maps = gaussian_filter(noise, (0, 0, 0.12 * grid, 0.12 * grid), mode="wrap")
    return np.asarray(maps / maps.std())


def centre(grid: int) -> Maps:
    along = np.linspace(-1, 1, grid)
    blob = np.exp(-(along[:, None] ** 2) - along**2)
    return np.asarray(blob / blob.std())


def photographs(grid: int) -> Maps:
    """Photographs with a bright centre, four times as fine as the grid, one for all attributes."""
    return smooth(9, 4 * grid, 1) + centre(4 * grid)


def pooled(fine: Maps) -> Maps:
    images, attributes, size, _ = fine.shape
    cells = fine.reshape(images, attributes, size // 4, 4, size // 4, 4).mean((3, 5))
    return np.broadcast_to(cells, (images, 4, *cells.shape[2:]))


def brightness(grid: int) -> Maps:
    return pooled(photographs(grid))


def edges(grid: int) -> Maps:
    fine = photographs(grid)
    return pooled(np.hypot(sobel(fine, -1), sobel(fine, -2)))


@pytest.mark.parametrize("grid", GRIDS)
def test_maps_of_the_model_pass(grid: int) -> None:
    found = parameter_dependence(smooth(0, grid), [smooth(1, grid), smooth(2, grid)])
    assert found.verdict == "pass", found.reason
    assert found.reason == ""
    assert found.variance_left.value > 0.97
    assert found.cells == grid**2


@pytest.mark.parametrize("grid", GRIDS)
def test_a_template_that_all_networks_have_is_no_reason_to_fail(grid: int) -> None:
    """It is what the fixed bound failed: maps as drawn are alike by it, of the same image and of others."""
    learned, *others = (smooth(seed, grid) + 2 * centre(grid) for seed in range(3))
    found = parameter_dependence(learned, others)
    assert found.verdict == "pass", found.reason
    assert found.as_drawn.same > 0.5
    assert found.as_drawn.same - found.as_drawn.other < 0.05
    assert found.template > 0.5


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("draw", [brightness, edges])
def test_maps_of_the_image_fail_the_second_part(grid: int, draw: object) -> None:
    maps = draw(grid)  # type: ignore[operator]
    found = parameter_dependence(maps, [maps, maps])
    assert found.verdict == "fail"
    assert found.variance_left.value > 0.05
    assert found.excess.low > 0.05
    inverted = parameter_dependence(maps, [-2 * maps + 1] * 2)  # a sign or a scale hides nothing
    assert inverted.excess.value == pytest.approx(found.excess.value)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_centre_blob_fails_the_first_part(grid: int) -> None:
    blob = np.broadcast_to(centre(grid), (IMAGES, 4, grid, grid))
    scale = np.random.default_rng(3).uniform(0.1, 10, (IMAGES, 4, 1, 1))
    rounded = (scale * blob).astype(np.float32)
    for maps in (blob, scale * blob, rounded):
        found = parameter_dependence(maps, [smooth(1, grid)])
        assert found.verdict == "fail"
        assert found.variance_left.value < 1e-11
        assert not found.excess.defined
        assert "the same map for every image" in found.reason
    tenth = parameter_dependence(blob + smooth(0, grid) / 10, [smooth(1, grid)])
    assert tenth.verdict == "fail"
    assert tenth.variance_left.value < 0.02


def test_fixed_templates_of_each_attribute_fail_the_first_part() -> None:
    """Maps that differ between attributes but not between images."""
    fixed = np.broadcast_to(smooth(0, 7, images=1), (IMAGES, 4, 7, 7))
    found = parameter_dependence(fixed, [smooth(1, 7)])
    assert found.verdict == "fail"
    assert (found.variance_by_attribute < 1e-11).all()


@pytest.mark.parametrize("grid", GRIDS)
def test_the_share_of_the_image_in_a_mixture_is_seen(grid: int) -> None:
    image = np.broadcast_to(smooth(9, grid, 1), (IMAGES, 4, grid, grid))

    def mixed(share: float) -> ParameterDependence:
        learned, *others = ((1 - share) * smooth(seed, grid) + share * image for seed in range(3))
        return parameter_dependence(learned, others)

    verdicts = {share: mixed(share) for share in (0.1, 0.5, 0.9)}
    assert verdicts[0.1].verdict == "pass"
    assert verdicts[0.5].verdict == verdicts[0.9].verdict == "fail"
    assert verdicts[0.1].excess.value < verdicts[0.5].excess.value < verdicts[0.9].excess.value


def test_the_worst_draw_counts() -> None:
    image = smooth(0, 7)
    found = parameter_dependence(image, [smooth(1, 7), image, smooth(2, 7)])
    assert found.verdict == "fail"
    assert found.excess == found.excess_by_draw[1]
    assert found.excess_by_draw[0].high < 0.05


def test_few_images_do_not_settle_a_small_excess() -> None:
    image = np.broadcast_to(smooth(9, 5, 1, 20), (20, 4, 5, 5))
    learned, other = (0.68 * smooth(seed, 5, images=20) + 0.32 * image for seed in range(2))
    found = parameter_dependence(learned, [other])
    assert found.verdict == "cannot tell"
    assert found.excess.low < 0.05 < found.excess.high
    assert "20 images do not settle it" in found.reason


def test_images_of_a_person_are_no_independent_evidence() -> None:
    """Ten people whose images are all alike: as if there were ten images."""
    own = smooth(0, 7, images=10).repeat(5, 0)
    other = smooth(1, 7, images=10).repeat(5, 0)
    names = np.repeat([f"p{n}" for n in range(10)], 5).tolist()
    alone, together = parameter_dependence(own, [other]), parameter_dependence(own, [other], names)
    assert together.excess.identities == 10
    assert together.excess.high - together.excess.low > 1.5 * (alone.excess.high - alone.excess.low)


def test_sides_have_their_own_mean_map() -> None:
    sides = np.where(np.arange(IMAGES)[:, None] % 3, 1, -1) * np.ones((1, 4), int)
    drawn = centre(7) * sides[..., None, None] + smooth(0, 7) / 50
    assert parameter_dependence(drawn, [smooth(1, 7)], sides=sides).verdict == "fail"
    assert parameter_dependence(drawn, [smooth(1, 7)]).variance_left.value > 0.05


def test_what_cannot_be_told_is_said() -> None:
    maps, other = smooth(0, 5), smooth(1, 5)
    cases = [
        (parameter_dependence(maps[:, :, :2, :4], [other[:, :, :2, :4]]), "the grid has 8 cells; at least 9"),
        (parameter_dependence(maps[:19], [other[:19]]), "19 images; at least 20"),
        (parameter_dependence(maps, [other], ["ann"] * IMAGES), "all images are of one person"),
        (parameter_dependence(maps, [other], ["a", "b", "c", "d"] * 12), "48 images of 4 people; at least 20 of 5"),
        (parameter_dependence(np.zeros_like(maps), [other]), "of the maps are constant or not finite"),
        (parameter_dependence(maps, [np.zeros_like(other)]), "of the maps are constant, or nothing but the mean map"),
        (parameter_dependence(maps, [other], sides=np.arange(IMAGES * 4).reshape(IMAGES, 4)), "no two maps"),
    ]
    for found, reason in cases:
        assert found.verdict == "cannot tell"
        assert not found.passed
        assert reason in found.reason


def test_an_attribute_with_a_template_alone_is_named_by_its_share() -> None:
    maps = smooth(0, 7)
    maps[:, 2] = centre(7)
    found = parameter_dependence(maps, [smooth(1, 7)])
    assert (found.variance_by_attribute < 0.05).tolist() == [False, False, True, False]
    assert found.undefined == pytest.approx(0.25)
    assert found.verdict == "pass"


def test_wrong_input_is_refused() -> None:
    maps = smooth(0, 4)
    with pytest.raises(InputError, match="at least one draw"):
        parameter_dependence(maps, [])
    with pytest.raises(InputError, match="the learned one's"):
        parameter_dependence(maps, [maps[:3]])
    with pytest.raises(InputError, match="1 name of people for 48 images"):
        parameter_dependence(maps, [maps], ["ann"])
    with pytest.raises(InputError, match="one for each map"):
        parameter_dependence(maps, [maps], sides=np.ones((3, 4), int))
