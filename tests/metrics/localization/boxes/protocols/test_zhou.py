"""The protocol zhou is the text's: a fifth of the maximum of the map as it is."""

from __future__ import annotations

import numpy as np
import torch

from bincam.metrics import zhou_boxes, zhou_overlaps
from bincam.metrics.localization.boxes.overlaps import MEASURED, NO_BOX, NO_TRUTH
from bincam.resample import upsample
from tests.metrics.localization.boxes.protocols.test_components import labelled


def test_boxes_are_those_of_the_signed_map():
    maps = torch.randn(6, 2, 5, 7, generator=torch.Generator().manual_seed(0))
    got = zhou_boxes(maps, (40, 56))
    for b, a in np.ndindex(6, 2):
        assert got[b, a].tolist() == labelled(upsample(maps[b, a], (40, 56)).numpy(), 0.2)[1]


def test_opposition_cuts_a_box_that_a_rectifier_would_not():
    maps = torch.tensor([[[[0.0, 0.0], [0.0, 9.0]], [[-9.0, -9.0], [-9.0, 9.0]]]])
    small, smaller = zhou_boxes(maps, (16, 16))[0]
    assert (small[2:] - small[:2]).prod() > (smaller[2:] - smaller[:2]).prod()


def test_status():
    maps = torch.ones(4, 1, 3, 3)
    maps[1] = -1
    maps[2, 0, 1, 1] = 5
    maps[3, 0, 0, 0] = torch.nan
    got = zhou_overlaps(maps, [[[[0, 0, 3, 3]]]] * 4, (9, 9))
    assert got.status[:, 0].tolist() == [NO_BOX, NO_BOX, MEASURED, NO_BOX]
    assert np.isnan(got.one[[0, 1, 3]]).all()
    assert zhou_overlaps(maps, [[[]]] * 4, (9, 9)).status[:, 0].tolist() == [NO_TRUTH] * 4


def test_the_best_of_several_true_boxes_and_the_union():
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 1, 1] = 1
    got = zhou_overlaps(maps, [[[[1, 1, 2, 2], [5, 5, 6, 6]]]], (8, 8))
    assert got.several.item() == 1
    assert got.one.item() == 1 / 25
