"""A tiny model with a head that is not affine."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.conftest import ATTRIBUTES, TinyNet, randomize


class Mlp(TinyNet):
    """A nonlinear head: diagnostic, so every gradient method differentiates it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, len(ATTRIBUTES)))


@pytest.fixture
def mlp() -> nn.Module:
    torch.manual_seed(0)
    return randomize(Mlp())
