"""A network of six outputs: a set of three, a set of two, and a yes-or-no attribute between them."""

from __future__ import annotations

import torch
from torch import nn

NAMES = ("White", "Black", "Asian", "Male", "young", "old")
SETS = {"race": ["White", "Black", "Asian"], "age": ["old", "young"]}
RACE = [0, 1, 2]


def network(*head: nn.Module, outputs: int = 6, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = head or (nn.Linear(8, outputs),)
    body = (nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*body, *layers).double().eval()
