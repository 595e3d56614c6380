"""Pictures with a red object and a green companion, and models of which it is known what they look at.

An object, a red square in the top left quarter, is there where the label is positive. So is the companion, a green
square in the bottom right. The honest model reads red, its twin green: both are always right, and look at different
places.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bincam.data import AttributeTable, Regions, write_celeba
from bincam.models import AttributeClassifier, make_card

SIDE = 32
NAMES = ("Object", "Other")


def write_pictures(root: Path, count: int = 48, *, seed: int = 0, companion: bool = True) -> AttributeTable:
    """A folder in CelebA's layout: every third picture for validation, the others for the test."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (count, len(NAMES))).astype(np.float32)
    pictures = rng.integers(0, 40, (count, SIDE, SIDE, 3)).astype(np.uint8)
    for row in np.flatnonzero(labels[:, 0]):
        pictures[row, 4:12, 4:12, 0] = 250
        if companion:
            pictures[row, 20:28, 20:28, 1] = 250
    table = AttributeTable(
        names=NAMES,
        labels=labels,
        ids=tuple(f"{row:04d}.png" for row in range(count)),
        root=root,
        splits=np.where(np.arange(count) % 3 == 0, "validation", "test"),
        identities=np.array([str(1 + row // 2) for row in range(count)]),
    )
    return write_celeba(table, pictures, root)


def regions() -> Regions:
    """The object's quarter; the other attribute has none."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[: SIDE // 2, : SIDE // 2] = True
    return Regions.drawn({"Object": mask}, source="the top left quarter")


class Eye(nn.Module):
    """Brightness of each colour on an 8 x 8 grid, mean pooling, one linear layer."""

    def __init__(self, weight: Sequence[Sequence[float]], bias: Sequence[float]) -> None:
        super().__init__()
        self.grid = nn.AvgPool2d(SIDE // 8)
        self.features = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
        self.head = nn.Linear(3, len(bias))
        with torch.no_grad():
            self.features[0].weight.copy_(torch.eye(3)[:, :, None, None])
            self.features[0].bias.fill_(-0.2)  # the noise is below
            self.head.weight.copy_(torch.tensor(weight))
            self.head.bias.copy_(torch.tensor(bias))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(self.grid(images)).mean((2, 3)))


class Centre(nn.Module):
    """Puts the frame's centre in place of whatever was seen: the further from it, the less."""

    def __init__(self) -> None:
        super().__init__()
        away = (torch.arange(8.0) - 3.4).square()
        self.register_buffer("window", 50 - away[:, None] - away)

    def forward(self, features: Tensor) -> Tensor:
        return features * 0 + self.window


def reader(colour: int | None, *, bias: float = -1.0, names: Sequence[str] = NAMES) -> AttributeClassifier:
    """A model that reads one colour (0 red, 1 green), or, with None, looks at nothing."""
    weight = [[0.0, 0.0, 0.0] for _ in names]
    if colour is not None:
        weight[0][colour] = 40.0
    network = Eye(weight, [bias, *[1.5] * (len(names) - 1)])
    return AttributeClassifier(network, eye_card(names)).eval()


def eye_card(names: Sequence[str] = NAMES):
    return make_card(
        attributes=tuple(names),
        architecture="factory",
        name="tests.audit.planted:build",
        input_size=(SIDE, SIDE),
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        train_counts=dict.fromkeys(names, (900, 100)),
    )
