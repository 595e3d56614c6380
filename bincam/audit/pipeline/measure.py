"""The records of a batch: outcomes, ledgers and measures of its explanations, and sums of its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.parts.boxes import Rows
from bincam.audit.folder.parts.sets import columns_of_scores
from bincam.audit.folder.parts.shard import Shard
from bincam.audit.folder.schema import ALTERNATIVES, EMPTY_FOR, KEYS, LEDGER
from bincam.audit.pipeline.boxes.columns import joined
from bincam.audit.pipeline.projected_masks import Grid, hits, key, projected
from bincam.audit.pipeline.sets.decisions import Decided
from bincam.cam import Explanation, Ledger, Reference
from bincam.data.regions.shapes import Mask
from bincam.metrics.localization.energy import (
    concentration,
    empty,
    mass,
    published_energy,
    region_measures,
    relevance_rank,
)
from bincam.metrics.localization.pointing_game import peak, pointing
from bincam.one_of import Sets
from bincam.references import REFERENCES
from bincam.resample import matrix
from bincam.stats.outcomes import OUTCOMES, outcome_codes

Columns = dict[str, Tensor]


@dataclass(frozen=True)
class MeasureInputs:
    """Inputs of the measures besides the explanations: references, and regions on the maps' grids.

    Attributes:
        references: Fitted references by kind; the ledger of a missing kind is NaN in the records.
        masks: The kinds of ``MASKS`` that are measured in addition to the region.
        regions: Grid to ``(A, h, w)`` weights of regions that are the same in every image; None if each image has
            its own.
        hits: Grid to ``(A, h, w)``: 1 where a cell's centre hits the region; None if each image has its own.
        totals: Grid to ``(h, w)``: Uᵀ1.
        size: ``(H, W)`` of the images.
    """

    references: Mapping[str, Reference]
    masks: Sequence[str]
    regions: Mapping[Grid, Tensor] | None
    hits: Mapping[Grid, Tensor] | None
    totals: Mapping[Grid, Tensor]
    size: tuple[int, int]

    @classmethod
    def of_masks(
        cls,
        regions: Sequence[Mask | None] | None,
        grids: Sequence[Grid],
        size: tuple[int, int],
        *,
        references: Mapping[str, Reference],
        masks: Sequence[str],
    ) -> MeasureInputs:
        """Bring regions to the maps' grids.

        Args:
            regions: The mask of each attribute, ``(H, W)`` or None without a region; None if each image has its own.
            grids: Of all maps.
            size: ``(H, W)`` of the images.
            references: See the class.
            masks: See the class.
        """
        weights: dict[Grid, Tensor] | None = None
        hit: dict[Grid, Tensor] | None = None
        if regions is not None:
            weights = {grid: torch.from_numpy(projected(regions, grid)) for grid in grids}
            hit = {grid: torch.from_numpy(hits(regions, grid)) for grid in grids}
        return cls(references, masks, weights, hit, {grid: ones(grid, size) for grid in grids}, size)


def ones(grid: Grid, size: tuple[int, int]) -> Tensor:
    """Compute Uᵀ1 ``(h, w)``: the weight of each cell in the sum over the whole upsampled map."""
    rows, columns = (matrix(n, m).sum(0) for n, m in zip(grid, size, strict=True))
    return torch.from_numpy(np.outer(rows, columns))


def measure(
    explanations: Mapping[str, Explanation],
    labels: Tensor,
    rows: Tensor,
    drawn: Mapping[str, Tensor],
    inputs: MeasureInputs,
    decided: Decided | None = None,
) -> tuple[Columns, dict[str, Tensor]]:
    """Measure a batch.

    Args:
        explanations: Method to explanation of the same batch; logits and ledgers are taken from the first.
        labels: ``(B, A)``: 1, 0, or NaN for unknown.
        rows: ``(B,)``: rows of the table.
        drawn: The masks of the batch's images, see ``MaskProjector``.
        inputs: References, and regions on the maps' grids.
        decided: The decisions, where there are sets of outputs; elsewhere the thresholds decide.

    Returns:
        The columns of ``Shard``, and the maps σS ``(B, A, h, w)`` by method.
    """
    first = next(iter(explanations.values()))
    truth = labels.to(first.logits)
    logits, side, positive = first.logits, first.side, None
    if decided is not None:
        logits, side, positive = decided.defined(logits), decided.defined(side), decided.positive.to(truth.device)
    columns: Columns = {
        "row": rows,
        "label": truth,
        "logit": logits,
        "threshold": first.threshold.expand_as(first.logits),
        "side": side.nan_to_num(0).to(torch.int8),
        "outcome": outcome_codes(truth, logits, first.threshold, positive),
    }
    columns |= ledger_columns(first, inputs.references, sets=decided is not None)
    for method, explanation in explanations.items():
        columns |= {f"{method}.{name}": value for name, value in map_columns(explanation.maps, drawn, inputs).items()}
    return columns, {method: explanation.maps for method, explanation in explanations.items()}


def ledger_columns(explanation: Explanation, references: Mapping[str, Reference], *, sets: bool = False) -> Columns:
    """Compute the ledger against each reference, ``(B, A)`` each; NaN without the reference or a decomposition.

    Args:
        explanation: Of a batch.
        references: Fitted references by kind.
        sets: Also what log-odds lose to the number of alternatives, 0 for yes-or-no attributes.
    """
    columns: Columns = {}
    nan = torch.full_like(explanation.logits, torch.nan)
    ledger: Ledger | None
    for kind in REFERENCES:
        if kind == "zero":
            ledger = explanation.ledger("zero")
        elif kind == "floor":
            ledger = explanation.ledger("floor")
        else:
            ledger = explanation.ledger(references[kind]) if kind in references else None
        for term in (*LEDGER, *(("empty",) if kind in EMPTY_FOR else ())):
            columns[f"{kind}.{term}"] = nan if ledger is None else getattr(ledger, term)
    if sets:
        columns[ALTERNATIVES] = explanation.ledger("zero").alternatives
    return columns


def map_columns(maps: Tensor, drawn: Mapping[str, Tensor], inputs: MeasureInputs) -> Columns:
    """Measure one method's maps ``(B, A, h, w)``; each column is ``(B, A)``."""
    grid = (int(maps.shape[2]), int(maps.shape[3]))
    total = inputs.totals[grid].to(maps.device)
    weights = drawn[key("region", grid)] if inputs.regions is None else inputs.regions[grid]
    hit = drawn[key("hits", grid)] if inputs.hits is None else inputs.hits[grid]
    weights, hit = weights.to(maps.device), hit.to(maps.device)
    region = region_measures(maps, weights, total)
    x, y = peak(maps)
    columns: Columns = {
        "energy": region.energy,
        "lift": region.lift,
        "gain": region.gain,
        "published_energy": published_energy(maps, weights, total, inputs.size),
        "relevance_rank": relevance_rank(maps, weights, total),
        "pointing": pointing(maps, hit),
        "area": region.area,
        "mass": mass(maps),
        "empty": empty(maps),
        "concentration": concentration(maps),
        "peak_x": x,
        "peak_y": y,
    }
    for name in inputs.masks:
        inside = region_measures(maps, drawn[key(name, grid)].to(maps.device), total)
        columns |= {f"{name}_energy": inside.energy, f"{name}_gain": inside.gain}
    return columns


@dataclass
class ShardBuilder:
    """Collects the measured batches of a shard."""

    columns: list[dict[str, NDArray[Any]]] = field(default_factory=list)
    maps: list[dict[str, NDArray[np.float16]]] = field(default_factory=list)
    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    set_scores: list[NDArray[np.float32]] = field(default_factory=list)
    boxes: list[Rows] = field(default_factory=list)

    def add(self, columns: Columns, maps: Mapping[str, Tensor], images: Tensor, drawn: Mapping[str, Tensor]) -> None:
        """Add a batch: its columns and maps, its images ``(B, C, H, W)`` and their masks."""
        outcome = columns["outcome"]
        for method, values in maps.items():
            self._sum_by_outcome(method, values, outcome)
        self._add("image.sum", images.sum(0))
        self._add("image.count", torch.tensor(float(len(images))))
        self._add("nan_logits", (~torch.isfinite(columns["logit"])).sum(0))
        for name, gain in columns.items():
            if name.endswith("gain"):  # of every method: against the region, and against each mask
                energy = columns[f"{name.removesuffix('gain')}energy"]
                self._add(f"unresolved.{name}", (energy.isfinite() & gain.isnan()).sum(0))
        if "outline" in drawn:
            self._add("outline.sum", drawn["outline"].double().sum(0) / 255)
        for source, name in {n.partition("@")[0]: n for n in drawn if "@" in n and not n.startswith("hits")}.items():
            area = drawn[name].sum((-2, -1))  # (B, A), the same on every grid
            self._add(f"known.{source}", (~torch.isnan(area)).sum(0))
            self._add(f"outside.{source}", (area == 0).sum(0))
        self.columns.append({name: value.numpy(force=True) for name, value in columns.items()})
        self.maps.append({method: self._stored(method, values) for method, values in maps.items()})

    def add_scores(self, scores: NDArray[np.float32], one_of: Sets) -> None:
        """Add the raw scores ``(B, outputs of all sets)`` of a batch, and count the images with one that is unknown."""
        self.scores.append(scores)
        for name, at in columns_of_scores(one_of).items():
            self._add(f"undefined.{name}", torch.from_numpy(~np.isfinite(scores[:, at]).all(1)).sum())

    def add_sums(self, sums: Mapping[str, Tensor]) -> None:
        """Add further sums over a batch."""
        for name, value in sums.items():
            self._add(name, value)

    def _stored(self, method: str, maps: Tensor) -> NDArray[np.float16]:
        """Convert maps to half precision; a cell beyond its range becomes NaN, and such maps are counted."""
        half = maps.to(torch.float16)
        beyond = half.isinf() & maps.isfinite()
        self._add(f"{method}.beyond", beyond.flatten(2).any(-1).sum(0))
        return half.masked_fill(beyond, torch.nan).numpy(force=True)

    def _sum_by_outcome(self, method: str, maps: Tensor, outcome: Tensor) -> None:
        member = torch.stack([outcome == n for n in range(len(OUTCOMES))], -1).double()  # (B, A, 4)
        # A map that is not finite belongs to a NaN logit, whose outcome is unknown, or has overflowed.
        finite = torch.isfinite(maps).flatten(2).all(-1)
        member = member * finite[..., None]
        values = torch.where(finite[..., None, None], maps, 0).double()
        self._add(f"{method}.sum", torch.einsum("bao,bahw->aohw", member, values))
        self._add(f"{method}.count", member.sum(0))

    def _add(self, name: str, value: Tensor) -> None:
        array = value.to(torch.float64).numpy(force=True)
        self.sums[name] = self.sums[name] + array if name in self.sums else array

    def shard(self, skipped: Mapping[int, str]) -> Shard:
        """Join the added batches, at least one, to a shard.

        Args:
            skipped: Rows of images that could not be read, with the reason.
        """
        columns = {name: np.concatenate([part[name] for part in self.columns]) for name in self.columns[0]}
        maps = {name: np.concatenate([part[name] for part in self.maps]) for name in self.maps[0]}
        scores, of_second = (np.concatenate(parts) if parts else None for parts in (self.scores, self.set_scores))
        boxes = joined(self.boxes) if self.boxes else None
        return Shard(columns, maps, self.sums, skipped, scores, of_second, boxes)


def empty_shard(
    columns: Sequence[str],
    attributes: int,
    grids: Mapping[str, Grid],
    skipped: Mapping[int, str],
    scored: int = 0,
    *,
    second_head: bool = False,
) -> Shard:
    """Make a shard of which no image could be read; ``scored`` is the number of outputs of all sets."""
    empty = {name: np.zeros((0, attributes)) for name in (*KEYS, "output", *columns)} | {"row": np.zeros(0)}
    maps = {method: np.zeros((0, attributes, *grid), np.float16) for method, grid in grids.items()}
    scores = np.zeros((0, scored), np.float32) if scored else None
    return Shard(empty, maps, {}, skipped, scores, scores if second_head else None)
