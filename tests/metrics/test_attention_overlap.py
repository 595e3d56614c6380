"""Attention overlap by hand, and label correlation against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import matthews_corrcoef

from bincam.errors import InputError
from bincam.metrics.attention_overlap import AttentionOverlap

NAMES = ("a", "b", "c")


def test_by_hand() -> None:
    maps = torch.zeros(2, 3, 1, 2)
    maps[0] = torch.tensor([[[3.0, 4.0]], [[1.0, 0.0]], [[-1.0, 2.0]]])  # c is rectified to (0, 2)
    maps[1] = torch.tensor([[[0.0, 1.0]], [[5.0, 0.0]], [[-1.0, -1.0]]])  # c is empty
    overlap = AttentionOverlap(NAMES)
    overlap.add(maps, torch.ones(2, 3))
    got = overlap.result()
    expected = torch.tensor([[1, 0.3, 0.8], [0.3, 1, 0], [0.8, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(got.overlap, expected)
    assert got.images.tolist() == [[2, 2, 1], [2, 2, 1], [1, 1, 1]]
    # Between images: a of one (.6, .8) or (0, 1) with b of the other, (1, 0) both times.
    assert got.expected[0, 1].item() == pytest.approx(0.3)
    assert got.expected[0, 2].item() == pytest.approx(1)  # a of the second image with c of the first
    assert got.expected[0, 0].item() == pytest.approx(0.8)
    assert torch.isnan(got.expected[2, 2])  # one image alone
    assert torch.isnan(got.phi).all()  # all labels are positive
    assert np.isnan(got.agreement)


def test_expected_is_the_mean_over_different_images() -> None:
    maps = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    overlap = AttentionOverlap(NAMES)
    overlap.add(maps, torch.ones(6, 3))
    unit = torch.nn.functional.normalize(maps.relu().double().flatten(2), dim=-1)
    cosines = torch.einsum("iak,jck->acij", unit, unit)
    apart = cosines[..., ~torch.eye(6, dtype=torch.bool)].mean(-1)
    torch.testing.assert_close(overlap.result().expected, apart)


def test_scale_does_not_matter_and_disjoint_maps_do_not_overlap() -> None:
    maps = torch.zeros(1, 3, 2, 2)
    maps[0, 0, 0, 0], maps[0, 1, 0, 0], maps[0, 2, 1, 1] = 1e-12, 1e12, 1
    overlap = AttentionOverlap(NAMES)
    overlap.add(maps, torch.zeros(1, 3))
    assert overlap.result().overlap.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_phi_is_matthews_among_images_with_both_labels() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 3)) < [0.2, 0.5, 0.7]).astype(np.float32)
    labels[:, 1] = np.where(rng.random(200) < 0.6, labels[:, 0], labels[:, 1])
    labels[rng.random((200, 3)) < 0.1] = np.nan
    maps = torch.rand(200, 3, 2, 2)
    overlap = AttentionOverlap(NAMES)
    signed = torch.from_numpy(labels)
    signed = torch.where(signed == 0, torch.where(torch.arange(200)[:, None] < 100, -1.0, 0.0), signed)
    for begin in range(0, 200, 37):
        overlap.add(maps[begin : begin + 37], signed[begin : begin + 37])
    got = overlap.result()
    for a in range(3):
        for b in range(3):
            known = ~np.isnan(labels[:, a]) & ~np.isnan(labels[:, b])
            assert got.labelled[a, b] == known.sum()
            assert got.phi[a, b].item() == pytest.approx(matthews_corrcoef(labels[known, a], labels[known, b]))
    above = np.triu_indices(3, 1)
    rank = spearmanr(got.overlap.numpy()[above], np.abs(got.phi.numpy()[above])).statistic
    assert got.agreement == pytest.approx(rank)


def test_batches_do_not_matter() -> None:
    maps, labels = torch.randn(10, 3, 4, 4), torch.randint(0, 2, (10, 3)).float()
    whole, parts = AttentionOverlap(NAMES), AttentionOverlap(NAMES)
    whole.add(maps, labels)
    for index in range(10):
        parts.add(maps[index : index + 1], labels[index : index + 1])
    torch.testing.assert_close(parts.result().overlap, whole.result().overlap)
    torch.testing.assert_close(parts.result().expected, whole.result().expected)
    assert torch.equal(parts.result().images, whole.result().images)


def test_maps_without_evidence_are_left_out() -> None:
    maps = torch.ones(3, 2, 2, 2)
    maps[0, 0] = torch.nan
    maps[1, 0] = 0
    overlap = AttentionOverlap(("a", "b"))
    overlap.add(maps, torch.ones(3, 2))
    assert overlap.result().images.tolist() == [[1, 1], [1, 3]]
    torch.testing.assert_close(overlap.result().overlap, torch.ones(2, 2, dtype=torch.float64))


def test_nothing_counted_is_nan() -> None:
    got = AttentionOverlap(NAMES).result()
    assert torch.isnan(got.overlap).all()
    assert torch.isnan(got.expected).all()
    assert torch.isnan(got.phi).all()
    assert not got.images.any()


def test_wrong_input_is_refused() -> None:
    overlap = AttentionOverlap(("a", "b"))
    overlap.add(torch.ones(1, 2, 2, 2), torch.ones(1, 2))
    with pytest.raises(InputError, match="do not belong to 2 attributes"):
        overlap.add(torch.ones(1, 3, 2, 2), torch.ones(1, 3))
    with pytest.raises(InputError, match="after maps of 4"):
        overlap.add(torch.ones(1, 2, 3, 3), torch.ones(1, 2))
    with pytest.raises(InputError, match=r"label 2 of image 0, b"):
        overlap.add(torch.ones(1, 2, 2, 2), torch.tensor([[1.0, 2.0]]))
    with pytest.raises(InputError, match="at least one"):
        AttentionOverlap(())
