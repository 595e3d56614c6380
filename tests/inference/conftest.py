"""A classifier with a card that is tiny, and photographs of odd sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bincam.models import AttributeClassifier, make_card
from tests.conftest import ATTRIBUTES, TinyNet, randomize

SIZE = (16, 16)


def card_of(**fields):
    return make_card(
        **{"attributes": ATTRIBUTES, "architecture": "factory", "name": "tests:make", "input_size": SIZE} | fields
    )


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return AttributeClassifier(randomize(TinyNet()), card_of()).eval()


@pytest.fixture
def photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((23, 37), (41, 19), (16, 16))]
