"""Pairs whose truth is known: noise of 8 x 8 pixels, in which a square of 2 x 2 turns red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bincam.models import AttributeClassifier, make_card

SIDE, COUNT = 8, 24
NAMES = ("Red", "Blue")


class Planted(nn.Module):
    """Reads the mean of the red channel and of the blue one, with a cell for every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0, 0] = self.conv.weight[1, 2] = 1.0
            self.conv.bias.fill_(5.0)  # above zero, so that nothing is cut off
            self.head.weight.copy_(20 * torch.eye(2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(images).relu().mean((-2, -1)))


def planted() -> AttributeClassifier:
    card = make_card(
        attributes=NAMES, architecture="factory", name="planted:make", input_size=(SIDE, SIDE), mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )  # fmt: skip
    return AttributeClassifier(Planted(), card).eval()


@pytest.fixture
def model() -> AttributeClassifier:
    return planted()


def write(folder: Path, attribute: str = "Red", *, masks: bool = True, count: int = COUNT) -> Path:
    """Write pairs, each of another person; the edit makes a square red, or less red where it is already."""
    random = np.random.default_rng(0)
    rows = ["attribute,image,flipped,influence,identity,label,flipped_label"]
    for number in range(count):
        pixels = random.integers(60, 120, (SIDE, SIDE, 3), np.uint8)
        top, left = random.integers(0, SIDE - 1, 2)
        edited, mask = pixels.copy(), np.zeros((SIDE, SIDE), np.uint8)
        added = number % 3 > 0
        edited[top : top + 2, left : left + 2, 0] = 130 + 4 * number if added else 0
        mask[top : top + 2, left : left + 2] = 255
        for name, image in (("a", pixels), ("b", edited), ("m", mask)):
            Image.fromarray(image).save(folder / f"{name}{number}.png")
        influence = f"m{number}.png" if masks else ""
        rows.append(f"{attribute},a{number}.png,b{number}.png,{influence},p{number},{1 - added:d},{added:d}")
    file = folder / "pairs.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[..., Path]:
    def make(attribute: str = "Red", *, masks: bool = True, count: int = COUNT, folder: str = "pairs") -> Path:
        (tmp_path / folder).mkdir()
        return write(tmp_path / folder, attribute, masks=masks, count=count)

    return make
