"""Losses that give easy entries less weight."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from bincam.errors import InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.losses.base import Reduction, SidedLoss


class Focal(SidedLoss):
    """``focal``: ℓ+ = -α (1 - p)^γ log p, ℓ- = -(1 - α) p^γ log(1 - p), p = σ(z) (Lin et al. 2017, ICCV).

    The optimum is drawn towards 0 by an amount that depends on η: there is a link and no constant shift. Deviation: α
    is off unless asked for (both classes weigh 1), because class weights are what the other losses are for.
    """

    def __init__(
        self, counts: ClassCounts, *, gamma: float = 2.0, alpha: float | None = None, reduction: Reduction = "mean"
    ) -> None:
        """Set the focus.

        Args:
            counts: Of the training split; not used.
            gamma: γ, not negative; 0 is cross-entropy.
            alpha: α of the positives, between 0 and 1; None weighs both classes 1.
            reduction: See ``AttributeLoss``.
        """
        super().__init__(counts, reduction=reduction)
        if gamma < 0:
            raise InputError(f"gamma={gamma}: not negative")
        if alpha is not None and not 0 < alpha < 1:
            raise InputError(f"alpha={alpha}: between 0 and 1, or None for no weights")
        self.gamma = gamma
        self.weights = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The focused cross-entropy of a positive and of a negative."""
        positive, negative = self.weights
        return positive * _focused(-z, self.gamma), negative * _focused(z, self.gamma)


class Asymmetric(SidedLoss):
    """``asymmetric``: ℓ+ = -(1 - p)^γ⁺ log p, ℓ- = -q^γ⁻ log(1 - q), q = max(p - m, 0) (Ridnik et al. 2021, ICCV, ASL).

    Negatives below p = m do nothing, so that the link begins at log(m / (1 - m)). Towards p = 1 a negative's slope over
    a positive's stays below a bound (26.6 with these defaults), so that the link is infinite from some η on (0.964).
    There is no constant shift.

    Deviation: the authors' code stops the gradient through the focusing factors; here it is whole, as in the paper.
    """

    def __init__(
        self,
        counts: ClassCounts,
        *,
        gamma_positive: float = 0.0,
        gamma_negative: float = 4.0,
        margin: float = 0.05,
        reduction: Reduction = "mean",
    ) -> None:
        """Set the focus.

        Args:
            counts: Of the training split; not used.
            gamma_positive: γ⁺, not negative.
            gamma_negative: γ⁻, 0 or at least 1: below 1 the slope at the margin is infinite.
            margin: m, from 0 up to but not including 1.
            reduction: See ``AttributeLoss``.
        """
        super().__init__(counts, reduction=reduction)
        if gamma_positive < 0:
            raise InputError(f"gamma_positive={gamma_positive}: not negative")
        if gamma_negative != 0 and gamma_negative < 1:
            raise InputError(f"gamma_negative={gamma_negative}: 0 or at least 1")
        if not 0 <= margin < 1:
            raise InputError(f"margin={margin}: from 0 up to but not including 1")
        self.gamma_positive, self.gamma_negative, self.margin = gamma_positive, gamma_negative, margin

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of a positive and of a negative."""
        positive = _focused(-z, self.gamma_positive)
        if self.margin == 0:
            return positive, _focused(z, self.gamma_negative)
        rest = (torch.sigmoid(-z) + self.margin).clamp(max=1)  # 1 - q, and its slope, to full precision for p near 1
        return positive, -(1 - rest).pow(self.gamma_negative) * rest.log()


def _focused(wrong: Tensor, gamma: float) -> Tensor:
    """σ(wrong)^γ log(1 + e^wrong), where ``wrong`` are log-odds of the false class."""
    # As an exponential: a power's gradient would be infinite times zero where the probability rounds to 0.
    return (gamma * logsigmoid(wrong)).exp() * softplus(wrong)
