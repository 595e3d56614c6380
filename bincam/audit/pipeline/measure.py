"""From a batch's explanations to its rows: outcomes, ledgers, measures, and the sums that are kept of its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.schema import EMPTY_FOR, KEYS, LEDGER, REFERENCES
from bincam.audit.folder.writer import Shard
from bincam.audit.pipeline.projected_masks import Grid, key
from bincam.cam import Explanation, Ledger, Reference
from bincam.metrics.localization.energy import (
    concentration,
    empty,
    mass,
    published_energy,
    region_measures,
    relevance_rank,
)
from bincam.metrics.localization.pointing_game import peak, pointing
from bincam.resample import matrix
from bincam.stats.outcomes import OUTCOMES

Columns = dict[str, Tensor]


@dataclass(frozen=True)
class Ruler:
    """What maps are measured with.

    Attributes:
        references: Fitted references, by kind; a kind that is missing is NaN in the records.
        masks: Per-image masks beside the region: of ``MASKS``.
        regions: Grid to ``(A, h, w)`` weights of regions that are the same in every image; None where each image has
            its own.
        hits: Likewise, which cells' centres hit them.
        totals: Grid to ``(h, w)``: Uᵀ1.
        size: ``(H, W)`` of the images.
    """

    references: Mapping[str, Reference]
    masks: Sequence[str]
    regions: Mapping[Grid, Tensor] | None
    hits: Mapping[Grid, Tensor] | None
    totals: Mapping[Grid, Tensor]
    size: tuple[int, int]


def ones(grid: Grid, size: tuple[int, int]) -> Tensor:
    """Uᵀ1: how much each cell weighs in the sum over the whole upsampled map, ``(h, w)``."""
    rows, columns = (matrix(n, m).sum(0) for n, m in zip(grid, size, strict=True))
    return torch.from_numpy(np.outer(rows, columns))


def outcomes(logits: Tensor, labels: Tensor, threshold: Tensor) -> Tensor:
    """Which of ``OUTCOMES`` each decision is.

    Args:
        logits: ``(B, A)``.
        labels: ``(B, A)``: 1, 0, or NaN for unknown.
        threshold: ``(A,)``; z = t counts as positive.

    Returns:
        ``(B, A)`` int64, -1 where the label is NaN or the logit is not finite.
    """
    said, truth = logits >= threshold, labels == 1
    found = torch.where(said, torch.where(truth, 0, 1), torch.where(truth, 2, 3))
    return torch.where(~torch.isfinite(logits) | torch.isnan(labels), -1, found)


def measure(
    explanations: Mapping[str, Explanation],
    labels: Tensor,
    rows: Tensor,
    drawn: Mapping[str, Tensor],
    ruler: Ruler,
) -> tuple[Columns, dict[str, Tensor]]:
    """All columns of a batch, and its maps.

    Args:
        explanations: Method to explanation of the same batch; the first gives logits and ledgers.
        labels: ``(B, A)``.
        rows: ``(B,)``.
        drawn: What ``Places`` gave with the batch.
        ruler: What to measure with.

    Returns:
        Columns as ``Shard`` wants them, and the maps σS by method.
    """
    first = next(iter(explanations.values()))
    truth = labels.to(first.logits)
    columns: Columns = {
        "row": rows,
        "label": truth,
        "logit": first.logits,
        "threshold": first.threshold.expand_as(first.logits),
        "side": first.side.nan_to_num(0).to(torch.int8),
        "outcome": outcomes(first.logits, truth, first.threshold),
    }
    columns |= ledger_columns(first, ruler.references)
    for method, explanation in explanations.items():
        columns |= {f"{method}.{name}": value for name, value in map_columns(explanation.maps, drawn, ruler).items()}
    return columns, {method: explanation.maps for method, explanation in explanations.items()}


def ledger_columns(explanation: Explanation, references: Mapping[str, Reference]) -> Columns:
    """The ledger against each reference, ``(B, A)`` each; NaN where it or the head's decomposition is missing."""
    columns: Columns = {}
    nan = torch.full_like(explanation.logits, torch.nan)
    book: Ledger | None
    for kind in REFERENCES:
        if kind == "zero":
            book = explanation.ledger("zero")
        elif kind == "floor":
            book = explanation.ledger("floor")
        else:
            book = explanation.ledger(references[kind]) if kind in references else None
        for term in (*LEDGER, *(("empty",) if kind in EMPTY_FOR else ())):
            columns[f"{kind}.{term}"] = nan if book is None else getattr(book, term)
    return columns


def map_columns(maps: Tensor, drawn: Mapping[str, Tensor], ruler: Ruler) -> Columns:
    """The measures of one method's maps ``(B, A, h, w)``, each ``(B, A)``."""
    grid = (int(maps.shape[2]), int(maps.shape[3]))
    total = ruler.totals[grid].to(maps.device)
    weights = drawn[key("region", grid)] if ruler.regions is None else ruler.regions[grid]
    hits = drawn[key("hits", grid)] if ruler.hits is None else ruler.hits[grid]
    weights, hits = weights.to(maps.device), hits.to(maps.device)
    found = region_measures(maps, weights, total)
    x, y = peak(maps)
    columns: Columns = {
        "energy": found.energy,
        "lift": found.lift,
        "gain": found.gain,
        "published_energy": published_energy(maps, weights, total, ruler.size),
        "relevance_rank": relevance_rank(maps, weights, total),
        "pointing": pointing(maps, hits),
        "area": found.area,
        "mass": mass(maps),
        "empty": empty(maps),
        "concentration": concentration(maps),
        "peak_x": x,
        "peak_y": y,
    }
    for name in ruler.masks:
        inside = region_measures(maps, drawn[key(name, grid)].to(maps.device), total)
        columns |= {f"{name}_energy": inside.energy, f"{name}_gain": inside.gain}
    return columns


@dataclass
class Gathering:
    """The batches of a shard that is being measured."""

    columns: list[dict[str, NDArray[Any]]] = field(default_factory=list)
    maps: list[dict[str, NDArray[np.float16]]] = field(default_factory=list)
    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, columns: Columns, maps: Mapping[str, Tensor], images: Tensor, drawn: Mapping[str, Tensor]) -> None:
        """Take a batch in."""
        outcome = columns["outcome"]
        for method, values in maps.items():
            self._sum_by_outcome(method, values, outcome)
        self._add("image.sum", images.sum(0))
        self._add("image.count", torch.tensor(float(len(images))))
        self._add("nan_logits", (~torch.isfinite(columns["logit"])).sum(0))
        if "outline" in drawn:
            self._add("outline.sum", drawn["outline"].double().sum(0) / 255)
        for source, name in {n.partition("@")[0]: n for n in drawn if "@" in n and not n.startswith("hits")}.items():
            area = drawn[name].sum((-2, -1))  # (B, A), the same on every grid
            self._add(f"known.{source}", (~torch.isnan(area)).sum(0))
            self._add(f"outside.{source}", (area == 0).sum(0))
        self.columns.append({name: value.numpy(force=True) for name, value in columns.items()})
        self.maps.append({method: self._stored(method, values) for method, values in maps.items()})

    def _stored(self, method: str, maps: Tensor) -> NDArray[np.float16]:
        """Maps in half precision; a cell beyond its range is NaN, and maps with such a cell are counted."""
        half = maps.to(torch.float16)
        beyond = half.isinf() & maps.isfinite()
        self._add(f"{method}.beyond", beyond.flatten(2).any(-1).sum(0))
        return half.masked_fill(beyond, torch.nan).numpy(force=True)

    def _sum_by_outcome(self, method: str, maps: Tensor, outcome: Tensor) -> None:
        picked = torch.stack([outcome == n for n in range(len(OUTCOMES))], -1).double()  # (B, A, 4)
        # A map that is not finite belongs to a NaN logit, whose outcome is unknown, or overflowed.
        whole = torch.isfinite(maps).flatten(2).all(-1)
        picked = picked * whole[..., None]
        values = torch.where(whole[..., None, None], maps, 0).double()
        self._add(f"{method}.sum", torch.einsum("bao,bahw->aohw", picked, values))
        self._add(f"{method}.count", picked.sum(0))

    def _add(self, name: str, value: Tensor) -> None:
        array = value.to(torch.float64).numpy(force=True)
        self.sums[name] = self.sums[name] + array if name in self.sums else array

    def shard(self, skipped: Mapping[int, str]) -> Shard:
        """All that was gathered, as one shard."""
        columns = {name: np.concatenate([part[name] for part in self.columns]) for name in self.columns[0]}
        maps = {name: np.concatenate([part[name] for part in self.maps]) for name in self.maps[0]}
        return Shard(columns, maps, self.sums, skipped)


def empty_shard(
    columns: Sequence[str], attributes: int, grids: Mapping[str, Grid], skipped: Mapping[int, str]
) -> Shard:
    """A shard of which no image could be read."""
    nothing = {name: np.zeros((0, attributes)) for name in (*KEYS, *columns)} | {"row": np.zeros(0)}
    maps = {method: np.zeros((0, attributes, *grid), np.float16) for method, grid in grids.items()}
    return Shard(nothing, maps, {}, skipped)
