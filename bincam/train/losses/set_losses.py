"""Losses of a set of outputs of which exactly one is true: softmax cross-entropy, weighted or logit-adjusted."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bincam.errors import InputError
from bincam.train.configuration.options import require_not_negative


class SetCrossEntropy(nn.Module):
    """``cross_entropy``: softmax cross-entropy of raw scores r, with label smoothing.

    A row costs Σ_a q_a w_a log(1 / p_a), p the softmax of r plus the adjustment, w the class weights, and q the labels:
    1 - ε + ε/K of the true output and ε/K of each other (Szegedy et al. 2016, eq. 7, with the uniform distribution).
    The mean is over images, not weights.

    Rows whose labels are NaN have no effect: no value and no gradient changes by a bit, whatever their scores.

    Attributes:
        outputs: Number of outputs K.
        label_smoothing: ε.
        treats_equally: True if no output weighs more than another and nothing is added to the scores.
        heads: Number of heads that the loss reads, each with K outputs.
        separable: True if a term depends only on its own image.
        warming: True in epochs in which a part of the model is not trained; such epochs are not kept.

    Example:
        >>> import torch
        >>> loss = SetCrossEntropy([70, 20, 10])
        >>> labels = torch.tensor([[0.0, 1.0, 0.0], [torch.nan] * 3])
        >>> loss.terms(torch.zeros(2, 3), labels)  # log 3
        tensor([1.0986, 0.0000])
    """

    heads: ClassVar[int] = 1
    separable: ClassVar[bool] = True
    weight: Tensor
    adjustment: Tensor

    def __init__(self, images: ArrayLike, *, label_smoothing: float = 0.0) -> None:
        """Take the training counts of the outputs.

        Args:
            images: ``(K,)``: training images of each output.
            label_smoothing: ε in [0, 1).

        Raises:
            InputError: An output has no training image, or an option is out of bounds.
        """
        super().__init__()
        counts = _checked(images)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing={label_smoothing}: expected a number from 0 to below 1")
        self.outputs, self.label_smoothing = len(counts), label_smoothing
        self.treats_equally, self.warming = True, False
        self.register_buffer("weight", torch.ones(len(counts), dtype=torch.float64), persistent=False)
        self.register_buffer("adjustment", torch.zeros(len(counts), dtype=torch.float64), persistent=False)

    def terms(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of each row before reduction.

        Args:
            scores: ``(B, K)`` raw scores, of any floating type; of a loss of two heads ``(B, 2K)``, side by side.
            labels: ``(B, K)``: in every row one 1 and otherwise 0, or NaN throughout.

        Returns:
            ``(B,)`` float32, or float64 for float64 scores; 0 where the labels are NaN.

        Raises:
            InputError: The shapes are others.
        """
        width = self.heads * self.outputs
        if scores.ndim != 2 or scores.shape[1] != width or labels.shape != (len(scores), self.outputs):
            raise InputError(
                f"expected scores (B, {width}) and labels (B, {self.outputs}), got {tuple(scores.shape)} and "
                f"{tuple(labels.shape)}"
            )
        with torch.autocast(scores.device.type, enabled=False):
            r = scores if scores.dtype == torch.float64 else scores.float()
            y = labels.to(r)
            known = ~y.isnan().any(1, keepdim=True)
            r, y = torch.where(known, r, 0.0), torch.where(known, y, 0.0)
            return torch.where(known[:, 0], self.known_terms(r, y, known), 0.0)

    def known_terms(self, scores: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Compute the terms ``(B,)`` of float32 or float64 scores; both are 0 where not ``known``, ``(B, 1)``."""
        del known
        adjusted, weight = scores + self.adjustment.to(scores), self.weight.to(scores)
        return cross_entropy(adjusted, labels, weight, reduction="none", label_smoothing=self.label_smoothing)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Announce the epoch, counted from 0, and the total number of epochs; most losses ignore it."""

    def normalizer(self, labels: Tensor) -> Tensor:
        """Return the divisor of the sum of ``terms``: the number of rows with known labels, a float scalar."""
        return (~labels.isnan().any(1)).sum().float()

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean loss of the rows with known labels; 0 if there are none.

        Raises:
            InputError: The shapes are others, or a row has no true label or several.
        """
        terms = self.terms(scores, labels)
        known = ~labels.isnan().all(1)
        single = ((labels == 1).sum(1) == 1) & ((labels == 0).sum(1) == labels.shape[1] - 1)
        if bool((known & ~single).any()):
            row = int(torch.nonzero(known & ~single)[0, 0])
            raise InputError(
                f"labels of row {row} of a set are {labels[row].tolist()}; exactly one is 1 and the others are 0, or "
                "all are NaN (unknown)"
            )
        return terms.sum() / self.normalizer(labels).clamp(min=1)

    @property
    def score_shift(self) -> Tensor | None:
        """``(K,)`` float64: by how much the optimal raw score exceeds the log-probability, up to a constant in the set.

        log w less the adjustment; its mean is 0. None with label smoothing, under which there is no such constant.
        """
        if self.label_smoothing:
            return None
        shift = self.weight.log() - self.adjustment
        return shift - shift.mean()


class SetInverseFrequency(SetCrossEntropy):
    """``inverse_frequency``: cross-entropy with the class weights w_a = N / (K n_a), whose mean over images is 1.

    n_a are the training images of an output and N their sum; scikit-learn's ``class_weight="balanced"``. The optimal
    scores are those of a data set in which all outputs are equally frequent.

    Example:
        >>> SetInverseFrequency([70, 20, 10]).weight
        tensor([0.4762, 1.6667, 3.3333], dtype=torch.float64)
        >>> SetInverseFrequency([70, 20, 10], max_weight=2).weight
        tensor([0.5000, 1.6667, 2.0000], dtype=torch.float64)
    """

    def __init__(self, images: ArrayLike, *, max_weight: float | None = None, label_smoothing: float = 0.0) -> None:
        """Compute the weights.

        Args:
            images: ``(K,)``: training images of each output.
            max_weight: Clips weights to this and its inverse, so that an output of a few images does not dominate.
            label_smoothing: ε in [0, 1).

        Raises:
            InputError: An output has no training image, or an option is out of bounds.
        """
        super().__init__(images, label_smoothing=label_smoothing)
        counts = _checked(images)
        weight = counts.sum() / (len(counts) * counts)
        if max_weight is not None:
            if not max_weight >= 1:
                raise InputError(f"max_weight={max_weight}: expected a number of at least 1")
            weight = weight.clip(1 / max_weight, max_weight)
        self.weight = torch.from_numpy(weight)
        self.treats_equally = bool(np.all(weight == weight[0]))


class SetEffectiveNumber(SetCrossEntropy):
    """``class_balanced``: weights by effective number of images, w_a ∝ (1 - β) / (1 - β^n_a), with the sum K.

    Cui, Jia, Lin, Song, Belongie 2019 (CVPR), eqs. 2 and 3, on their softmax cross-entropy. β = 0 gives equal weights,
    β → 1 the inverse frequencies. Deviation: the mean is over images, not over their weights.

    Example:
        >>> SetEffectiveNumber([9000, 900, 100], beta=0.999).weight
        tensor([0.2275, 0.3832, 2.3893], dtype=torch.float64)
    """

    def __init__(self, images: ArrayLike, *, beta: float = 0.9999, label_smoothing: float = 0.0) -> None:
        """Compute the weights.

        Args:
            images: ``(K,)``: training images of each output.
            beta: β in [0, 1).
            label_smoothing: ε in [0, 1).

        Raises:
            InputError: An output has no training image, or an option is out of bounds.
        """
        super().__init__(images, label_smoothing=label_smoothing)
        if not 0 <= beta < 1:
            raise InputError(f"beta={beta}: expected a number in [0, 1)")
        counts = _checked(images)
        each = 1 / -np.expm1(counts * np.log(beta)) if beta else np.ones_like(counts)
        self.weight = torch.from_numpy(len(counts) * each / each.sum())
        self.treats_equally = bool(np.all(each == each[0]))


class SetLogitAdjusted(SetCrossEntropy):
    """``logit_adjusted``: cross-entropy of r + τ log π, π the outputs' shares in training (Menon et al. 2021, eq. 10).

    With τ = 1 the greatest raw score minimises the balanced error; the prior is not added when the model is used.

    Example:
        >>> SetLogitAdjusted([80, 20]).score_shift
        tensor([-0.6931,  0.6931], dtype=torch.float64)
    """

    def __init__(self, images: ArrayLike, *, tau: float = 1.0, label_smoothing: float = 0.0) -> None:
        """Compute the prior.

        Args:
            images: ``(K,)``: training images of each output.
            tau: τ, not negative; 0 is cross-entropy.
            label_smoothing: ε in [0, 1).

        Raises:
            InputError: An output has no training image, or an option is out of bounds.
        """
        super().__init__(images, label_smoothing=label_smoothing)
        require_not_negative(tau=tau)
        counts = _checked(images)
        self.adjustment = torch.from_numpy(tau * np.log(counts / counts.sum()))
        self.treats_equally = tau == 0 or bool(np.all(counts == counts[0]))


def _checked(images: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(images, np.float64)
    if counts.ndim != 1 or len(counts) < 2:
        raise InputError(f"expected the training images of the K >= 2 outputs of a set, got shape {counts.shape}")
    if (counts < 1).any():
        raise InputError(f"output {int((counts < 1).argmax())} of a set has no training image; it cannot be learned")
    return counts
