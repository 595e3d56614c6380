"""A small convolutional network with bincam's own head, for images of scenes; the factory of its card.

Six convolutions of 3 x 3 with BatchNorm and ReLU. At stride 8 a cell sees 55 of the image's 96 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from bincam.models import AttributeClassifier, Card, make_card
from bincam.models.classifier import two_outputs
from bincam.models.network import AttributeNet
from bincam.scenes import SHAPES

WIDTHS = (16, 32, 48, 64, 96, 128)
STRIDES: Mapping[int, tuple[int, ...]] = {8: (2, 2, 1, 2, 1, 1), 16: (2, 2, 1, 2, 2, 1), 32: (2, 2, 2, 2, 2, 1)}
"""Strides of the convolutions, by their product."""
FIELD = 55  # pixels that a cell of stride 8 sees, along either axis
PREVALENCE = 0.4  # of every shape: four of ten on average
FACTORY = "experiments.scenes.network:make"


class Backbone(nn.Module):
    """Convolutions from images ``(B, 3, H, W)`` to features ``(B, C, H/stride, W/stride)``.

    Args:
        widths: Channels after each convolution.
        strides: Of each convolution.
    """

    def __init__(self, widths: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.num_features = widths[-1]
        layers: list[nn.Module] = []
        for (before, after), stride in zip(pairwise((3, *widths)), strides, strict=True):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward_features(self, images: Tensor) -> Tensor:
        """Compute the features, under the name that timm's models have for it."""
        features: Tensor = self.layers(images)
        return features


def make(
    stride: int,
    pooling: str,
    size: int,
    widths: Sequence[int] = WIDTHS,
    options: Mapping[str, float] | None = None,
    two_heads: bool = False,
) -> AttributeNet:
    """Make the network with random weights.

    With noisy-or pooling the head's bias starts where the image's probability is the prevalence: with 0, every image
    would be certain to show everything, 1 - 2⁻¹⁴⁴.

    Args:
        stride: A key of ``STRIDES``.
        pooling: As of ``bincam.models.build``.
        size: Width and height of the images.
        widths: Channels after each convolution.
        options: Of the pooling.
        two_heads: With a second head for label sets.
    """
    backbone = Backbone(widths, STRIDES[stride])
    network = AttributeNet(
        backbone,
        len(SHAPES),
        pooling=pooling,
        input_size=(size, size),
        channels=3,
        pooling_options=options,
        set_outputs=len(SHAPES) if two_heads else 0,
    )
    if pooling == "noisy_or":
        cells = (size // stride) ** 2
        one = 1 - (1 - PREVALENCE) ** (1 / cells)
        nn.init.constant_(network.head.bias, math.log(one / (1 - one)))
    return network


def card(
    rule: str,
    stride: int,
    pooling: str,
    size: int,
    widths: Sequence[int] = WIDTHS,
    options: Mapping[str, float] | None = None,
    *,
    two_heads: bool = False,
) -> Card:
    """Describe the network: ten attributes with the rule ``all``, otherwise ten outputs of which one is true."""
    built: dict[str, Any] = {"stride": stride, "pooling": pooling, "size": size, "widths": list(widths)}
    built["options"] = options
    if two_heads:  # left out otherwise, so that cards are those of before there were any
        built["two_heads"] = True
    return make_card(
        attributes=tuple(SHAPES),
        architecture="factory",
        name=FACTORY,
        options=built,
        **(two_outputs() if two_heads else {}),
        one_of={} if rule == "all" else {"shape": tuple(SHAPES)},
        input_size=(size, size),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )


def initial(stated: Card, seed: int) -> AttributeClassifier:
    """Make a classifier with random weights of a seed; torch's random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AttributeClassifier(make(**stated.options), stated)
