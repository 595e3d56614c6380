"""The two-head loss: a softmax head for the label, a sigmoid head for the labels that are left open."""

from __future__ import annotations

from typing import ClassVar

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

from bincam.errors import InputError
from bincam.train.configuration.options import require_not_negative, require_positive
from bincam.train.losses.set_losses import SetCrossEntropy


def pseudo_labels(scores: Tensor, labels: Tensor, size: float) -> Tensor:
    """Choose the labels of a batch that its softmax leaves open: round(K·B) of them, K per image on average.

    First the true labels, then the entries of greatest softmax of the whole batch; of equals those of the first image,
    and of an image its first output. So an ambiguous image gets several, and a clear one its own alone. K·B is rounded
    as by Python, halves to even. Nothing is differentiated through the choice.

    Args:
        scores: ``(B, K)`` raw scores.
        labels: ``(B, K)``: in every row one 1 and otherwise 0, or NaN throughout; B counts the former.
        size: K, from 1 to the number of outputs.

    Returns:
        ``(B, K)`` bool; False in rows whose label is unknown.

    Raises:
        InputError: The shapes differ, or the size is out of bounds.

    Example:
        >>> import torch
        >>> from bincam.train import pseudo_labels
        >>> scores = torch.tensor([[4.0, 0.0, 0.0], [1.0, 0.9, 0.0]])
        >>> pseudo_labels(scores, torch.tensor([[1.0, 0, 0], [1.0, 0, 0]]), size=1.5).int()
        tensor([[1, 0, 0],
                [1, 1, 0]], dtype=torch.int32)
    """
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise InputError(f"expected scores and labels (B, K), got {tuple(scores.shape)} and {tuple(labels.shape)}")
    _check_size(size, scores.shape[1])
    known = ~labels.isnan().any(1, keepdim=True)
    # The order of the softmax; where that saturates its logarithm still tells entries apart.
    r = scores.detach() if scores.dtype == torch.float64 else scores.detach().float()
    open_ = log_softmax(torch.where(known, r, 0.0), dim=1)
    rank = torch.where(known, torch.where(labels == 1, torch.inf, open_), -torch.inf).flatten()
    order = rank.argsort(descending=True, stable=True)
    wanted = (size * known.sum().double()).round()  # a tensor, because a number would wait for a GPU
    chosen = torch.zeros_like(rank, dtype=torch.bool)
    chosen[order] = torch.arange(len(rank), device=rank.device) < wanted
    return chosen.view_as(labels)


class SetTwoHead(SetCrossEntropy):
    """``two_head``: CE(f) + w · BCE(g, pseudo-labels): label sets come from g, decisions from f.

    f is the softmax head and g the sigmoid head of one backbone. An image costs the cross-entropy of f plus w times the
    mean binary cross-entropy of the outputs of g against ``pseudo_labels`` of f: round(K·B) entries of the B images
    that a process computes at once. With accumulation each part is a batch of its own (``separable`` is False), and a
    validation split is one batch.

    This is a reconstruction from the abstract of Garcin, Servajean, Joly, Salmon 2023 (arXiv 2303.18118, WACV 2025, A
    two-head loss function for deep Average-K classification): neither the full text nor the code could be had. The
    abstract has a second, multi-label head trained on pseudo-labels that come from thresholding the softmax head such
    that K classes are returned on average. Ours are therefore: thresholding by batch, the true label always among the
    pseudo-labels, ties by index, the sum of both losses with a weight, the mean over outputs, and the warm-up.

    Example:
        >>> import torch
        >>> loss = SetTwoHead([50, 30, 20], size=2)
        >>> both = torch.zeros(1, 6)  # f and g of one image
        >>> loss.terms(both, torch.tensor([[0.0, 1.0, 0.0]]))  # log 3 + log 2
        tensor([1.7918])
    """

    heads: ClassVar[int] = 2
    separable: ClassVar[bool] = False

    def __init__(
        self,
        images: ArrayLike,
        *,
        size: float = 2.0,
        weight: float = 1.0,
        warmup_epochs: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        """Set the size of label sets.

        Args:
            images: ``(K,)``: training images of each output.
            size: K, the mean number of pseudo-labels of an image, from 1 (the true label alone) to the number of
                outputs; not necessarily whole.
            weight: w, above 0.
            warmup_epochs: Epochs at the beginning in which f is trained alone, because its softmax says nothing yet.
                They are not kept as the best, because g says nothing then.
            label_smoothing: ε of the cross-entropy of f, in [0, 1).

        Raises:
            InputError: An output has no training image, or an option is out of bounds.
        """
        super().__init__(images, label_smoothing=label_smoothing)
        _check_size(size, self.outputs)
        require_positive(weight=weight)
        require_not_negative(warmup_epochs=warmup_epochs)
        self.size, self.second_weight, self.warmup_epochs = float(size), float(weight), warmup_epochs
        self.warming = warmup_epochs > 0

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Announce the epoch, counted from 0: whether the sigmoid head is trained in it.

        Raises:
            InputError: It would be trained in none.
        """
        if self.warmup_epochs >= epochs:
            raise InputError(
                f"two_head: warmup_epochs {self.warmup_epochs:g} of {epochs} epochs leave none to train the sigmoid "
                "head; lower warmup_epochs"
            )
        self.warming = epoch < self.warmup_epochs

    def known_terms(self, scores: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Add the weighted binary cross-entropy of the second head."""
        f, g = scores.split(self.outputs, dim=1)
        chosen = pseudo_labels(f, torch.where(known, labels, torch.nan), self.size)
        second = binary_cross_entropy_with_logits(g, chosen.to(g), reduction="none").mean(1)
        # Times 0 and not left out, because several processes expect a gradient of every weight.
        return super().known_terms(f, labels, known) + (0.0 if self.warming else self.second_weight) * second


def _check_size(size: float, outputs: int) -> None:
    if not 1 <= size <= outputs:
        raise InputError(f"size={size}: expected 1 to {outputs}, the number of the set's outputs")
