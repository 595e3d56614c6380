"""Losses in which an entry's term depends on the other labels of its image, or of its batch; they have no link."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bincam.errors import InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.losses.base import AttributeLoss, Reduction
from bincam.train.losses.class_weights import log_odds

_NOTHING = -1e30
"""Stands for the logarithm of zero: unlike -inf it has gradients."""


class DistributionBalanced(AttributeLoss):
    """``distribution_balanced``: re-balanced weights and tolerance of negatives (Wu et al. 2020, ECCV).

    Entry (i, a) weighs w = α + σ(β (r - μ)), where r compares how often image i would be drawn for attribute a alone,
    1 / n_a, with how often for all its positive labels, Σ 1 / n. Logits are lowered by ν = κ log(N / n_a - 1). A
    positive costs w log(1 + exp(-(z - ν))), a negative w log(1 + exp(λ (z - ν))) / λ. Weights depend on an image's
    other labels, so that no function of η alone is optimal: there is neither link nor shift.

    Deviations: the sum over attributes is divided by the number of known labels. An image without positives, of which
    the paper does not tell, is drawn for none: r is infinite and w = α + 1, as in the limit. Unknown labels count as
    not positive in Σ 1 / n. ν is the paper's; some public copies of the authors' code divide κ by λ.
    """

    drawn: Tensor
    prior: Tensor

    def __init__(
        self,
        counts: ClassCounts,
        *,
        alpha: float = 0.1,
        beta: float = 10.0,
        mu: float = 0.2,
        negative_scale: float = 2.0,
        bias: float = 0.05,
        reduction: Reduction = "mean",
    ) -> None:
        """Take frequencies from the training split; the defaults are those of the authors' code for COCO.

        Args:
            counts: Of the training split.
            alpha: α, the least weight, not negative.
            beta: β, how steeply the weight rises, above 0.
            mu: μ, where it has risen half way.
            negative_scale: λ, above 0.
            bias: κ.
            reduction: See ``AttributeLoss``.
        """
        prior = -bias * log_odds(counts)  # ν
        super().__init__(counts, reduction=reduction)
        if negative_scale <= 0:
            raise InputError(f"negative_scale={negative_scale}: above 0")
        if beta <= 0:  # images without positives have no weight then
            raise InputError(f"beta={beta}: above 0")
        if alpha < 0:
            raise InputError(f"alpha={alpha}: not negative")
        self.alpha, self.beta, self.mu, self.negative_scale = alpha, beta, mu, negative_scale
        self.register_buffer("prior", prior.float(), persistent=False)
        self.register_buffer("drawn", torch.tensor(1 / counts.positives).float(), persistent=False)

    def known_terms(self, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """Weighted cross-entropy of moved logits."""
        del known  # unknown targets are 0 here: not positive
        drawn = self.drawn.to(logits)  # (A,)
        repeated = (drawn * targets).sum(1, keepdim=True)  # (B, 1)
        ratio = torch.where(repeated > 0, drawn / torch.where(repeated > 0, repeated, 1.0), torch.inf)  # (B, A)
        weight = self.alpha + torch.sigmoid(self.beta * (ratio - self.mu))
        moved = logits - self.prior.to(logits)
        negative = softplus(self.negative_scale * moved) / self.negative_scale
        return weight * torch.where(targets == 1, softplus(-moved), negative)


class TwoWay(AttributeLoss):
    """``two_way``: rankings within images and within attributes (Kobayashi 2023, CVPR, Two-way Multi-Label Loss).

    A set of entries costs softplus(T⁻ log Σ exp(z / T⁻) over its negatives + T⁺ log Σ exp(-z / T⁺) over its positives).
    The sets are each image's entries, and each attribute's entries in the batch. Entry (i, a) gets image i's value and
    attribute a's, so that the mean over known entries is a mean of images' values plus a mean of attributes'.

    Only differences of logits matter, so logit 0 has no meaning: tune the threshold. There is neither link nor shift,
    and with one attribute no image has both classes, which leaves the second part. The attributes' part couples the
    images of a batch (``separable`` is False): each part of a divided batch is a batch of its own.

    Deviations: both means are over known entries (each set counts by how many it has), where the authors' are over the
    sets that hold a positive; a set without both classes costs 0.
    """

    separable: ClassVar[bool] = False

    def __init__(
        self,
        counts: ClassCounts,
        *,
        positive_temperature: float = 4.0,
        negative_temperature: float = 1.0,
        attribute_weight: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        """Set the temperatures.

        Args:
            counts: Of the training split; not used.
            positive_temperature: T⁺, above 0.
            negative_temperature: T⁻, above 0.
            attribute_weight: Of the attributes' part, not negative; 1 is the paper's.
            reduction: See ``AttributeLoss``.
        """
        super().__init__(counts, reduction=reduction)
        for name, value in (
            ("positive_temperature", positive_temperature),
            ("negative_temperature", negative_temperature),
        ):
            if value <= 0:
                raise InputError(f"{name}={value}: above 0")
        if attribute_weight < 0:
            raise InputError(f"attribute_weight={attribute_weight}: not negative")
        self.temperatures = (positive_temperature, negative_temperature)
        self.attribute_weight = attribute_weight

    def known_terms(self, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """Each entry's share of its image's and its attribute's value."""
        image, attribute = (self._value(logits, targets, known, axis) for axis in (1, 0))  # (B, 1) and (1, A)
        return image + self.attribute_weight * attribute

    def _value(self, logits: Tensor, targets: Tensor, known: Tensor, axis: int) -> Tensor:
        warm, cold = self.temperatures
        positive, negative = known & (targets == 1), known & (targets != 1)
        missed = warm * torch.where(positive, -logits / warm, _NOTHING).logsumexp(axis, keepdim=True)
        raised = cold * torch.where(negative, logits / cold, _NOTHING).logsumexp(axis, keepdim=True)
        return softplus(missed + raised)
