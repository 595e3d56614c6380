"""Losses that move the logit instead of weighing the entry: by the prior, or by a margin for the rarer class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bincam.errors import InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.losses.base import Reduction, SidedLoss, WeightedLoss
from bincam.train.losses.class_weights import effective_number, log_odds


class LogitAdjusted(SidedLoss):
    """``logit_adjusted``: cross-entropy of z + τ log(π+ / π-), π the classes' shares in training (Menon et al. 2021).

    The paper's adjusted softmax for two classes whose scores differ by z. The network learns what the prior leaves out:
    the optimum is the log-odds, shifted by -τ log(π+ / π-); with τ = 1, z > 0 minimises the balanced error.
    """

    prior: Tensor

    def __init__(self, counts: ClassCounts, *, tau: float = 1.0, reduction: Reduction = "mean") -> None:
        """Take the prior from the training split.

        Args:
            counts: Of the training split.
            tau: τ, not negative; 0 is cross-entropy.
            reduction: See ``AttributeLoss``.
        """
        if tau < 0:
            raise InputError(f"tau={tau}: not negative")
        prior = tau * log_odds(counts)
        super().__init__(counts, reduction=reduction)
        self.register_buffer("prior", prior.float(), persistent=False)

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The cross-entropy of a positive and of a negative after the adjustment."""
        moved = z + self.prior.to(z)
        return softplus(-moved), softplus(moved)

    @property
    def logit_shift(self) -> Tensor:
        """-τ log(π+ / π-)."""
        return -self.prior

    def link(self, eta: Tensor) -> Tensor:
        """log(η / (1 - η)) - τ log(π+ / π-)."""
        return torch.logit(eta.double()) - self.prior.double()

    def inverse_link(self, z: Tensor) -> Tensor:
        """σ(z + τ log(π+ / π-))."""
        return torch.sigmoid(z.double() + self.prior.double())


class LDAM(WeightedLoss):
    """``ldam``: ℓ± = log(1 + exp(-s (±z - Δ±))), Δ± = C / n±^(1/4) (Cao et al. 2019, NeurIPS).

    C gives the rarer class of each attribute the margin ``max_margin``. From epoch ``defer`` times all epochs on, the
    sides are weighed by effective numbers (deferred re-weighting, DRW). There is a link, which changes then, and no
    constant shift. Deviations: two classes whose scores differ by z; C per attribute instead of one for all classes;
    features and weights are not normalised, so margins are in logit units and the scale s is 1, not 30; re-weighed
    terms are divided by their number, not by the sum of their weights.
    """

    margin_negative: Tensor
    margin_positive: Tensor

    def __init__(
        self,
        counts: ClassCounts,
        *,
        max_margin: float = 0.5,
        scale: float = 1.0,
        defer: float = 0.8,
        beta: float = 0.9999,
        reduction: Reduction = "mean",
    ) -> None:
        """Set margins and weights from the training split.

        Args:
            counts: Of the training split.
            max_margin: Of the rarer class, in logit units.
            scale: s, above 0.
            defer: Share of the epochs before the re-weighting; 1 never re-weighs.
            beta: Of the effective number.
            reduction: See ``AttributeLoss``.
        """
        super().__init__(counts, effective_number(counts, beta=beta), reduction=reduction)
        if max_margin < 0:
            raise InputError(f"max_margin={max_margin}: not negative")
        if scale <= 0:
            raise InputError(f"scale={scale}: above 0")
        if not 0 <= defer <= 1:
            raise InputError(f"defer={defer}: a share of the epochs, 0 to 1")
        self.scale, self.defer = scale, defer
        self.reweighting = False
        negative, positive = (torch.tensor(n).double().pow(-0.25) for n in (counts.negatives, counts.positives))
        largest = torch.maximum(negative, positive)
        self.register_buffer("margin_negative", (max_margin * negative / largest).float(), persistent=False)
        self.register_buffer("margin_positive", (max_margin * positive / largest).float(), persistent=False)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Re-weigh from epoch ``defer`` times ``epochs`` on."""
        first = self.defer * epochs - 1e-9  # .55 x 100 is a little more than 55 in floats
        self.reweighting = self.defer < 1 and epoch >= first

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The cross-entropy of a positive and of a negative that miss their margin."""
        positive = softplus(-self.scale * (z - self.margin_positive.to(z)))
        negative = softplus(self.scale * (z + self.margin_negative.to(z)))
        return self.weigh(positive, negative) if self.reweighting else (positive, negative)
