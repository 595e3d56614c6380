"""Pixel average precision is that of scikit-learn on binned scores, with ignored pixels left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from bincam.errors import InputError
from bincam.metrics import clean_histograms, level_histograms, pixel_histograms, pxap, pxap_estimate
from bincam.metrics.localization.boxes.protocols.clovaai import THRESHOLDS
from bincam.stats import Clusters


def images(n, seed=0, size=(20, 30)):
    rng = np.random.default_rng(seed)
    masks = rng.random((n, *size)) < 0.3
    scores = np.clip(rng.random((n, *size)) * 0.7 + 0.3 * masks, 0, 1)
    scores[:, 0, 0], scores[:, 0, 1] = 0, 1
    return scores, masks, rng.random((n, *size)) < 0.2


def test_it_is_average_precision_over_the_pixels_of_all_images():
    scores, masks, ignored = images(5)
    total = sum(pixel_histograms(*one) for one in zip(scores, masks, ignored, strict=True))
    binned = np.searchsorted(np.append(THRESHOLDS, 1.0), scores, side="right")
    kept = masks | ~ignored  # a mask's own pixels are never ignored
    assert pxap(total) == pytest.approx(average_precision_score(masks[kept], binned[kept]), rel=1e-12)
    assert total.sum() == kept.sum()


def test_by_hand():
    mask = [[True, True, False, False]]
    assert pxap(pixel_histograms([[0.9, 0.8, 0.2, 0.1]], mask)) == 1
    assert pxap(pixel_histograms([[0.5] * 4], mask)) == 0.5  # a constant map scores the share of the mask
    assert pxap(pixel_histograms([[0.1, 0.2, 0.8, 0.9]], mask)) == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert pxap(pixel_histograms([[0.1, 0.2, 0.8, 0.9]], mask, [[False, False, True, True]])) == 1


def test_masks_that_are_nothing_or_everything():
    scores = np.full((3, 3), 0.4)
    assert np.isnan(pxap(pixel_histograms(scores, np.zeros((3, 3)))))
    assert pxap(pixel_histograms(scores, np.ones((3, 3)))) == 1
    nothing = pxap_estimate(np.zeros((2, 2, 4), int), Clusters.of(["", ""]))
    assert nothing.status == "undefined"
    assert nothing.images == 0


def test_the_interval_is_the_jackknifes_over_people():
    scores, masks, _ = images(24, seed=3)
    counts = np.stack([pixel_histograms(s, m) for s, m in zip(scores, masks, strict=True)])
    counts = np.concatenate([counts, np.zeros_like(counts[:1])])  # an image without a mask
    people = np.r_[np.repeat(np.arange(12), 2), 99]
    got = pxap_estimate(counts, Clusters(np.unique(people, return_inverse=True)[1], known=True))
    assert got.value == pxap(counts.sum(0))
    assert (got.images, got.identities) == (24, 12)
    without = np.array([pxap(counts[people != k].sum(0)) for k in range(12)])
    error = np.sqrt(11 / 12 * ((without - without.mean()) ** 2).sum())
    assert got.high - got.low == pytest.approx(2 * 2.200985 * error, rel=1e-5)  # Student's t with 11 degrees of freedom
    single = pxap_estimate(counts[:1], Clusters.of([""]))
    assert single.status == "small"
    assert np.isnan([single.low, single.high]).all()


def test_an_image_repeated_by_one_person_is_no_evidence():
    scores, masks, _ = images(10, seed=4)
    counts = np.stack([pixel_histograms(s, m) for s, m in zip(scores, masks, strict=True)])
    once = pxap_estimate(counts, Clusters(np.arange(10), known=True))
    often = pxap_estimate(counts.repeat(7, axis=0), Clusters(np.arange(10).repeat(7), known=True))
    assert often.low == pytest.approx(once.low)
    assert often.high == pytest.approx(once.high)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="one shape"):
        pixel_histograms(np.zeros((2, 2)), np.zeros((2, 3)))
    for scores in ([[1.1]], [[-0.1]], [[np.nan]]):
        with pytest.raises(InputError, match=r"in \[0, 1\]"):
            pixel_histograms(scores, [[True]])
    with pytest.raises(InputError, match=r"\(N, 2, T\)"):
        pxap_estimate(np.zeros((2, 2, 4), int), Clusters.of([""]))


def test_histograms_by_level_count_what_is_above_each_level():
    random = np.random.default_rng(3)
    for levels in (np.arange(100) / 100, np.array([0.0, 0.013, 0.5, 0.51, 0.97]), np.array([0.2])):
        values = random.normal(size=(17, 23)).astype(np.float32)
        values[3, 4:9] = np.float32(0.2) * values.max()  # on a cut: not above it
        mask = random.random((17, 23)) < 0.3
        counts = level_histograms(values, mask, levels)
        cuts = levels * float(values.max())
        for row, inside in zip(counts, (mask, ~mask), strict=True):
            above = [(values[inside].astype(np.float64) > cut).sum() for cut in cuts]
            assert row[::-1].cumsum()[::-1].tolist() == [inside.sum(), *above]


def test_maps_that_mark_nothing_are_above_no_level():
    mask = np.zeros((8, 8), bool)
    mask[:2] = True
    for cells in (torch.full((1, 1, 2, 2), -1.0), torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), float("nan"))):
        counts = clean_histograms(cells, [[mask]], (8, 8), levels=[0.0, 0.5])[0, 0]
        assert counts.tolist() == [[16, 0, 0], [48, 0, 0]]
        assert pxap(counts) == 0.25  # the share of the mask
    assert not clean_histograms(torch.ones(1, 1, 2, 2), [[None]], (8, 8)).any()
    with pytest.raises(InputError, match="one shape"):
        level_histograms(np.zeros((2, 3)), np.zeros((3, 2), bool), [0.0])


def test_ignored_pixels_count_neither_way_unless_the_mask_has_them():
    values = np.array([[0.0, 2, 4, 8]], np.float32)
    mask, ignore = np.array([[0, 0, 1, 0]], bool), np.array([[0, 0, 1, 1]], bool)
    counts = level_histograms(values, mask, [0.0, 0.5], ignore)
    assert counts.tolist() == [[0, 1, 0], [1, 1, 0]]  # the levels are still shares of 8, the largest value of all
    maps = torch.tensor([[[[0.0, 2, 4, 8]]]])
    assert clean_histograms(maps, [[mask]], (1, 4), [0.0, 0.5], [ignore])[0, 0].tolist() == counts.tolist()
    random = np.random.default_rng(5)
    scores, mask, ignore = random.random((9, 7)), random.random((9, 7)) < 0.3, random.random((9, 7)) < 0.3
    scores[0, 0] = 1
    cuts = np.arange(10) / 10
    expected = pixel_histograms(scores, mask, ignore, cuts).sum(1)
    assert level_histograms(scores, mask, cuts, ignore).sum(1).tolist() == expected.tolist()
    with pytest.raises(InputError, match="mask and ignored pixels have one shape"):
        level_histograms(scores, mask, cuts, ignore[:1])
