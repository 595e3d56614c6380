"""Losses whose terms depend on the other labels of the image or the batch; they have no link."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bincam.stats.class_counts import ClassCounts
from bincam.train.configuration.options import require_not_negative, require_positive
from bincam.train.losses.base import AttributeLoss, Reduction
from bincam.train.losses.class_weights import log_odds

_LOG_ZERO = -1e30
"""A finite stand-in for the logarithm of zero, because -inf has no gradient."""


class DistributionBalanced(AttributeLoss):
    """``distribution_balanced``: re-balanced weights, negative-tolerant regularisation (Wu et al. 2020, ECCV).

    Entry (i, a) weighs w = α + σ(β (r - μ)), where r is the ratio of the sampling frequency of image i for attribute a
    alone, 1 / n_a, to that for all its positive labels, Σ 1 / n. Logits are lowered by ν = κ log(N / n_a - 1). A
    positive costs w log(1 + exp(-(z - ν))), a negative w log(1 + exp(λ (z - ν))) / λ. Weights depend on an image's
    other labels, so no function of η alone is optimal: there is neither a link nor a shift.

    Deviations: the sum over attributes is divided by the number of known labels. For an image without positives, which
    the paper does not cover, r is infinite and w = α + 1, the limit. Unknown labels count as not positive in Σ 1 / n.
    ν is the paper's; some public copies of the authors' code divide κ by λ.

    Example:
        >>> import torch
        >>> from bincam.train import ClassCounts, make_loss
        >>> counts = ClassCounts(("Bald", "Young"), [90, 20], [10, 80])
        >>> loss = make_loss("distribution_balanced", counts, reduction="none")
        >>> loss(torch.zeros(1, 2), torch.tensor([[1.0, 1.0]])).round(decimals=2)  # the rarer label weighs more
        tensor([[0.8200, 0.2600]])
    """

    frequency: Tensor
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
        """Compute frequencies from the training split; the defaults are those of the authors' code for COCO.

        Args:
            counts: Of the training split.
            alpha: α, the smallest weight, not negative.
            beta: β, the slope of the weight, above 0.
            mu: μ, the ratio at the midpoint of the rise.
            negative_scale: λ, above 0.
            bias: κ.
            reduction: See ``AttributeLoss``.
        """
        prior = -bias * log_odds(counts)  # ν
        super().__init__(counts, reduction=reduction)
        require_positive(negative_scale=negative_scale, beta=beta)  # at β = 0 images without positives have no weight
        require_not_negative(alpha=alpha)
        self.alpha, self.beta, self.mu, self.negative_scale = alpha, beta, mu, negative_scale
        self.register_buffer("prior", prior.float(), persistent=False)
        self.register_buffer("frequency", torch.tensor(1 / counts.positives).float(), persistent=False)

    def known_terms(self, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """Compute the weighted cross-entropy of the lowered logits."""
        del known  # unknown targets are 0 here: not positive
        frequency = self.frequency.to(logits)  # (A,)
        total = (frequency * targets).sum(1, keepdim=True)  # (B, 1)
        ratio = torch.where(total > 0, frequency / torch.where(total > 0, total, 1.0), torch.inf)  # (B, A)
        weight = self.alpha + torch.sigmoid(self.beta * (ratio - self.mu))
        lowered = logits - self.prior.to(logits)
        negative = softplus(self.negative_scale * lowered) / self.negative_scale
        return weight * torch.where(targets == 1, softplus(-lowered), negative)


class TwoWay(AttributeLoss):
    """``two_way``: ranking within images and within attributes (Kobayashi 2023, CVPR, Two-way Multi-Label Loss).

    A set of entries costs softplus(T⁻ log Σ exp(z / T⁻) over its negatives + T⁺ log Σ exp(-z / T⁺) over its positives).
    The sets are the entries of each image, and those of each attribute in the batch. Entry (i, a) gets the value of
    image i plus that of attribute a, so the mean over known entries is a mean over images plus a mean over attributes.

    Only differences of logits matter, so logit 0 has no meaning: tune the threshold. There is neither a link nor a
    shift. With one attribute no image has both classes, and only the second part remains. That part couples the images
    of a batch (``separable`` is False): each part of a divided batch is a batch of its own.

    Deviations: both means are over known entries (each set is weighted by their number), where the authors' are over
    the sets that contain a positive; a set without both classes costs 0.

    Example:
        >>> import torch
        >>> from bincam.train import ClassCounts, make_loss
        >>> loss = make_loss("two_way", ClassCounts(("Bald", "Young"), [90, 20], [10, 80]))
        >>> logits, targets = torch.tensor([[-1.0, 2.0], [1.0, -2.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> bool(torch.isclose(loss(logits, targets), loss(logits + 5, targets)))
        True
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
            counts: Of the training split; only its attributes are used.
            positive_temperature: T⁺, above 0.
            negative_temperature: T⁻, above 0.
            attribute_weight: Weight of the attribute part, not negative; 1 is the paper's.
            reduction: See ``AttributeLoss``.
        """
        super().__init__(counts, reduction=reduction)
        require_positive(positive_temperature=positive_temperature, negative_temperature=negative_temperature)
        require_not_negative(attribute_weight=attribute_weight)
        self.temperatures = (positive_temperature, negative_temperature)
        self.attribute_weight = attribute_weight

    def known_terms(self, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """Add the values of each entry's image and attribute."""
        image, attribute = (self._ranking(logits, targets, known, axis) for axis in (1, 0))  # (B, 1) and (1, A)
        return image + self.attribute_weight * attribute

    def _ranking(self, logits: Tensor, targets: Tensor, known: Tensor, axis: int) -> Tensor:
        positive_temperature, negative_temperature = self.temperatures
        positive, negative = known & (targets == 1), known & (targets != 1)
        low_positives = torch.where(positive, -logits / positive_temperature, _LOG_ZERO).logsumexp(axis, keepdim=True)
        high_negatives = torch.where(negative, logits / negative_temperature, _LOG_ZERO).logsumexp(axis, keepdim=True)
        return softplus(positive_temperature * low_positives + negative_temperature * high_negatives)
