"""Logits of the same cells pooled otherwise, on the audited images and on the reference split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.cam import Explanation, PredictionGrid
from bincam.postprocessing.cell_pooling import pool_attributes, pool_set


def pooled_logits(grid: PredictionGrid, poolings: Sequence[str]) -> NDArray[np.float32]:
    """Pool the cells of all rows: of yes-or-no attributes their scores, of sets the raw scores of all outputs.

    Args:
        grid: Of a batch, in the frozen reading.
        poolings: Names of ``POOLED``.

    Returns:
        Logits ``(B, A, P)``; of outputs in sets log-odds, NaN where raw scores are not known, and for poolings of
        yes-or-no attributes.

    >>> scores = torch.tensor([[[[8.0, -4.0], [-4.0, -4.0]]]])
    >>> grid = PredictionGrid(("Hat",), "frozen", scores, scores.mean((2, 3)), torch.zeros(1))
    >>> pooled_logits(grid, ["mean", "max"]).tolist()
    [[[-1.0, 8.0]]]
    """
    result = torch.full((*grid.logits.shape, len(poolings)), torch.nan)
    alone = [a for a in range(len(grid.attributes)) if not grid.sets or grid.sets[a] is None]
    if alone:
        pooled = pool_attributes(grid.scores[:, alone])
        for at, name in enumerate(poolings):
            result[:, alone, at] = pooled[name].float().cpu()
    for owner, members in grid.members.items() if grid.raw else ():
        of_set = pool_set(members)
        for a, of_output in enumerate(grid.sets):
            if of_output == owner:
                place = grid.names[owner].index(grid.attributes[a])
                for at, pooling in enumerate(poolings):
                    if pooling in of_set:
                        result[:, a, at] = of_set[pooling][:, place].float().cpu()
    return result.numpy()


@dataclass
class ReferencePoolings:
    """Collects the pooled logits of the reference split, on which thresholds are fitted.

    Attributes:
        rows: Names of the outputs with a row of their own.
        poolings: Names of ``POOLED``.
    """

    rows: tuple[str, ...]
    poolings: tuple[str, ...]
    _pooled: list[NDArray[np.float32]] = field(default_factory=list)
    _labels: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, explanation: Explanation, labels: Tensor) -> None:
        """Add a batch, whose labels ``(B, A)`` are of the explanation's attributes."""
        grid = explanation.grid()
        own = [grid.attributes.index(name) for name in self.rows]
        self._pooled.append(pooled_logits(grid, self.poolings)[:, own])
        self._labels.append(labels[:, own].numpy(force=True).astype(np.float32))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return what is stored: ``pooled`` ``(N, A, P)`` and ``labels`` ``(N, A)``."""
        return {"pooled": np.concatenate(self._pooled), "labels": np.concatenate(self._labels)}
