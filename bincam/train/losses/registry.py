"""Losses by name, and the simplest: cross-entropy and the squared distance to -1 and +1, with class weights."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bincam.models.heads import Head
from bincam.stats.class_counts import ClassCounts
from bincam.train.configuration.options import choose
from bincam.train.losses import class_weights
from bincam.train.losses.base import AttributeLoss, Reduction, WeightedLoss
from bincam.train.losses.focal import Asymmetric, Focal
from bincam.train.losses.margin import LDAM, LogitAdjusted
from bincam.train.losses.missing_labels import AssumeNegative, Hill
from bincam.train.losses.multilabel import DistributionBalanced, TwoWay

__all__ = ["LOSSES", "AttributeLoss", "make_loss"]


class CrossEntropy(WeightedLoss):
    """Binary cross-entropy with class weights: ℓ+ = w+ log(1 + e^-z), ℓ- = w- log(1 + e^z).

    The optimum is log(w+ η / (w- (1 - η))): the log-odds, shifted by log(w+ / w-). The mean is over entries, not over
    weights, as in torch.

    Example:
        >>> import torch
        >>> from bincam.train.losses.class_weights import ClassWeights
        >>> weights = ClassWeights(torch.tensor([1.0]), torch.tensor([4.0]))
        >>> loss = CrossEntropy(ClassCounts(("Bald",), [80], [20]), weights)
        >>> loss.link(torch.tensor([0.5]))  # log 4
        tensor([1.3863], dtype=torch.float64)
    """

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weighted cross-entropy of a positive and of a negative."""
        return self.apply_weights(softplus(-z), softplus(z))

    @property
    def logit_shift(self) -> Tensor:
        """log(w+ / w-)."""
        return torch.log(self.weight_positive / self.weight_negative)

    def link(self, eta: Tensor) -> Tensor:
        """Compute log(η / (1 - η)) + log(w+ / w-)."""
        return torch.logit(eta.double()) + self.logit_shift.double()

    def inverse_link(self, z: Tensor) -> Tensor:
        """Compute σ(z - log(w+ / w-))."""
        return torch.sigmoid(z.double() - self.logit_shift.double())


class PlainCrossEntropy(CrossEntropy):
    """``bce``: binary cross-entropy without class weights.

    Example:
        >>> import torch
        >>> from bincam.train import make_loss
        >>> loss = make_loss("bce", ClassCounts(("Bald",), [90], [10]))
        >>> loss(torch.zeros(3, 1), torch.tensor([[1.0], [0.0], [float("nan")]]))
        tensor(0.6931)
    """

    def __init__(self, counts: ClassCounts, *, reduction: Reduction = "mean") -> None:
        super().__init__(counts, class_weights.ones(counts), reduction=reduction)


class InverseFrequency(CrossEntropy):
    """``weighted_bce``: w+ = negatives / positives, w- = 1 (torch's ``pos_weight``); see ``class_weights.pos_weight``.

    Example:
        >>> from bincam.train import make_loss
        >>> counts = ClassCounts(("Bald",), [990], [10])
        >>> make_loss("weighted_bce", counts).weight_positive
        tensor([99.])
        >>> make_loss("weighted_bce", counts, max_weight=20).weight_positive
        tensor([20.])
    """

    def __init__(self, counts: ClassCounts, *, max_weight: float | None = None, reduction: Reduction = "mean") -> None:
        super().__init__(counts, class_weights.pos_weight(counts, max_weight=max_weight), reduction=reduction)


class MoonCrossEntropy(CrossEntropy):
    """``moon_bce``: MOON's domain-adapted weights (Rudd, Günther, Boult 2016); see ``class_weights.moon``.

    Deviation: the paper uses these weights in the squared loss, which is ``moon_euclidean``.

    Example:
        >>> from bincam.train import make_loss
        >>> loss = make_loss("moon_bce", ClassCounts(("Bald",), [90], [10]))
        >>> loss.weight_negative, loss.weight_positive, loss.logit_shift
        (tensor([0.1111]), tensor([1.]), tensor([2.1972]))
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
    """``class_balanced``: weights by effective number of images (Cui et al. 2019); ``class_weights.effective_number``.

    Deviations: the paper's classes are the two classes of each attribute; of its base losses this is the sigmoid
    cross-entropy.

    Example:
        >>> from bincam.train import make_loss
        >>> loss = make_loss("class_balanced", ClassCounts(("Bald",), [9000], [1000]), beta=0.9999)
        >>> loss.weight_negative, loss.weight_positive
        (tensor([0.2764]), tensor([1.7236]))
    """

    def __init__(self, counts: ClassCounts, *, beta: float = 0.9999, reduction: Reduction = "mean") -> None:
        super().__init__(counts, class_weights.effective_number(counts, beta=beta), reduction=reduction)


class Squares(WeightedLoss):
    """Squared distance to +1 and -1: ℓ+ = w+ (z - 1)², ℓ- = w- (z + 1)².

    The output is a margin (``head="margin"``): the optimum is (w+ η - w- (1 - η)) / (w+ η + w- (1 - η)), and 2η - 1
    where the weights are equal. There is no constant shift.

    Example:
        >>> import torch
        >>> from bincam.train.losses.class_weights import moon
        >>> counts = ClassCounts(("Bald",), [80], [20])
        >>> Squares(counts, moon(counts)).link(torch.tensor([0.5]))
        tensor([0.6000], dtype=torch.float64)
    """

    head: ClassVar[Head] = "margin"

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weighted squares of a positive and of a negative."""
        return self.apply_weights((z - 1).square(), (z + 1).square())

    def link(self, eta: Tensor) -> Tensor:
        """Compute (w+ η - w- (1 - η)) / (w+ η + w- (1 - η))."""
        eta = eta.double()
        positive, negative = self.apply_weights(eta, 1 - eta)
        return (positive - negative) / (positive + negative)

    def inverse_link(self, z: Tensor) -> Tensor:
        """Compute w- (1 + z) / (w- (1 + z) + w+ (1 - z)), margins clipped to [-1, 1]."""
        z = z.double().clamp(-1, 1)
        positive, negative = self.weight_positive.to(z) * (1 - z), self.weight_negative.to(z) * (1 + z)
        return negative / (negative + positive)


class Euclidean(Squares):
    """``euclidean``: MOON's squared loss (Rudd, Günther, Boult 2016) without class weights.

    Example:
        >>> import torch
        >>> from bincam.train import make_loss
        >>> loss = make_loss("euclidean", ClassCounts(("Bald",), [90], [10]))
        >>> loss.head, loss(torch.tensor([[0.5], [0.5]]), torch.tensor([[1.0], [0.0]]))
        ('margin', tensor(1.2500))
    """

    def __init__(self, counts: ClassCounts, *, reduction: Reduction = "mean") -> None:
        super().__init__(counts, class_weights.ones(counts), reduction=reduction)


class MoonEuclidean(Squares):
    """``moon_euclidean``: MOON as published (Rudd, Günther, Boult 2016): squared loss, domain-adapted weights.

    Example:
        >>> import torch
        >>> from bincam.train import make_loss
        >>> loss = make_loss("moon_euclidean", ClassCounts(("Bald",), [90], [10]))
        >>> loss(torch.tensor([[0.5], [0.5]]), torch.tensor([[1.0], [0.0]]))
        tensor(0.2500)
    """

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
        "an_ls": AssumeNegative,
        "hill": Hill,
        "class_balanced": EffectiveNumber,
        "logit_adjusted": LogitAdjusted,
        "ldam": LDAM,
        "distribution_balanced": DistributionBalanced,
        "two_way": TwoWay,
    }
)
"""Every loss class by name; ``docs/losses.md`` compares them.

>>> sorted(LOSSES)[:3]
['an_ls', 'asymmetric', 'bce']
"""


def make_loss(name: str, counts: ClassCounts, **options: Any) -> AttributeLoss:
    """Create a loss by name.

    Args:
        name: One of ``LOSSES``.
        counts: Of the training split.
        **options: Keyword arguments of the loss.

    Raises:
        InputError: The name or an option is unknown (the nearest is suggested), an option is not a finite number or out
            of bounds, or the loss needs both classes and an attribute has only one.

    Example:
        >>> import torch
        >>> counts = ClassCounts(("Bald", "Young"), [90, 20], [10, 80])
        >>> loss = make_loss("moon_bce", counts, target_rate=0.5)
        >>> logits = torch.zeros(1, 2, requires_grad=True)
        >>> loss(logits, torch.tensor([[1.0, float("nan")]]))
        tensor(0.6931, grad_fn=<DivBackward0>)
        >>> loss.inverse_link(loss.logit_shift)  # the logits that stand for a probability of one half
        tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    return choose("loss", name, LOSSES, options)(counts, **options)
