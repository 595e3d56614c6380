"""The prediction grids of a shard: columns of its records, and the tensors that are stored beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.parts.shard import Shard
from bincam.audit.folder.schema import AGAINST_MIDPOINT, CELL_MEASURES, PREFIX
from bincam.audit.pipeline.cells.plan import REGION
from bincam.audit.pipeline.cells.pooled import pooled_logits
from bincam.audit.pipeline.plan import Plan
from bincam.audit.pipeline.projected_masks import key
from bincam.cam import Explanation, PredictionGrid
from bincam.cam.prediction_grid.grid import joined_grids
from bincam.metrics.localization.cells.columns import image_columns, null_columns
from bincam.metrics.localization.cells.foreground import Foreground, foreground
from bincam.metrics.localization.cells.sides import recoverable
from bincam.stats.outcomes import OUTCOMES

Arrays = dict[str, NDArray[Any]]
ZERO = ""


@dataclass
class CellBuilder:
    """Collects the prediction grids of a shard.

    Nulls need other images, so the scores of a shard are kept until its end: 4 bytes for each image, row and cell.

    Attributes:
        plan: Of an audit with a prediction grid.
    """

    plan: Plan
    _grids: dict[str, list[PredictionGrid]] = field(default_factory=dict)
    _masks: list[Foreground] = field(default_factory=list)
    _labels: list[Tensor] = field(default_factory=list)
    _rows: list[Tensor] = field(default_factory=list)
    _pooled: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, explanation: Explanation, labels: Tensor, rows: Tensor, drawn: Mapping[str, Tensor]) -> None:
        """Add a batch.

        Args:
            explanation: Of the outputs with a row of their own, by the primary method.
            labels: ``(B, A)``: 1, 0 or NaN.
            rows: ``(B,)``: rows of the plan's table.
            drawn: Masks that differ from image to image, see ``MaskProjector``.
        """
        cells, inputs = self.plan.cells, self.plan.measure_inputs
        assert cells is not None
        grid = explanation.grid()

        def weights_of(kind: str) -> Tensor | None:
            if kind == REGION and inputs.regions is not None:
                return inputs.regions[cells.shape]
            return drawn.get(key(kind, cells.shape))

        masks = foreground(cells.weights(weights_of), inputs.totals[cells.shape])
        self._masks.append(masks.expanded(grid.scores))
        self._labels.append(labels)
        self._rows.append(rows)
        if cells.poolings:
            self._pooled.append(pooled_logits(grid, cells.poolings))
        for reference, of_reference in self._against(explanation, grid).items():
            self._grids.setdefault(reference, []).append(of_reference)

    def _against(self, explanation: Explanation, grid: PredictionGrid) -> dict[str, PredictionGrid]:
        midpoint = self.plan.references.get("midpoint")
        if midpoint is None or grid.reading != "frozen":
            return {ZERO: grid}
        return {ZERO: grid, AGAINST_MIDPOINT: explanation.grid(reference=midpoint)}

    def joined(self, shard: Shard) -> Shard:
        """Add the columns and tensors to a shard with the images that were added; it may have none."""
        count, rows = len(shard.columns["row"]), len(self.plan.names)
        assert self.plan.cells is not None
        nan = np.full((count, rows), np.nan, np.float32)
        columns = {f"{PREFIX}.{name}": nan for name in CELL_MEASURES}
        if not self._labels:
            return replace(shard, columns={**shard.columns, **columns}, cells=self._stored(None))
        labels, masks = torch.cat(self._labels), _joined_masks(self._masks)
        at = torch.cat(self._rows).numpy()
        table = self.plan.table
        people = None if table.identities is None else [str(name) for name in table.identities[at]]
        missed = np.asarray(shard.columns["outcome"])[:, : labels.shape[1]] == OUTCOMES.index("FN")
        for reference, grids in self._grids.items():
            grid = joined_grids(grids)
            measured = image_columns(grid, masks, labels)
            measured |= null_columns(
                grid,
                masks,
                labels,
                people,
                own_region=self.plan.cells.own_region,
                seed=self.plan.settings.seed,
            )
            measured["auroc_gain"] = measured["auroc"] - measured["null_auroc"]
            measured["recovery_gain"] = measured["recovery"] - measured["chance"]
            wrong = torch.from_numpy(missed).to(grid.scores.device)
            measured["recoverable"] = recoverable(measured["recovery"], measured["chance"], wrong)
            for name, values in measured.items():
                if f"{reference}{name}" in CELL_MEASURES:
                    column = nan.copy()
                    column[:, : labels.shape[1]] = values.numpy(force=True)
                    columns[f"{PREFIX}.{reference}{name}"] = column
        stored = self._stored(joined_grids(self._grids[ZERO]), masks)
        return replace(shard, columns={**shard.columns, **columns}, cells=stored)

    def _stored(self, grid: PredictionGrid | None, masks: Foreground | None = None) -> Arrays:
        """What is kept of the cells: scores, foregrounds, pooled logits, and the outputs that cells of sets name."""
        cells = self.plan.cells
        assert cells is not None
        small = [name for name in self.plan.one_of if self.plan.large is None or name not in self.plan.large.one_of]
        if grid is None or masks is None:
            shape = (0, len(cells.rows), *cells.shape)
            empty: Arrays = {"scores": np.zeros(shape, np.float16), "foreground": np.zeros(shape, np.uint8)}
            if cells.poolings:
                empty["pooled"] = np.zeros((0, len(cells.rows), len(cells.poolings)), np.float32)
            return empty | {f"winners.{name}": np.zeros((0, *cells.shape), np.int16) for name in small}
        half = grid.scores.to(torch.float16)
        half = half.masked_fill(half.isinf(), torch.nan)  # a score beyond its range, as in the maps
        stored: Arrays = {
            "scores": half.numpy(force=True),
            "foreground": masks.cells.to(torch.uint8).numpy(force=True),
        }
        if cells.poolings:
            stored["pooled"] = np.concatenate(self._pooled)
        return stored | {
            f"winners.{name}": grid.winners(name).to(torch.int16).numpy(force=True) for name in grid.members
        }


def _joined_masks(parts: list[Foreground]) -> Foreground:
    names = ("cells", "defined", "fallback", "share")
    return Foreground(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})
