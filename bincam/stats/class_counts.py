"""Counts of negatives and positives per attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import check_labels
from bincam.display import counted
from bincam.errors import InputError


def minority_is_positive(negatives: Any, positives: Any) -> Any:
    """Decide from training counts if the positive class is the rarer one; on a tie it is. Takes numbers or arrays.

    >>> minority_is_positive(negatives=90, positives=10)
    True
    """
    return positives <= negatives


class Labelled(Protocol):
    """A table of labels, such as ``bincam.data.AttributeTable``."""

    @property
    def names(self) -> tuple[str, ...]:
        """The A attributes."""

    @property
    def labels(self) -> NDArray[np.float32]:
        """``(N, A)``: 1, 0 or NaN."""


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Numbers of negatives and positives of each attribute in training.

    Attributes:
        attributes: The A attributes.
        negatives: ``(A,)`` int64.
        positives: ``(A,)`` int64. Images with an unknown label are counted in neither.

    Example:
        >>> counts = ClassCounts.from_labels(("Bald", "Young"), [[0, 1], [0, 1], [1, float("nan")]])
        >>> counts.pairs()
        {'Bald': (2, 1), 'Young': (0, 2)}
        >>> counts.minority_positive
        array([ True, False])
    """

    attributes: tuple[str, ...]
    negatives: NDArray[np.int64]
    positives: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("negatives", "positives"):
            counts = np.asarray(getattr(self, name))
            if counts.shape != (len(self.attributes),):
                raise InputError(
                    f"{name} of {counted(len(self.attributes), 'attribute')} have shape {(len(self.attributes),)}, "
                    f"got {counts.shape}"
                )
            whole = counts.astype(np.int64)
            if (whole != counts).any() or (whole < 0).any():
                i = int(np.flatnonzero((whole != counts) | (whole < 0))[0])
                raise InputError(f"{name} of {self.attributes[i]!r}: a count is a whole number >= 0, got {counts[i]}")
            whole.setflags(write=False)
            object.__setattr__(self, name, whole)

    @classmethod
    def from_labels(cls, attributes: tuple[str, ...], labels: ArrayLike) -> ClassCounts:
        """Count ``(N, A)`` labels: 1, 0 or NaN.

        Raises:
            InputError: A label is another number.
        """
        values = check_labels(labels)
        return cls(attributes, np.count_nonzero(values == 0, axis=0), np.count_nonzero(values == 1, axis=0))

    @classmethod
    def from_table(cls, table: Labelled) -> ClassCounts:
        """Count a table's labels. Give it the training split: ``table.split("train")``."""
        return cls.from_labels(table.names, table.labels)

    def pairs(self) -> dict[str, tuple[int, int]]:
        """Attribute to ``(negatives, positives)``, as cards and manifests have it."""
        columns = zip(self.attributes, self.negatives.tolist(), self.positives.tolist(), strict=True)
        return {name: (negatives, positives) for name, negatives, positives in columns}

    def select(self, columns: Sequence[int]) -> ClassCounts:
        """Return the counts of some columns, in the order given.

        >>> ClassCounts(("Bald", "Young"), [1, 2], [3, 4]).select([1]).pairs()
        {'Young': (2, 4)}
        """
        at = list(columns)
        return ClassCounts(tuple(self.attributes[i] for i in at), self.negatives[at], self.positives[at])

    @property
    def minority_positive(self) -> NDArray[np.bool_]:
        """``(A,)``: True where the positive class is the rarer one in training; on a tie it is."""
        return np.asarray(minority_is_positive(self.negatives, self.positives))

    def require_both(self, what: str) -> None:
        """Refuse attributes that have one class only.

        Args:
            what: What needs both classes; the message begins with it.

        Raises:
            InputError: An attribute has one class only; the message names the attributes and the class they lack.
        """
        if lacking := self.lacking():
            raise InputError(f"{what} needs both classes in training, and {lacking}; leave the attribute out")

    def lacking(self) -> str:
        """List the attributes that have one class only, and the class they lack, in words; empty if all have both."""
        parts = [
            f"{name!r} has no {'negatives' if not negatives else 'positives'}"
            for name, negatives, positives in zip(self.attributes, self.negatives, self.positives, strict=True)
            if not negatives or not positives
        ]
        return ", ".join(parts[:3]) + (f" (and {len(parts) - 3} more)" if len(parts) > 3 else "")
