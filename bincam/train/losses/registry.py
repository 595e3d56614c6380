"""Losses by name, and the simplest of them: cross-entropy and squares on -1 and +1, with class weights."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bincam.errors import InputError, nearest
from bincam.models.heads import Head
from bincam.stats.class_counts import ClassCounts
from bincam.train.losses import class_weights
from bincam.train.losses.base import AttributeLoss, Reduction, WeightedLoss
from bincam.train.losses.focal import Asymmetric, Focal
from bincam.train.losses.margin import LDAM, LogitAdjusted
from bincam.train.losses.multilabel import DistributionBalanced, TwoWay

__all__ = ["LOSSES", "AttributeLoss", "make_loss"]


class CrossEntropy(WeightedLoss):
    """Binary cross-entropy with class weights: ℓ+ = w+ log(1 + e^-z), ℓ- = w- log(1 + e^z).

    The optimum is log(w+ η / (w- (1 - η))): the log-odds, shifted by log(w+ / w-). The mean is over entries, not over
    weights, as in torch.
    """

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The cross-entropy of a positive and of a negative."""
        return self.weigh(softplus(-z), softplus(z))

    @property
    def logit_shift(self) -> Tensor:
        """log(w+ / w-)."""
        return torch.log(self.weight_positive / self.weight_negative)

    def link(self, eta: Tensor) -> Tensor:
        """log(η / (1 - η)) + log(w+ / w-)."""
        return torch.logit(eta.double()) + self.logit_shift.double()

    def inverse_link(self, z: Tensor) -> Tensor:
        """σ(z - log(w+ / w-))."""
        return torch.sigmoid(z.double() - self.logit_shift.double())


class PlainCrossEntropy(CrossEntropy):
    """``bce``: both classes weigh 1."""

    def __init__(self, counts: ClassCounts, *, reduction: Reduction = "mean") -> None:
        super().__init__(counts, class_weights.ones(counts), reduction=reduction)


class InverseFrequency(CrossEntropy):
    """``weighted_bce``: w+ = negatives / positives, w- = 1 (torch's ``pos_weight``), see ``weights.pos_weight``."""

    def __init__(self, counts: ClassCounts, *, max_weight: float | None = None, reduction: Reduction = "mean") -> None:
        super().__init__(counts, class_weights.pos_weight(counts, max_weight=max_weight), reduction=reduction)


class MoonCrossEntropy(CrossEntropy):
    """``moon_bce``: MOON's domain-adapted weights (Rudd, Günther, Boult 2016), see ``weights.moon``.

    Deviation: the paper has these weights in the squared loss, which is ``moon_euclidean``.
    """

    def __init__(
        self,
        counts: ClassCounts,
        *,
        target_rate: float | Mapping[str, float] = 0.5,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(counts, class_weights.moon(counts, target_rate=target_rate), reduction=reduction)


class EffectiveNumber(CrossEntropy):
    """``class_balanced``: weights by the effective number of images (Cui et al. 2019): ``weights.effective_number``.

    Deviations: the two classes of each attribute are the paper's classes; of its base losses this is the sigmoid
    cross-entropy.
    """

    def __init__(self, counts: ClassCounts, *, beta: float = 0.9999, reduction: Reduction = "mean") -> None:
        super().__init__(counts, class_weights.effective_number(counts, beta=beta), reduction=reduction)


class Squares(WeightedLoss):
    """Squared distance to +1 and -1: ℓ+ = w+ (z - 1)², ℓ- = w- (z + 1)².

    The output is a margin (``head="margin"``): the optimum is (w+ η - w- (1 - η)) / (w+ η + w- (1 - η)), and 2η - 1
    where the weights are equal. There is no constant shift.
    """

    head: ClassVar[Head] = "margin"

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The squares for a positive and a negative."""
        return self.weigh((z - 1).square(), (z + 1).square())

    def link(self, eta: Tensor) -> Tensor:
        """(w+ η - w- (1 - η)) / (w+ η + w- (1 - η))."""
        eta = eta.double()
        positive, negative = self.weigh(eta, 1 - eta)
        return (positive - negative) / (positive + negative)

    def inverse_link(self, z: Tensor) -> Tensor:
        """w- (1 + z) / (w- (1 + z) + w+ (1 - z)); margins beyond -1 and 1 count as these."""
        z = z.double().clamp(-1, 1)
        positive, negative = self.weight_positive.to(z) * (1 - z), self.weight_negative.to(z) * (1 + z)
        return negative / (negative + positive)


class Euclidean(Squares):
    """``euclidean``: MOON's squared loss (Rudd, Günther, Boult 2016) with both weights 1."""

    def __init__(self, counts: ClassCounts, *, reduction: Reduction = "mean") -> None:
        super().__init__(counts, class_weights.ones(counts), reduction=reduction)


class MoonEuclidean(Squares):
    """``moon_euclidean``: MOON as published (Rudd, Günther, Boult 2016): squares, domain-adapted weights."""

    def __init__(
        self,
        counts: ClassCounts,
        *,
        target_rate: float | Mapping[str, float] = 0.5,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(counts, class_weights.moon(counts, target_rate=target_rate), reduction=reduction)


LOSSES: Mapping[str, type[AttributeLoss]] = MappingProxyType(
    {
        "bce": PlainCrossEntropy,
        "weighted_bce": InverseFrequency,
        "moon_bce": MoonCrossEntropy,
        "euclidean": Euclidean,
        "moon_euclidean": MoonEuclidean,
        "focal": Focal,
        "asymmetric": Asymmetric,
        "class_balanced": EffectiveNumber,
        "logit_adjusted": LogitAdjusted,
        "ldam": LDAM,
        "distribution_balanced": DistributionBalanced,
        "two_way": TwoWay,
    }
)
"""Every loss by name."""


def make_loss(name: str, counts: ClassCounts, **options: Any) -> AttributeLoss:
    """A loss by name.

    Args:
        name: One of ``LOSSES``.
        counts: Of the training split.
        **options: The loss's own keyword arguments.

    Raises:
        InputError: The name or an option is unknown (the nearest is named), an option is no finite number or out of
            bounds, or the loss needs both classes and an attribute has one only.
    """
    if name not in LOSSES:
        raise InputError(f"unknown loss {name!r}{nearest(name, LOSSES)}")
    kind = LOSSES[name]
    known = {option: p for option, p in inspect.signature(kind).parameters.items() if option != "counts"}
    for option, given in options.items():
        if option not in known:
            raise InputError(f"loss {name!r} has no option {option!r}{nearest(option, known)}")
        if option == "reduction" or (given is None and known[option].default is None):
            continue
        each = isinstance(given, Mapping) and "Mapping" in known[option].annotation  # a text; a number per attribute
        for value in given.values() if each else [given]:
            if not _finite(value):
                raise InputError(f"option {option!r} of loss {name!r}: expected a finite number, got {value!r}")
    return kind(counts, **options)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
