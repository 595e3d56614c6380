"""A question that a model answers: a yes-or-no attribute, or a set of outputs of which one is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.data.matching import class_label
from bincam.one_of import Sets, rarer_than_even, set_columns, yes_or_no
from bincam.stats.class_counts import minority_is_positive
from bincam.stats.framing.answers import Codes, Ints, attribute_answers, set_answers

NO_YES = ("no", "yes")


@dataclass(frozen=True)
class Question:
    """One question, with the columns of its outputs.

    Attributes:
        name: Name of the attribute or of the set.
        outputs: Names of its outputs; an attribute has one, its own.
        columns: Their columns.
        rare: For each answer, whether it is of the minority in training. Answers are 0 (no) and 1 (yes), or the index
            of an output.

    Example:
        >>> smiling, hair = Question.all_of(
        ...     ["Smiling", "dark", "blond"], {"hair": ("dark", "blond")},
        ...     {"Smiling": (90, 10), "dark": (30, 70), "blond": (70, 30)},
        ... )
        >>> smiling.answers_named, smiling.rare, hair.answers_named, hair.rare
        (('no', 'yes'), (False, True), ('dark', 'blond'), (False, True))
    """

    name: str
    outputs: tuple[str, ...]
    columns: tuple[int, ...]
    rare: tuple[bool, ...]

    @classmethod
    def all_of(
        cls, names: Sequence[str], one_of: Sets, train_counts: Mapping[str, tuple[int, int]]
    ) -> tuple[Question, ...]:
        """Make the questions of outputs: yes-or-no attributes in their order, then sets.

        Args:
            names: The A outputs.
            one_of: Sets of them.
            train_counts: Negatives and positives of each output in training.
        """
        single = []
        for column in yes_or_no(names, one_of):
            positive = bool(minority_is_positive(*train_counts[names[column]]))
            single.append(cls(names[column], (names[column],), (column,), (not positive, positive)))
        sets = []
        for name, columns in set_columns(one_of, names).items():
            rare = rarer_than_even([train_counts[output][1] for output in one_of[name]])
            sets.append(cls(name, one_of[name], columns, tuple(rare.tolist())))
        return (*single, *sets)

    @property
    def is_set(self) -> bool:
        """True for a set of outputs."""
        return len(self.outputs) > 1

    @property
    def answers_named(self) -> tuple[str, ...]:
        """The possible answers in words."""
        return tuple(class_label(output, self.name) for output in self.outputs) if self.is_set else NO_YES

    def answers(
        self, positive: NDArray[np.bool_], undefined: NDArray[np.bool_], labels: NDArray[np.floating]
    ) -> tuple[Codes, Ints]:
        """Read the answers of N images at V views, and the true ones.

        Args:
            positive: ``(N, V, A)`` decisions.
            undefined: ``(N, V, A)``: views without one.
            labels: ``(N, A)``: 1, 0 or NaN.

        Returns:
            ``(N, V)`` and ``(N,)``, -1 where there is none.
        """
        columns = list(self.columns)
        if self.is_set:
            return set_answers(positive[..., columns], undefined[..., columns], labels[:, columns])
        column = columns[0]
        return attribute_answers(positive[..., column], undefined[..., column], labels[:, column])
