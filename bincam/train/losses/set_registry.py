"""Losses of sets of outputs by name, and those that belong to losses of attributes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike

from bincam.train.configuration.options import choose
from bincam.train.losses.set_losses import SetCrossEntropy, SetEffectiveNumber, SetInverseFrequency, SetLogitAdjusted
from bincam.train.losses.two_head import SetTwoHead

SET_LOSSES: Mapping[str, type[SetCrossEntropy]] = MappingProxyType(
    {
        "cross_entropy": SetCrossEntropy,
        "inverse_frequency": SetInverseFrequency,
        "class_balanced": SetEffectiveNumber,
        "logit_adjusted": SetLogitAdjusted,
        "two_head": SetTwoHead,
    }
)
"""Every loss of sets by name; ``docs/losses.md`` compares them.

>>> sorted(SET_LOSSES)
['class_balanced', 'cross_entropy', 'inverse_frequency', 'logit_adjusted', 'two_head']
"""

OF_ATTRIBUTE_LOSS: Mapping[str, str] = MappingProxyType(
    {
        "bce": "cross_entropy",
        "weighted_bce": "inverse_frequency",
        "moon_bce": "inverse_frequency",
        "class_balanced": "class_balanced",
        "logit_adjusted": "logit_adjusted",
        "two_head": "two_head",
    }
)
"""The loss that sets have beside a loss of attributes, where the configuration states none."""

OF_SETS_ALONE = ("two_head",)
"""Names of losses that a configuration's ``loss`` may have where all outputs are in sets, and attributes do not."""


def make_set_loss(name: str, images: ArrayLike, **options: Any) -> SetCrossEntropy:
    """Create a loss of a set by name.

    Args:
        name: One of ``SET_LOSSES``.
        images: ``(K,)``: training images of each output.
        **options: Keyword arguments of the loss.

    Raises:
        InputError: The name or an option is unknown (the nearest is suggested), an option is not a finite number or out
            of bounds, or an output has no training image.

    Example:
        >>> import torch
        >>> loss = make_set_loss("logit_adjusted", [80, 20], tau=0.5)
        >>> loss(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))  # -log(√.2 / (√.2 + √.8))
        tensor(1.0986)
    """
    return choose("set loss", name, SET_LOSSES, options)(images, **options)
