"""The contract of every loss: masking, reduction, precision, and the link between its optimum and a probability."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from bincam.errors import BincamWarning, InputError
from bincam.models.heads import Head
from bincam.stats.class_counts import ClassCounts
from bincam.train.losses.class_weights import ClassWeights

Reduction = Literal["mean", "sum", "none"]
_BRACKET = 200.0  # a link is searched for between -200 and 200: float64's σ saturates at 0 and 1 well inside
_HALVINGS = 70  # of that bracket, down to 4e-19


class AttributeLoss(nn.Module, ABC):
    """A loss of logits ``(B, A)`` and targets ``(B, A)``: 1, 0, or NaN where the label is unknown.

    Unknown entries have no effect: whatever their logits, no value and no gradient changes by a bit. Computation is in
    float32 (float64 for float64 logits), also under autocast. Arguments are not modified. Class weights are buffers
    computed from the training counts; they are not in the state dict, because the counts on the card determine them.

    A new loss implements ``known_terms``, or ``sides`` as a ``SidedLoss``, from which the links follow.

    Attributes:
        head: The meaning of the outputs of a model trained with this loss; the card must state it.
        separable: True if a term depends only on its own logit and image. If False, the mean over the parts of a
            divided batch differs from the loss of the whole batch.
        warming: True in epochs in which a part of the model is not trained; such epochs are not kept.
        logit_shift: ``(A,)``: the amount by which the optimal logit exceeds the log-odds log(η / (1 - η)), η the true
            probability of the positive class; None where it is not a constant.

    Example:
        >>> import torch
        >>> from bincam.train import AttributeLoss, ClassCounts
        >>> class Hinge(AttributeLoss):
        ...     def known_terms(self, logits, targets, known):
        ...         return (1 - (2 * targets - 1) * logits).clamp(min=0)
        >>> loss = Hinge(ClassCounts(("Bald",), [90], [10]))
        >>> loss(torch.tensor([[0.5], [2.0], [-7.0]]), torch.tensor([[1.0], [0.0], [float("nan")]]))
        tensor(1.7500)
    """

    head: ClassVar[Head] = "logits"
    separable: ClassVar[bool] = True
    warming: ClassVar[bool] = False

    def __init__(self, counts: ClassCounts, *, reduction: Reduction = "mean") -> None:
        """Store the attributes; warn about those with a single class, whose logits diverge in training.

        Args:
            counts: Of the training split.
            reduction: ``mean``: over known entries, 0 if there are none; ``sum``; ``none``: ``(B, A)``, 0 at unknown
                entries.
        """
        super().__init__()
        if reduction not in get_args(Reduction):
            raise InputError(f"reduction={reduction!r}; expected one of {', '.join(get_args(Reduction))}")
        if lacking := counts.lacking():
            text = f"an attribute with a single class in training cannot be learned: {lacking}; leave the attribute out"
            warnings.warn(text, BincamWarning, stacklevel=3)
        self.attributes = counts.attributes
        self.reduction = reduction

    @abstractmethod
    def known_terms(self, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """Compute the terms ``(B, A)`` of float32 or float64 logits and targets 0 or 1; both are 0 where not known."""

    def terms(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss before reduction.

        Args:
            logits: ``(B, A)``, of any floating type.
            targets: ``(B, A)``: 1, 0 or NaN. Any other value makes its term NaN; ``forward`` refuses it.

        Returns:
            ``(B, A)`` float32, or float64 for float64 logits; 0 at unknown entries. Its sum over ``normalizer``, both
            summed over all parts of a batch, is the mean.

        Raises:
            InputError: The shapes are not ``(B, A)``.
        """
        if logits.shape != targets.shape or logits.ndim != 2 or logits.shape[1] != len(self.attributes):
            raise InputError(
                f"expected logits and targets of shape (B, {len(self.attributes)}), got {tuple(logits.shape)} and "
                f"{tuple(targets.shape)}"
            )
        with torch.autocast(logits.device.type, enabled=False):
            z = logits if logits.dtype == torch.float64 else logits.float()
            y = targets.to(z)
            known = ~y.isnan()
            z, y = torch.where(known, z, 0.0), torch.where(known, y, 0.0)
            value = torch.where(known, self.known_terms(z, y, known), 0.0)
            return torch.where((y == 0) | (y == 1), value, torch.nan)

    def sums(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the sum of ``terms``, a scalar; a run divides it by ``normalizer``."""
        return self.terms(logits, targets).sum()

    def normalizer(self, targets: Tensor) -> Tensor:
        """Return the divisor of the sum of ``terms``: the number of known entries, a float scalar."""
        return (~targets.isnan()).sum().float()

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the reduced loss.

        Raises:
            InputError: The shapes are not ``(B, A)``, or a target is not 0, 1 or NaN.
        """
        legal = (targets == 0) | (targets == 1) | targets.isnan()
        if not bool(legal.all()):
            row, column = (int(i[0]) for i in torch.nonzero(~legal, as_tuple=True))
            raise InputError(
                f"target of row {row}, {self.attributes[column]!r}, is {targets[row, column].item()}; expected 0, 1 or "
                "NaN (unknown)"
            )
        terms = self.terms(logits, targets)
        if self.reduction == "none":
            return terms
        total = terms.sum()
        return total if self.reduction == "sum" else total / self.normalizer(targets).clamp(min=1)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Announce the epoch, counted from 0, and the total number of epochs; most losses ignore it."""

    @property
    def logit_shift(self) -> Tensor | None:
        """``(A,)`` float32, or None; see the class."""
        return None

    def link(self, eta: Tensor) -> Tensor | None:
        """Compute the output that minimises the expected loss where the positive class has probability ``eta``.

        Args:
            eta: ``(..., A)`` in [0, 1].

        Returns:
            ``(..., A)`` float64, or None where no such function exists.
        """
        del eta
        return None

    def inverse_link(self, z: Tensor) -> Tensor | None:
        """Compute the positive-class probability for which ``z``, ``(..., A)``, is optimal; float64, or None."""
        del z
        return None


class SidedLoss(AttributeLoss):
    """A loss with one function of the logit for positives and one for negatives.

    The links follow from these: at the optimum η ℓ+'(z) + (1 - η) ℓ-'(z) = 0, so η = ℓ-' / (ℓ-' - ℓ+'). The inverse
    link is that quotient (by autograd); the link inverts it by bisection, which requires it to increase with z.

    Example:
        >>> import torch
        >>> from bincam.train import ClassCounts, make_loss
        >>> focal = make_loss("focal", ClassCounts(("Bald",), [90], [10]), gamma=2)
        >>> focal.link(torch.tensor([0.9])).round(decimals=2)  # the log-odds are 2.20
        tensor([0.8200], dtype=torch.float64)
    """

    @abstractmethod
    def sides(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute ℓ+ and ℓ-, the losses of a positive and of a negative, each with the shape of ``z``, ``(..., A)``."""

    def known_terms(self, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """Select the side of each target."""
        del known
        positive, negative = self.sides(logits)
        return torch.where(targets == 1, positive, negative)

    def inverse_link(self, z: Tensor) -> Tensor | None:
        """Compute ℓ-' / (ℓ-' - ℓ+') at ``z``, ``(..., A)``."""
        with torch.enable_grad():
            at = z.detach().double().requires_grad_()
            positive, negative = self.sides(at)
            (rise,) = torch.autograd.grad(positive.sum(), at, retain_graph=True)
            (fall,) = torch.autograd.grad(negative.sum(), at)
        return fall / (fall - rise)

    def link(self, eta: Tensor) -> Tensor | None:
        """Invert the inverse link; infinite at 0, at 1, and where the expected loss decreases without end."""
        target = eta.detach().double()
        low, high = torch.full_like(target, -_BRACKET), torch.full_like(target, _BRACKET)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            probability = self.inverse_link(middle)
            assert probability is not None  # it is defined above
            low, high = torch.where(probability < target, middle, low), torch.where(probability < target, high, middle)
        lowest, highest = (target == 0) | (high == -_BRACKET), (target == 1) | (low == _BRACKET)
        optimum = torch.where(lowest, -torch.inf, torch.where(highest, torch.inf, (low + high) / 2))
        return torch.where((target >= 0) & (target <= 1), optimum, torch.nan)


class WeightedLoss(SidedLoss):
    """A sided loss with class weights w+ and w-, ``(A,)`` float32 buffers."""

    weight_negative: Tensor
    weight_positive: Tensor

    def __init__(self, counts: ClassCounts, weights: ClassWeights, *, reduction: Reduction = "mean") -> None:
        super().__init__(counts, reduction=reduction)
        self.register_buffer("weight_negative", weights.negative.float(), persistent=False)
        self.register_buffer("weight_positive", weights.positive.float(), persistent=False)

    def apply_weights(self, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply the two sides by their weights."""
        return positive * self.weight_positive.to(positive), negative * self.weight_negative.to(negative)
