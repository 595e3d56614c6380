"""Losses that shift the logit instead of weighting the entry: by the prior, or by a margin for the rarer class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bincam.errors import InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.configuration.options import require_not_negative, require_positive
from bincam.train.losses.base import Reduction, SidedLoss, WeightedLoss
from bincam.train.losses.class_weights import effective_number, log_odds


class LogitAdjusted(SidedLoss):
    """``logit_adjusted``: cross-entropy of z + τ log(π+ / π-), π the classes' shares in training (Menon et al. 2021).

    The paper's adjusted softmax for two classes whose scores differ by z. The network learns the log-odds relative to
    the prior: the optimum is the log-odds, shifted by -τ log(π+ / π-); with τ = 1, z > 0 minimises the balanced error.

    Example:
        >>> from bincam.train import ClassCounts, make_loss
        >>> make_loss("logit_adjusted", ClassCounts(("Bald",), [90], [10])).logit_shift
        tensor([2.1972])
    """

    prior: Tensor

    def __init__(self, counts: ClassCounts, *, tau: float = 1.0, reduction: Reduction = "mean") -> None:
        """Compute the prior from the training split.

        Args:
            counts: Of the training split.
            tau: τ, not negative; 0 is cross-entropy.
            reduction: See ``AttributeLoss``.
        """
        require_not_negative(tau=tau)
        prior = tau * log_odds(counts)
        super().__init__(counts, reduction=reduction)
        self.register_buffer("prior", prior.float(), persistent=False)

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the cross-entropy of a positive and of a negative after the adjustment."""
        adjusted = z + self.prior.to(z)
        return softplus(-adjusted), softplus(adjusted)

    @property
    def logit_shift(self) -> Tensor:
        """-τ log(π+ / π-)."""
        return -self.prior

    def link(self, eta: Tensor) -> Tensor:
        """Compute log(η / (1 - η)) - τ log(π+ / π-)."""
        return torch.logit(eta.double()) - self.prior.double()

    def inverse_link(self, z: Tensor) -> Tensor:
        """Compute σ(z + τ log(π+ / π-))."""
        return torch.sigmoid(z.double() + self.prior.double())


class LDAM(WeightedLoss):
    """``ldam``: ℓ± = log(1 + exp(-s (±z - Δ±))), Δ± = C / n±^(1/4) (Cao et al. 2019, NeurIPS).

    C gives the rarer class of each attribute the margin ``max_margin``. From epoch ``defer`` times the number of epochs
    on, the sides are weighted by effective numbers (deferred re-weighting, DRW). There is a link, which changes at that
    epoch, and no constant shift. Deviations: two classes whose scores differ by z; C per attribute instead of one for
    all classes; features and weights are not normalised, so margins are in logit units and the scale s is 1, not 30;
    re-weighted terms are divided by their number, not by the sum of their weights.

    Example:
        >>> from bincam.train import ClassCounts, make_loss
        >>> loss = make_loss("ldam", ClassCounts(("Bald",), [1600], [100]), max_margin=0.5)
        >>> loss.margin_positive, loss.margin_negative
        (tensor([0.5000]), tensor([0.2500]))
        >>> loss.set_epoch(8, 10)
        >>> loss.reweighting
        True
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
        """Compute margins and weights from the training split.

        Args:
            counts: Of the training split.
            max_margin: Of the rarer class, in logit units.
            scale: s, above 0.
            defer: Share of the epochs before re-weighting starts; 1 never re-weights.
            beta: β of the effective number.
            reduction: See ``AttributeLoss``.
        """
        super().__init__(counts, effective_number(counts, beta=beta), reduction=reduction)
        require_not_negative(max_margin=max_margin)
        require_positive(scale=scale)
        if not 0 <= defer <= 1:
            raise InputError(f"defer={defer}: expected a share of the epochs, from 0 to 1")
        self.scale, self.defer = scale, defer
        self.reweighting = False
        negative, positive = (torch.tensor(n).double().pow(-0.25) for n in (counts.negatives, counts.positives))
        largest = torch.maximum(negative, positive)
        self.register_buffer("margin_negative", (max_margin * negative / largest).float(), persistent=False)
        self.register_buffer("margin_positive", (max_margin * positive / largest).float(), persistent=False)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Re-weight from epoch ``defer`` times ``epochs`` on."""
        first = self.defer * epochs - 1e-9  # 0.55 x 100 is slightly above 55 in floating point
        self.reweighting = self.defer < 1 and epoch >= first

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the cross-entropy of a positive and of a negative with their margins."""
        positive = softplus(-self.scale * (z - self.margin_positive.to(z)))
        negative = softplus(self.scale * (z + self.margin_negative.to(z)))
        return self.apply_weights(positive, negative) if self.reweighting else (positive, negative)
