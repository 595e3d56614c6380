import numpy as np
import pytest

from bincam.faces.counterfactuals.regions import from_influence, load, save


def test_a_region_is_the_smallest_that_contains_the_fraction():
    share = np.random.default_rng(0).random((9, 8)) ** 4
    even = (share + share[:, ::-1]) / 2
    region = from_influence(share, 0.6)
    assert even[region].sum() >= 0.6 * even.sum()
    assert even[region].min() > even[~region].max()
    without_the_weakest = region & (even > even[region].min())
    assert even[without_the_weakest].sum() < 0.6 * even.sum()


def test_it_is_symmetric_and_empty_for_nothing():
    share = np.zeros((6, 8))
    assert not from_influence(share).any()
    share[2, 1] = 1.0
    region = from_influence(share)
    assert np.array_equal(np.argwhere(region), [[2, 1], [2, 6]])


@pytest.mark.parametrize("shape", [(7, 5), (218, 178)])
def test_kept_regions_come_back(tmp_path, shape):
    rng = np.random.default_rng(1)
    masks = {"Bald": rng.random(shape) < 0.5, "Smiling": rng.random(shape) < 0.1}
    save(masks, tmp_path / "regions.npz")
    back = load(tmp_path / "regions.npz")
    assert list(back) == list(masks)
    assert all(np.array_equal(back[name], masks[name]) for name in masks)
