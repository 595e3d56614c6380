"""Decisions of a batch where there are sets of outputs: in a set the output with the highest raw score is predicted.

They are made from the float32 scores that the audit stores, so that what is computed from these later is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.parts.sets import columns_of_scores
from bincam.cam import Explanation
from bincam.decision import is_positive
from bincam.one_of import Sets, predicted_outputs


@dataclass(frozen=True)
class Decided:
    """The decisions of B images and A rows of the records.

    Attributes:
        positive: ``(B, A)``, booleans: decided yes; in a set the predicted output alone.
        unknown: ``(B, A)``, booleans: rows of a set of which a score is not finite, so that nothing is decided.
    """

    positive: Tensor
    unknown: Tensor

    def defined(self, values: Tensor) -> Tensor:
        """Set values ``(B, A)`` to NaN where nothing is decided."""
        return values.masked_fill(self.unknown.to(values.device), torch.nan)


def set_scores(explanation: Explanation, columns: Mapping[str, Sequence[int]]) -> NDArray[np.float32]:
    """Return the raw scores of the sets, ``(B, outputs of all sets)``.

    Args:
        explanation: Of the batch.
        columns: Name of each audited set to the columns of its outputs among all outputs of the model.
    """
    assert explanation.scores is not None
    order = [column for members in columns.values() for column in members]
    scores: NDArray[Any] = explanation.scores[:, order].to(torch.float32).numpy(force=True)
    return np.ascontiguousarray(scores)


def predictions(scores: NDArray[np.float32], one_of: Sets) -> dict[str, NDArray[np.int64]]:
    """Find the predicted output of each set, ``(B,)`` indices into its outputs; -1 where a score is not finite."""
    return {name: predicted_outputs(scores[:, at]) for name, at in columns_of_scores(one_of).items()}


def decide_rows(explanation: Explanation, predicted: Mapping[str, NDArray[np.int64]], one_of: Sets) -> Decided:
    """Decide the outputs of an explanation: yes-or-no attributes by thresholds, sets by their predicted outputs.

    Args:
        explanation: Of yes-or-no attributes and outputs of sets by their names.
        predicted: Of ``predictions``.
        one_of: The audited sets.
    """
    positive = is_positive(explanation.logits, explanation.threshold)
    unknown = torch.zeros_like(positive)
    place = {name: a for a, name in enumerate(explanation.attributes)}
    for name, members in one_of.items():
        if not place.keys() >= set(members):  # a large set, which has other rows
            continue
        chosen = torch.from_numpy(predicted[name]).to(positive.device)
        for k, output in enumerate(members):
            positive[:, place[output]] = chosen == k
            unknown[:, place[output]] = chosen < 0
    return Decided(positive, unknown)
