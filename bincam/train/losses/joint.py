"""The loss of a model with sets of outputs: that of its attributes and one for each set, added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from bincam.errors import InputError
from bincam.models.heads import Head
from bincam.train.losses.base import AttributeLoss
from bincam.train.losses.set_losses import SetCrossEntropy


class RunLoss(Protocol):
    """The loss of a training run: an ``AttributeLoss``, or a ``JointLoss`` where there are sets.

    The loss of a batch is Σ sums / normaliser over its P parts (one without sets), each summed over all processes and
    divisions of the batch first.
    """

    @property
    def head(self) -> Head:
        """The meaning of the outputs."""

    @property
    def separable(self) -> bool:
        """True if a term depends only on its own image."""

    @property
    def warming(self) -> bool:
        """True in epochs in which a part of the model is not trained; such epochs are not kept."""

    def sums(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Compute the weighted sums of the terms of some images, ``()`` or ``(P,)``."""

    def normalizer(self, labels: Tensor) -> Tensor:
        """Return the divisors of the sums, of the same shape."""

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Announce the epoch."""


class JointLoss(nn.Module):
    """The mean loss over the known labels of attributes plus, for each set, its weight times its mean over images.

    A set is one question per image, however many outputs it has, and so are all attributes together: their losses are
    means over their own known labels before they are weighted and added. A label that is unknown therefore changes the
    weight of no other part.

    Attributes:
        parts: Names of the P parts: ``attributes``, if there are any, and the sets.

    Example:
        >>> import torch
        >>> from bincam.train import ClassCounts, make_loss, make_set_loss
        >>> loss = JointLoss(
        ...     make_loss("bce", ClassCounts(("Male",), [50], [50])), [0],
        ...     {"hair": make_set_loss("cross_entropy", [70, 20, 10])}, {"hair": [1, 2, 3]}, {"hair": 0.5},
        ... )
        >>> loss.parts, loss.sums(torch.zeros(2, 4), torch.tensor([[1.0, 0, 1, 0], [0.0, 1, 0, 0]]))
        (('attributes', 'hair'), tensor([1.3863, 1.0986]))
    """

    def __init__(
        self,
        attributes: AttributeLoss | None,
        attribute_columns: list[int],
        sets: Mapping[str, SetCrossEntropy],
        set_columns: Mapping[str, list[int]],
        weights: Mapping[str, float],
    ) -> None:
        """Join losses.

        Args:
            attributes: Of the yes-or-no attributes; None if there are none.
            attribute_columns: Their columns.
            sets: Of the sets, by name.
            set_columns: The columns of the outputs of each set.
            weights: Of the sets, above 0; 1 where none is given. The weight of the attributes is 1.

        Raises:
            InputError: The attributes' loss trains margins, or a weight names no set or is not above 0.
        """
        super().__init__()
        if attributes is not None and attributes.head != "logits":
            raise InputError(
                f"a loss whose outputs are {attributes.head!r} cannot be joined with sets, whose outputs are logits; "
                "choose another loss for the attributes, such as moon_bce"
            )
        for name, weight in weights.items():
            if name not in sets:
                raise InputError(f"set_weights names the set {name!r}; the sets are {', '.join(sets)}")
            if not weight > 0:
                raise InputError(f"set_weights of {name!r} is {weight}: expected a number above 0")
        self.attributes = attributes
        self.attribute_columns = attribute_columns
        self.names = tuple(sets)
        self.set_losses = nn.ModuleList(sets.values())
        self.set_columns = [list(set_columns[name]) for name in sets]
        self.weights = [float(weights.get(name, 1.0)) for name in sets]
        self._behind = {c: at for at, c in enumerate(sorted(c for own in self.set_columns for c in own))}

    @property
    def head(self) -> Head:
        """Logits: scores of attributes before a sigmoid, of sets before a softmax."""
        return "logits"

    @property
    def separable(self) -> bool:
        """True if a term depends only on its own image."""
        of_sets = all(self.of_set(name).separable for name in self.names)
        return of_sets and (self.attributes is None or self.attributes.separable)

    @property
    def warming(self) -> bool:
        """True in epochs in which a part of the model is not trained."""
        return any(self.of_set(name).warming for name in self.names)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts, in the order of ``sums``."""
        return (*(("attributes",) if self.attributes is not None else ()), *self.names)

    def of_set(self, name: str) -> SetCrossEntropy:
        """Return the loss of a set."""
        loss = self.set_losses[self.names.index(name)]
        assert isinstance(loss, SetCrossEntropy)
        return loss

    def sums(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Compute the weighted sums of the terms of each part.

        Args:
            scores: ``(B, A)`` logits of attributes and raw scores of sets; where losses of sets read a second head,
                ``(B, A + S)`` with those of the S outputs in sets behind, in the order of their columns.
            labels: ``(B, A)``.

        Returns:
            ``(P,)``.
        """
        sums = []
        if self.attributes is not None:
            own = self.attribute_columns
            sums.append(self.attributes.terms(scores[:, own], labels[:, own]).sum())
        for name, columns, weight in zip(self.names, self.set_columns, self.weights, strict=True):
            loss = self.of_set(name)
            read = columns if loss.heads == 1 else columns + [labels.shape[1] + self._behind[c] for c in columns]
            sums.append(weight * loss.terms(scores[:, read], labels[:, columns]).sum())
        return torch.stack(sums)

    def normalizer(self, labels: Tensor) -> Tensor:
        """Return the divisors ``(P,)``: known labels of the attributes, and images with a known label of each set."""
        known = []
        if self.attributes is not None:
            known.append(self.attributes.normalizer(labels[:, self.attribute_columns]))
        for name, columns in zip(self.names, self.set_columns, strict=True):
            known.append(self.of_set(name).normalizer(labels[:, columns]))
        return torch.stack(known)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Announce the epoch to all losses."""
        if self.attributes is not None:
            self.attributes.set_epoch(epoch, epochs)
        for name in self.names:
            self.of_set(name).set_epoch(epoch, epochs)
