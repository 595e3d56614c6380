"""A batch of three attributes, and how often each is true."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bincam.stats.class_counts import ClassCounts

NAMES = ("Bald", "Young", "Male")
COUNTS = ClassCounts(NAMES, np.array([90, 20, 50]), np.array([10, 80, 50]))


def batch(rows: int = 7, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Logits and targets; about one target in six is unknown."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(rows, len(NAMES), generator=generator, dtype=torch.float64)
    draw = torch.rand(rows, len(NAMES), generator=generator)
    targets = torch.where(draw < 1 / 6, torch.nan, (draw > 0.6).float())
    targets[0], targets[1] = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.0])
    return logits.to(dtype), targets
