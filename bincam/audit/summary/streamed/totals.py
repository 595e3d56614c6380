"""Sums over the images of each cluster by attribute and cell, and the means that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.bounds import WRONG, bounds, is_proportion
from bincam.audit.summary.streamed.clusters import StreamedClusters
from bincam.audit.summary.streamed.kernels import BITS, SQUARED_BITS
from bincam.stats.clustered.means import GroupMeans, means_of_totals
from bincam.stats.estimate import Estimate, Floats
from bincam.stats.outcomes import BASIC, CELLS, MEMBERSHIP
from bincam.stats.proportions import shares_of_totals

DECIDED = len(CELLS)
"""Number of cells of images with a finite logit."""

WRONG_CELLS = np.array([cell in ("FP", "FN") for cell in CELLS], float)
"""1 for the cells of errors."""

LABELLED = np.array([not cell.endswith("?") for cell in CELLS], float)
"""1 for the cells of images with a label."""


@dataclass(frozen=True)
class CellTotals:
    """What clusters have of images and of C measures in each cell of A attributes.

    Attributes:
        clusters: The clusters.
        cells: ``(K, A, 6)``: number of images.
        columns: Names of the measures.
        sums: ``(K, A, 6, C)``: in units.
        counts: ``(K, A, 6, C)``: number of images with a value.
        squares: ``(A, 6, C, 2)``: see ``kernels.add_measures``.
        scale: ``(C,)``: units per 1.
    """

    clusters: StreamedClusters
    cells: NDArray[np.int32]
    columns: tuple[str, ...]
    sums: NDArray[np.int64]
    counts: NDArray[np.int32]
    squares: NDArray[np.int64]
    scale: Floats
    _latest: list[tuple[int, tuple[Floats, Floats]]] = field(default_factory=list, init=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Errors and the measures."""
        return (WRONG, *self.columns)

    def of(self, a: int, members: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Sum errors and measures of attribute ``a`` over some cells.

        Args:
            a: The attribute's position.
            members: ``(6,)``: 1 for the cells.

        Returns:
            Sums and numbers of images with a value, ``(K, 1 + C)`` each.
        """
        by_cell = self.of_attribute(a)
        inside = np.flatnonzero(members > 0)
        total, count = by_cell[0][inside[0]], by_cell[1][inside[0]]
        for d in inside[1:]:
            total, count = total + by_cell[0][d], count + by_cell[1][d]
        return total, count

    def of_attribute(self, a: int) -> tuple[Floats, Floats]:
        """Sums and numbers of images with a value of attribute ``a`` by cell, ``(6, K, 1 + C)`` each."""
        if self._latest and self._latest[0][0] == a:
            return self._latest[0][1]
        cells = self.cells[:, a].T.astype(float)
        sums = self.sums[:, a].transpose(1, 0, 2) / self.scale
        counts = self.counts[:, a].transpose(1, 0, 2).astype(float)
        errors, labelled = (cells * of_cell[:, None] for of_cell in (WRONG_CELLS, LABELLED))
        found = np.concatenate([errors[..., None], sums], -1), np.concatenate([labelled[..., None], counts], -1)
        self._latest[:] = [(a, found)]
        return found

    def squared(self, a: int, column: str, members: NDArray[np.floating]) -> float:
        """Sum the squares of a measure of attribute ``a`` over some cells."""
        c = self.columns.index(column)
        upper, lower = self.squares[a, members > 0, c].astype(object).sum(0)  # whole numbers of any size
        per_one = int(self.scale[c]) if self.scale[c] >= 1 else self.scale[c]
        unit = per_one / 2 ** (BITS - SQUARED_BITS)
        return float((int(upper) * 2**32 + int(lower)) / unit**2)

    def means(self, a: int, level: float) -> tuple[GroupMeans, dict[tuple[str, str], Estimate]]:
        """Estimate errors and measures of attribute ``a`` in the groups ``BASIC``.

        Returns:
            The means, and the estimates by measure and group, in which proportions have Wilson's interval.
        """
        limits, known = bounds(self.names), self.clusters.known
        found = []
        cellwise: dict[tuple[str, str], Estimate] = {}
        shares_at = [c for c, name in enumerate(self.names) if is_proportion(name)]
        for g, group in enumerate(BASIC):
            total, size = self.of(a, MEMBERSHIP[g])
            found.append(means_of_totals(total, size, limits, level, independent=not known))
            share = shares_of_totals(total[:, shares_at], size[:, shares_at], known=known, level=level)
            cellwise |= {(self.names[c], group): share.estimate(place) for place, c in enumerate(shares_at)}
        value, low, high, images, people, effective, contributions = (
            np.stack(part) for part in zip(*found, strict=True)
        )
        means = GroupMeans(
            value, low, high, images, people.astype(np.int64), effective, contributions.astype(np.float32), known
        )
        for c, name in enumerate(self.names):
            if c not in shares_at:
                cellwise |= {(name, group): means.estimate(g, c) for g, group in enumerate(BASIC)}
        return means, cellwise


def blocks_of(
    columns: Sequence[str], clusters: int, attributes: int, budget: int, first: Sequence[str] = ()
) -> list[tuple[str, ...]]:
    """Divide columns so that the sums of each part fit into memory.

    Args:
        columns: Names.
        clusters: K.
        attributes: A.
        budget: Bytes for the sums of a part.
        first: Columns that the first part begins with, where they are among the others.

    >>> blocks_of(["a", "b", "c"], 1000, 10, 2 * 1000 * 10 * 72)
    [('a', 'b'), ('c',)]
    """
    each = clusters * attributes * DECIDED * (8 + 4)
    width = max(1, budget // max(each, 1))
    ordered = [*(name for name in columns if name in first), *(name for name in columns if name not in first)]
    parts = [tuple(ordered[at : at + width]) for at in range(0, len(ordered), width)]
    return parts or [()]
