"""Images for the network of six outputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor


@pytest.fixture
def pictures() -> Tensor:
    return torch.randn(5, 3, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
