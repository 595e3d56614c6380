"""Padding inside a network: it has no place in the image, and takes none from what it is added to or mixed with."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bincam.models import resolve
from bincam.models.anatomy import Anatomy
from bincam.models.grids.places import Places, combined
from tests.conftest import randomize


class PaddedWindows(nn.Module):
    """Attention within windows of 2x2 cells on a grid that they do not fill, with channels before tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, stride=8)
        self.query = nn.Conv2d(8, 4, 1)
        self.head = nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        grid = self.patches(images)
        batch, channels, height, width = grid.shape
        padded = functional.pad(grid, (0, width % 2, 0, height % 2))
        rows, columns = padded.shape[2] // 2, padded.shape[3] // 2
        windows = padded.view(batch, channels, rows, 2, columns, 2).permute(0, 2, 4, 1, 3, 5)
        windows = windows.reshape(-1, channels, 2, 2)
        query, values = self.query(windows).flatten(2), windows.flatten(2)
        weights = (query.transpose(1, 2) @ query).softmax(-1)
        mixed = values @ weights.transpose(1, 2)
        mixed = mixed.reshape(batch, rows, columns, channels, 2, 2).permute(0, 3, 1, 4, 2, 5)
        mixed = mixed.reshape(batch, channels, 2 * rows, 2 * columns)[:, :, :height, :width]
        return self.head(mixed.mean((2, 3)))


def anatomy(model: nn.Module, height: int, width: int) -> Anatomy:
    randomize(model)
    return resolve(model.eval(), torch.randn(1, 3, height, width), lambda logits: logits)


@pytest.mark.parametrize("size", [(24, 24), (24, 40), (32, 24)])
def test_cells_of_windows_that_are_partly_padding_keep_their_place(size: tuple[int, int]) -> None:
    resolved = anatomy(PaddedWindows(), *size)
    assert (resolved.kind, resolved.pooling, resolved.layer.layout.grid) == (
        "exact",
        "mean",
        (size[0] // 8, size[1] // 8),
    )


def test_padding_gives_a_class_token_no_place_and_takes_none_from_a_cell() -> None:
    nan = math.nan
    tokens = Places(torch.tensor([[nan, 0.25, 0.75], [nan, 0.5, 0.5]])[:, None, :, None], (1, 3, 8))
    padded = Places(torch.tensor([[-0.25, 0.25, 0.75], [0.5, 0.5, 0.5]])[:, None, :, None], (1, 3, 8))
    shifted = Places(torch.tensor([[0.25, 0.75, 1.25], [0.5, 0.5, 0.5]])[:, None, :, None], (1, 3, 8))
    for parts in ([tokens, padded], [padded, tokens]):
        torch.testing.assert_close(combined(parts, (1, 3, 8)).yx, tokens.yx, equal_nan=True)
    assert combined([padded, padded], (1, 3, 8)).yx.equal(padded.yx)
    for parts in ([padded, shifted], [shifted, padded]):  # two cells at distant places have none; padding has no say
        expected = torch.tensor([[0.25, nan, 0.75], [0.5, 0.5, 0.5]])[:, None, :, None]
        torch.testing.assert_close(combined(parts, (1, 3, 8)).yx, expected, equal_nan=True)
