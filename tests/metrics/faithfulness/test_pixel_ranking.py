"""Exact counts, and ties in an order that favours no position."""

from __future__ import annotations

import pytest
import torch

from bincam.errors import InputError
from bincam.metrics.faithfulness.pixel_ranking import ranks, strongest, weakest


def test_every_pixel_has_one_rank_and_the_strongest_is_first() -> None:
    maps = torch.randn(3, 2, 4, 6, generator=torch.Generator().manual_seed(0))
    got = ranks(maps, (4, 6))
    assert torch.equal(got.flatten(2).sort(-1).values, torch.arange(24).expand(3, 2, 24))
    assert torch.equal(got.flatten(2).argsort(-1), maps.flatten(2).argsort(-1, descending=True))


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.99, 1.0])
def test_fractions_are_exact_also_for_sparse_maps(fraction: float) -> None:
    maps = torch.zeros(3, 5, 5)
    maps[0, 2, 2] = 1  # sparse: every percentile but the last few is 0
    maps[1] = torch.rand(5, 5)
    ranked = ranks(maps, (20, 30))
    for mask in (strongest(ranked, fraction), weakest(ranked, fraction)):
        assert mask.sum((-2, -1)).tolist() == [round(fraction * 600)] * 3


def test_strongest_and_weakest_part_the_image() -> None:
    ranked = ranks(torch.randn(2, 3, 3), (9, 9))
    assert torch.equal(strongest(ranked, 1 / 3), ~weakest(ranked, 2 / 3))


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7, 1e-30, 0.1])
def test_a_constant_map_has_no_scan_lines(value: float) -> None:
    """Interpolation's rounding must not order it either, and all constants are removed alike."""
    ranked = ranks(torch.full((1, 7, 7), value), (224, 224), seed=3)[0]
    assert torch.equal(ranked, ranks(torch.zeros(7, 7), (224, 224), seed=3))
    half = strongest(ranked, 0.5).double()
    for block in (half[:112], half[112:], half[:, :112], half[:, 112:], half[::2], half[:, ::2]):
        assert block.mean().item() == pytest.approx(0.5, abs=0.02)


def test_a_plateau_has_no_order_but_the_drawn_one() -> None:
    """0.9 (1 - w) + 0.9 w is not 0.9 at every pixel, for rounding."""
    maps = torch.full((7, 7), 0.9, dtype=torch.float64)
    maps[0, 0] = 1
    plateau = ranks(maps, (100, 90))[40:, 40:].flatten()
    drawn = ranks(torch.zeros(7, 7), (100, 90))[40:, 40:].flatten()
    assert torch.equal(plateau.argsort(), drawn.argsort())


def test_ties_follow_the_seed_and_nothing_else() -> None:
    maps = torch.tensor([[0.0, 0.0], [0.0, 5.0]]).repeat(4, 1, 1)
    state = torch.random.get_rng_state()
    got = ranks(maps, (16, 16), seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(got[0], got[3])  # not the place in the batch
    assert torch.equal(ranks(maps[:1], (16, 16), seed=1)[0], got[0])
    assert not torch.equal(ranks(maps, (16, 16), seed=2), got)


def test_edges() -> None:
    assert ranks(torch.ones(1, 1), (1, 1)).tolist() == [[0]]
    with pytest.raises(InputError, match="fraction"):
        strongest(torch.zeros(2, 2), 1.1)
    with pytest.raises(InputError, match="maps have shape"):
        ranks(torch.zeros(3), (2, 2))
