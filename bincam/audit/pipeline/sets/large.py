"""Rows of sets with many outputs: for each image the predicted and the true output, in place of one row per output.

Both rows are the same where the prediction is right. The other outputs are not explained; their raw scores are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.parts.sets import slots
from bincam.audit.pipeline.sets.decisions import Decided
from bincam.cam import Explainer, Explanation, PlacedViews
from bincam.cam.decompose import Decomposition
from bincam.cam.requests.targets import Side
from bincam.models import Card
from bincam.one_of import Sets, true_outputs


@dataclass(frozen=True)
class LargeSets:
    """The large sets of an audit.

    Attributes:
        one_of: Names of the sets to their outputs.
        true: Name of a set to the true output of every row of the table ``(N,)``, an index into its outputs; -1 where
            unknown.
        explainers: Spec of a method to the explainer of the outputs with the highest scores.
    """

    one_of: Sets
    true: Mapping[str, NDArray[np.int64]]
    explainers: Mapping[str, Explainer]

    @classmethod
    def of(
        cls, one_of: Sets, names: Sequence[str], labels: NDArray[np.float32], explainers: Mapping[str, Explainer]
    ) -> LargeSets:
        """Find the true outputs in the labels ``(N, A)`` of a table with columns ``names``."""
        column = {name: a for a, name in enumerate(names)}
        true = {name: true_outputs(labels[:, [column[m] for m in members]]) for name, members in one_of.items()}
        return cls(one_of, true, explainers)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows of an image."""
        return tuple(slot for name in self.one_of for slot in slots(name))

    @property
    def members(self) -> tuple[str, ...]:
        """All outputs of the sets."""
        return tuple(output for members in self.one_of.values() for output in members)

    def explain(self, spec: str, images: Tensor | PlacedViews, side: Side, rows: Tensor) -> Explanation:
        """Explain the predicted and the true output of each set.

        Args:
            spec: The method.
            images: ``(B, C, H, W)``, or views of B images.
            side: The side to explain.
            rows: ``(B,)``: rows of the table.

        Returns:
            The explanation, whose attributes are ``names``. Where a label is unknown, the true output has neither side
            nor map, nor has the predicted one if the true side is explained.
        """
        explained, ranks = self.explain_ranks(spec, images, side, rows)
        places = [explained.attributes.index(rank) for rank in ranks]
        return _part(explained, places, self.names, self.unexplained(side, rows))

    def explain_ranks(
        self, spec: str, images: Tensor | PlacedViews, side: Side, rows: Tensor
    ) -> tuple[Explanation, tuple[str, ...]]:
        """Explain as the method's explainer does, by ranks, for measures that explain changed images like these.

        Returns:
            The explanation, and its attributes in the order of ``names``.
        """
        explainer = self.explainers[spec]
        card = explainer.card
        assert card is not None
        ranks = tuple(f"{name}: {rank}" for name in self.one_of for rank in ("1st", "true"))
        return explainer(images, side, self._labels(card, rows)), ranks

    def unexplained(self, side: Side, rows: Tensor) -> Tensor:
        """Mark the rows without an explanation ``(B, names)``, because a label is unknown."""
        unknown = []
        for name in self.one_of:
            missing = torch.from_numpy(self.true[name][rows.numpy()] < 0)
            unknown += [missing if side == "true" else torch.zeros_like(missing), missing]
        return torch.stack(unknown, 1)

    def labels(self, predicted: Mapping[str, NDArray[np.int64]], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the labels ``(B, names)``: 1 if the output of the row is the true one, else 0; NaN where unknown."""
        columns: list[NDArray[Any]] = []
        for name in self.one_of:
            true = self.true[name][rows]
            known = np.where(true < 0, np.nan, 1.0)
            columns += [np.where(true < 0, np.nan, predicted[name] == true), known]
        return np.stack(columns, 1).astype(np.float32)

    def decide(self, predicted: Mapping[str, NDArray[np.int64]], rows: NDArray[np.int64]) -> Decided:
        """Decide the rows: the predicted output is taken, the true one if it is the predicted one."""
        positive, unknown = [], []
        for name in self.one_of:
            said, true = predicted[name], self.true[name][rows]
            positive += [said >= 0, (said >= 0) & (said == true)]
            unknown += [said < 0, (said < 0) | (true < 0)]
        return Decided(torch.from_numpy(np.stack(positive, 1)), torch.from_numpy(np.stack(unknown, 1)))

    def outputs(
        self, predicted: Mapping[str, NDArray[np.int64]], rows: NDArray[np.int64], names: Sequence[str]
    ) -> NDArray[np.int64]:
        """Return the outputs of the rows ``(B, names)``, as indices into ``names``, whose last one stands for none."""
        place = {name: number for number, name in enumerate(names)}
        columns = []
        for name, members in self.one_of.items():
            index = np.array([*(place[member] for member in members), len(names) - 1])  # -1 is the last one
            columns += [index[predicted[name]], index[self.true[name][rows]]]
        return np.stack(columns, 1)

    def _labels(self, card: Card, rows: Tensor) -> Tensor:
        """Labels ``(B, all outputs)``, which choose the true outputs; of unknown ones and of other sets, the first."""
        labels = torch.full((len(rows), len(card.attributes)), torch.nan)
        for name, columns in card.set_columns.items():
            true = self.true[name][rows.numpy()] if name in self.true else np.zeros(len(rows), np.int64)
            labels[:, list(columns)] = 0
            labels[torch.arange(len(rows)), torch.tensor(columns)[torch.from_numpy(np.maximum(true, 0))]] = 1
        return labels


def _part(explained: Explanation, places: Sequence[int], names: Sequence[str], unknown: Tensor) -> Explanation:
    """Select some of the explained outputs, without a side and a map where ``unknown`` ``(B, places)``."""

    def of(values: Tensor | None) -> Any:
        return None if values is None else values[:, list(places)]

    missing = unknown.to(explained.maps.device)
    terms = explained.decomposition
    return replace(
        explained,
        attributes=tuple(names),
        logits=of(explained.logits),
        side=of(explained.side).masked_fill(missing, torch.nan),
        threshold=explained.threshold[list(places)],
        maps=of(explained.maps).masked_fill(missing[..., None, None], torch.nan),
        decomposition=None
        if terms is None
        else Decomposition(evidence=of(terms.evidence), prefix=of(terms.prefix), bias=of(terms.bias)),
        bias=of(explained.bias),
        sets=tuple(explained.sets[place] for place in places),
        alternatives=of(explained.alternatives),
        odds=of(explained.odds),
        predicted=of(explained.predicted),
        outputs=of(explained.outputs),
        rivals=of(explained.rivals),
        beyond=of(explained.beyond),
    )
