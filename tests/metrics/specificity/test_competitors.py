"""Competing attributes, and the evidence in a region that is an attribute's rather than theirs."""

from __future__ import annotations

import numpy as np
import pytest

from bincam.metrics.specificity.competitors import (
    competing,
    label_correlations,
    region_excess,
    region_overlaps,
    region_shares,
)


def test_overlaps_of_masks_are_intersection_over_union() -> None:
    random = np.random.default_rng(0)
    masks = random.random((4, 9, 7)) < 0.4
    masks[3] = False
    found = region_overlaps(masks.astype(float))
    for a in range(3):
        for b in range(3):
            assert found[a, b] == pytest.approx((masks[a] & masks[b]).sum() / (masks[a] | masks[b]).sum())
    assert np.isnan(found[3, 3])
    missing = masks.astype(float)
    missing[1] = np.nan
    assert np.isnan(region_overlaps(missing)).tolist()[1] == [True] * 4


def test_phi_is_pearsons_over_images_with_both_labels() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, (50, 3)).astype(float)
    labels[:10, 1] = np.nan
    labels[:, 2] = 1
    found = label_correlations(labels)
    assert found[0, 1] == pytest.approx(np.corrcoef(labels[10:, :2].T)[0, 1])
    assert np.isnan(found[2]).all()


def test_unknown_attributes_do_not_compete() -> None:
    overlaps, phi = np.zeros((3, 3)), np.zeros((3, 3))
    overlaps[0, 1], phi[1, 2], overlaps[2, 0], phi[2, 1] = 0.1, -0.2, np.nan, np.nan
    assert competing(overlaps, phi).tolist() == [[False, False, True], [True, False, False], [False, False, False]]


def test_shares_by_brute_force() -> None:
    random = np.random.default_rng(2)
    maps, regions, total = random.normal(size=(6, 3, 4, 4)), random.random((3, 4, 4)), np.full((4, 4), 1.0)
    maps[1, 2], maps[2, 0, 0, 0], regions[1] = -1, np.nan, np.nan
    found = region_shares(maps, regions, total)
    for n in range(6):
        for a in range(3):
            positive = np.clip(maps[n, a], 0, None)
            for b in range(3):
                defined = (n, a) not in {(1, 2), (2, 0)} and b != 1
                expected = (positive * regions[b]).sum() / positive.sum() if defined else np.nan
                np.testing.assert_allclose(found[n, a, b], expected)
    own = np.broadcast_to(regions, (6, 3, 4, 4))
    np.testing.assert_array_equal(region_shares(maps, own, total), found)


def test_excess_is_of_images_with_the_attribute_and_three_competitors() -> None:
    shares = np.random.default_rng(3).random((5, 5, 5))
    shares[2, 3, 0] = np.nan
    labels = np.ones((5, 5))
    labels[0, 0], labels[1, 0] = 0, np.nan
    competitors = np.zeros((5, 5), bool)
    competitors[0, 1:4], competitors[1, :1] = True, True
    found = region_excess(shares, labels, competitors)
    assert np.isfinite(found).tolist() == [[False] * 5] * 3 + [[True] + [False] * 4] * 2
    assert found[4, 0] == pytest.approx(shares[4, 0, 0] - shares[4, 1:4, 0].mean())


def test_overlaps_of_single_images_are_averaged_over_those_with_both() -> None:
    regions = np.random.default_rng(4).random((3, 2, 4, 4))
    regions[2, 1] = np.nan
    found = region_overlaps(regions)
    assert found[0, 1] == pytest.approx(np.mean([region_overlaps(regions[n])[0, 1] for n in (0, 1)]))
    assert found[1, 0] == found[0, 1]
