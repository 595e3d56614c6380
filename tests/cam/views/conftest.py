"""A classifier whose evidence is where the image is red, and photographs of odd sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from bincam.models import AttributeClassifier, make_card

Make = Callable[..., AttributeClassifier]


class Red(nn.Module):
    """Cells of 4 × 4 pixels with the mean of the image's channels, pooled; the head weighs the red one."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.body = nn.AvgPool2d(4)
        self.mix = nn.Conv2d(3, 3, 1, bias=False)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(3, outputs)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(3)[..., None, None])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.relu(self.mix(self.body(images)))).flatten(1))


@pytest.fixture
def make() -> Make:
    def build(
        names: Sequence[str] = ("red", "pale"), one_of: Mapping[str, Sequence[str]] | None = None, **fields: Any
    ) -> AttributeClassifier:
        torch.manual_seed(1)
        card = make_card(
            **{
                "attributes": tuple(names),
                "architecture": "factory",
                "name": "tests:red",
                "input_size": (16, 16),
                "mean": (0.0, 0.0, 0.0),
                "std": (1.0, 1.0, 1.0),
                "one_of": one_of or {},
            }
            | fields
        )
        return AttributeClassifier(Red(len(names)), card).double().eval()

    return build


@pytest.fixture
def photos() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((23, 37), (41, 19), (16, 16))]
