"""A method that draws what it is told, and the photographs that it explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer, Explanation
from tests.conftest import ATTRIBUTES


class Drawing(Explainer):
    """A method whose maps are what it is told to draw."""

    def __init__(self, model: nn.Module, draw: Callable[[Tensor, nn.Module], Tensor]) -> None:
        super().__init__(model, ATTRIBUTES)
        self.draw = draw

    def __call__(self, images: Tensor, side: Any = "predicted", labels: Tensor | None = None) -> Explanation:
        explanation = super().__call__(images, side, labels)
        return replace(explanation, maps=self.draw(explanation.maps, self.model))


@pytest.fixture
def photos() -> Tensor:
    return torch.randn(40, 3, 12, 14, generator=torch.Generator().manual_seed(5))
