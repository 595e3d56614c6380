"""Losses for labels of which positives were left out: what is not marked as true may be true all the same.

An image with one stated label that shows several things is such a case (single positive labels). Its other labels are 0
in the table; both losses lower what a wrong 0 costs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bincam.errors import InputError
from bincam.stats.class_counts import ClassCounts
from bincam.train.configuration.options import require_not_negative
from bincam.train.losses.base import Reduction, SidedLoss
from bincam.train.losses.focal import focused


class AssumeNegative(SidedLoss):
    """``an_ls``: all labels but the stated ones are assumed to be negative, and labels are smoothed.

    Cole, Mac Aodha, Lorieul, Perona, Morris, Jojic 2021 (CVPR, Multi-Label Learning from Single Positive Labels), loss
    AN-LS: ℓ+ = -(1 - ε/2) log p - (ε/2) log(1 - p), and ℓ- with the two sides exchanged. The optimum is the log-odds of
    (1 - ε/2) η + (ε/2) (1 - η), so there is a link and no constant shift.

    Deviations: labels that a table leaves unknown stay unknown, as in every loss; 0 states what is to be assumed
    negative. The authors' code adds 1e-5 inside the logarithm. Its coefficient is ε/2 here.

    Example:
        >>> import torch
        >>> from bincam.train import ClassCounts, make_loss
        >>> loss = make_loss("an_ls", ClassCounts(("cat",), [90], [10]), label_smoothing=0.1)
        >>> loss.link(torch.tensor([0.0, 0.25, 1.0]))[:, None].sigmoid().round(decimals=3).flatten()
        tensor([0.0500, 0.2750, 0.9500], dtype=torch.float64)
    """

    def __init__(self, counts: ClassCounts, *, label_smoothing: float = 0.1, reduction: Reduction = "mean") -> None:
        """Set the smoothing.

        Args:
            counts: Of the training split; only its attributes are used.
            label_smoothing: ε in [0, 1); 0 is cross-entropy.
            reduction: See ``AttributeLoss``.

        Raises:
            InputError: ε is out of bounds.
        """
        super().__init__(counts, reduction=reduction)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing={label_smoothing}: expected a number from 0 to below 1")
        self.moved = label_smoothing / 2

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the smoothed cross-entropy of a positive and of a negative."""
        yes, no = softplus(-z), softplus(z)
        return (1 - self.moved) * yes + self.moved * no, (1 - self.moved) * no + self.moved * yes

    def link(self, eta: Tensor) -> Tensor:
        """Compute the log-odds of (1 - ε/2) η + (ε/2) (1 - η)."""
        eta = eta.double()
        smoothed = ((1 - self.moved) * eta + self.moved * (1 - eta)).logit()
        return torch.where((eta >= 0) & (eta <= 1), smoothed, torch.nan)

    def inverse_link(self, z: Tensor) -> Tensor:
        """Compute (σ(z) - ε/2) / (1 - ε), clipped to [0, 1]: no η makes a logit beyond the smoothed labels optimal."""
        return ((z.double().sigmoid() - self.moved) / (1 - 2 * self.moved)).clamp(0, 1)


class Hill(SidedLoss):
    """``hill``: ℓ- = (λ - p) p², ℓ+ = -(1 - q)^γ log q with q = σ(z - m): a loss that gives up wrong negatives.

    Zhang, Cheng, Huang, Wen, Feng, Li, Guo 2021 (arXiv 2112.07368): the Hill loss of negatives and the focal margin
    loss of positives. A negative pulls with p² (1 - p) (2λ - 3p), at λ = 3/2 with 3 p² (1 - p)², a hill: neither easy
    negatives nor those that the model is sure are positive count. There is no constant shift. There is a link where a
    greater η asks for a greater logit: with the defaults, not with a margin of 3 or γ = 1 (the loss has two minima).

    Deviation: λ below 3/2, for which a negative of high probability would be pushed up, is refused. The paper's sum is
    a mean over known entries, as everywhere.

    Example:
        >>> import torch
        >>> from bincam.train import ClassCounts, make_loss
        >>> loss = make_loss("hill", ClassCounts(("cat",), [90], [10]), reduction="none")
        >>> z = torch.tensor([[-4.0], [0.0], [8.0]], requires_grad=True)
        >>> pull = torch.autograd.grad(loss(z, torch.zeros(3, 1)).sum(), z)[0]
        >>> pull.flatten().round(decimals=4)  # of a likely negative, an undecided one, and one that is likely positive
        tensor([0.0009, 0.1875, 0.0000])
    """

    def __init__(
        self,
        counts: ClassCounts,
        *,
        ceiling: float = 1.5,
        margin: float = 1.0,
        gamma: float = 2.0,
        reduction: Reduction = "mean",
    ) -> None:
        """Set the shape; the defaults are the paper's.

        Args:
            counts: Of the training split; only its attributes are used.
            ceiling: λ, at least 3/2.
            margin: m, by which logits of positives are lowered, not negative.
            gamma: γ, the focusing of positives, not negative.
            reduction: See ``AttributeLoss``.

        Raises:
            InputError: An option is out of bounds.
        """
        super().__init__(counts, reduction=reduction)
        require_not_negative(margin=margin, gamma=gamma)
        if not ceiling >= 1.5:
            raise InputError(f"ceiling={ceiling}: expected at least 1.5; below, likely negatives are pushed up")
        self.ceiling, self.margin, self.gamma = ceiling, margin, gamma
        z = torch.arange(-20, 40, 0.05, dtype=torch.float64)
        self.invertible = bool((self._optimal_for(z).diff() > -1e-12).all())

    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the focal margin loss of a positive and the Hill loss of a negative."""
        p = z.sigmoid()
        return focused(self.margin - z, self.gamma), (self.ceiling - p) * p.square()

    def link(self, eta: Tensor) -> Tensor | None:
        """Invert the inverse link, if there is one."""
        return super().link(eta) if self.invertible else None

    def inverse_link(self, z: Tensor) -> Tensor | None:
        """Compute ℓ-' / (ℓ-' - ℓ+'), if it increases with the logit."""
        return self._optimal_for(z.detach().double()) if self.invertible else None

    def _optimal_for(self, z: Tensor) -> Tensor:
        # By hand, because autograd's slope of σ is 0 where σ rounds to 1.
        p, no = z.sigmoid(), (-z).sigmoid()
        q, r = (z - self.margin).sigmoid(), (self.margin - z).sigmoid()
        fall = p.square() * no * (2 * self.ceiling - 3 + 3 * no)
        rise = r**self.gamma * (r + self.gamma * q * softplus(self.margin - z))
        return fall / (fall + rise)
