"""Losses that down-weight easy entries."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from bincam.errors import InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.configuration.options import require_not_negative
from bincam.train.losses.base import Reduction, SidedLoss


class Focal(SidedLoss):
    """``focal``: ℓ+ = -α (1 - p)^γ log p, ℓ- = -(1 - α) p^γ log(1 - p), p = σ(z) (Lin et al. 2017, ICCV).

    The optimum is pulled towards 0 by an amount that depends on η: there is a link and no constant shift. Deviation: α
    is off by default (both classes weigh 1), because other losses provide class weights.

    Example:
        >>> import torch
        >>> from bincam.train import ClassCounts, make_loss
        >>> loss = make_loss("focal", ClassCounts(("Bald",), [90], [10]), gamma=2, reduction="none")
        >>> loss(torch.tensor([[2.0], [-2.0]]), torch.ones(2, 1))  # an easy and a hard positive
        tensor([[0.0018],
                [1.6501]])
    """

    def __init__(
        self, counts: ClassCounts, *, gamma: float = 2.0, alpha: float | None = None, reduction: Reduction = "mean"
    ) -> None:
        """Set the focusing parameters.

        Args:
            counts: Of the training split; only its attributes are used.
            gamma: γ, not negative; 0 is cross-entropy.
            alpha: α, the weight of the positives, between 0 and 1; None weighs both classes 1.
            reduction: See ``AttributeLoss``.
        """
        super().__init__(counts, reduction=reduction)
        require_not_negative(gamma=gamma)
        if alpha is not None and not 0 < alpha < 1:
            raise InputError(f"alpha={alpha}: expected a number between 0 and 1, or None for equal weights")
        self.gamma = gamma
        self.weights = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the focused cross-entropy of a positive and of a negative."""
        positive, negative = self.weights
        return positive * focused(-z, self.gamma), negative * focused(z, self.gamma)


class Asymmetric(SidedLoss):
    """``asymmetric``: ℓ+ = -(1 - p)^γ⁺ log p, ℓ- = -q^γ⁻ log(1 - q), q = max(p - m, 0) (Ridnik et al. 2021, ICCV, ASL).

    Negatives with p below m contribute nothing, so the link starts at log(m / (1 - m)). As p approaches 1, the ratio of
    a negative's slope to a positive's stays bounded (26.6 with the defaults), so the link is infinite above some η
    (0.964). There is no constant shift.

    Deviation: the authors' code stops the gradient through the focusing factors; here it is kept, as in the paper.

    Example:
        >>> import torch
        >>> from bincam.train import ClassCounts, make_loss
        >>> loss = make_loss("asymmetric", ClassCounts(("Bald",), [90], [10]), reduction="none")
        >>> loss(torch.tensor([[-3.0], [-3.0]]), torch.tensor([[1.0], [0.0]]))  # p = 0.047 is below the margin
        tensor([[3.0486],
                [-0.0000]])
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
        """Set the focusing parameters.

        Args:
            counts: Of the training split; only its attributes are used.
            gamma_positive: γ⁺, not negative.
            gamma_negative: γ⁻, 0 or at least 1: in between, the slope at the margin is infinite.
            margin: m in [0, 1).
            reduction: See ``AttributeLoss``.
        """
        super().__init__(counts, reduction=reduction)
        require_not_negative(gamma_positive=gamma_positive)
        if gamma_negative != 0 and gamma_negative < 1:
            raise InputError(f"gamma_negative={gamma_negative}: expected 0 or a number of at least 1")
        if not 0 <= margin < 1:
            raise InputError(f"margin={margin}: expected a number in [0, 1)")
        self.gamma_positive, self.gamma_negative, self.margin = gamma_positive, gamma_negative, margin

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss of a positive and of a negative."""
        positive = focused(-z, self.gamma_positive)
        if self.margin == 0:
            return positive, focused(z, self.gamma_negative)
        # 1 - q, computed directly so that it and its slope keep full precision for p near 1
        complement = (torch.sigmoid(-z) + self.margin).clamp(max=1)
        return positive, -(1 - complement).pow(self.gamma_negative) * complement.log()


def focused(wrong: Tensor, gamma: float) -> Tensor:
    """Compute σ(wrong)^γ log(1 + e^wrong), ``wrong`` the log-odds of the wrong class."""
    # As an exponential, because the gradient of a power is infinity times zero where the probability rounds to 0.
    return (gamma * logsigmoid(wrong)).exp() * softplus(wrong)
