from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bincam.errors import InputError
from bincam.resample import matrix, project, upsample

PAIRS = [
    ((7, 7), (224, 224)),
    ((7, 7), (225, 223)),
    ((5, 9), (97, 31)),
    ((1, 3), (8, 8)),
    ((14, 14), (7, 5)),
    ((3, 3), (3, 3)),
]


@pytest.mark.parametrize(("grid", "size"), PAIRS)
def test_u_is_torchs_interpolation(grid, size):
    maps = torch.randn(2, 3, *grid, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(maps, size), expected, rtol=0, atol=1e-12)
    by_matrix = matrix(grid[0], size[0]) @ maps.numpy() @ matrix(grid[1], size[1]).T
    np.testing.assert_allclose(by_matrix, expected.numpy(), atol=1e-12)
    assert upsample(maps[0, 0], size).shape == size


@pytest.mark.parametrize(("grid", "size"), PAIRS)
def test_projecting_a_mask_is_the_adjoint(grid, size):
    rng = np.random.default_rng(1)
    maps = torch.from_numpy(rng.normal(size=(4, *grid)))
    masks = rng.random((4, *size)) < 0.3
    over_pixels = (upsample(maps, size).numpy() * masks).sum(axis=(1, 2))
    over_cells = (maps.numpy() * project(masks, grid)).sum(axis=(1, 2))
    np.testing.assert_allclose(over_cells, over_pixels, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(project(masks, grid).sum(axis=(1, 2)), masks.sum(axis=(1, 2)))


@pytest.mark.parametrize("ratio", [1, 2, 5, 32])
def test_integer_ratios_preserve_the_mean(ratio):
    maps = torch.randn(5, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    up = upsample(maps, (7 * ratio, 6 * ratio))
    torch.testing.assert_close(up.mean(dim=(-1, -2)), maps.mean(dim=(-1, -2)))


def test_other_ratios_do_not_which_is_why_projection_is_used():
    assert not np.allclose(matrix(7, 100).sum(axis=0), 100 / 7)


def test_refusals():
    with pytest.raises(InputError, match="at least one cell"):
        matrix(0, 5)
    with pytest.raises(InputError, match=r"\(\.\.\., H, W\)"):
        project(np.ones(3), (2, 2))
    with pytest.raises(ValueError, match="read-only"):
        matrix(2, 4)[0, 0] = 1
