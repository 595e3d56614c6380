"""Paired differences between two models of very many images: attribute by attribute, and measure by measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.bounds import bounds
from bincam.compare.paired_differences import (
    COLUMNS,
    TRUE,
    Contrasted,
    Difference,
    Measures,
    contrast_errors,
    contrast_measure,
    is_ledger,
)
from bincam.compare.pairs.grouped import Grouped
from bincam.compare.pairs.paired import Decided
from bincam.compare.pairs.streamed import BUDGET, StreamedPair, Tile
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means, mean_within
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate


def contrast_streamed(pair: StreamedPair, level: float = LEVEL, budget: int = BUDGET) -> list[Contrasted]:
    """Compare as ``contrast_attributes`` does, in the memory of one attribute's images and of ``budget``.

    Args:
        pair: The records.
        level: Confidence level.
        budget: Bytes for the measures that are held at once.
    """
    clusters, errors = pair.clusters, []
    for a in range(len(pair.attributes)):
        decided = pair.decided(a)
        grouped = Grouped.of(decided)
        errors.append(contrast_errors(decided, grouped, _between_classes(decided, grouped, clusters), clusters, level))
    measures: list[dict[str, Measures]] = [{} for _ in pair.attributes]
    differences: list[dict[str, Mapping[str, Difference]]] = [{} for _ in pair.attributes]
    for tile in pair.tiles(budget):
        for a, column, found, differing in _of_tile(tile, pair, level):
            measures[a][column], differences[a][column] = found, differing
        del tile  # before the next one is read: both would not fit
    return [
        Contrasted(
            *errors[a],
            {column: measures[a][column] for column in pair.columns},  # in the order of the columns, not of the tiles
            {column: differences[a][column] for column in pair.columns},
        )
        for a in range(len(pair.attributes))
    ]


def _of_tile(
    tile: Tile, pair: StreamedPair, level: float
) -> Iterator[tuple[int, str, Measures, Mapping[str, Difference]]]:
    """Compare the measures of a tile: yield position of the attribute, column, and the entries of ``Contrasted``."""
    limits = dict(zip(tile.columns, zip(*bounds(tile.columns), strict=True), strict=True))
    for place, a in enumerate(tile.attributes):
        grouped = Grouped.of(pair.decided(a))
        for c, column in enumerate(tile.columns):
            first, second = tile.values[:, c, place]
            kept = grouped.unchanged & (not is_ledger(column))
            four = first, np.where(kept, first, np.float32(np.nan)), second, first - second
            mean_of = _means(four, limits[column], grouped, pair.clusters, level)
            yield a, column, *contrast_measure(column, four, grouped, mean_of, pair.clusters, level)


def _means(
    values: Sequence[NDArray[np.floating]],
    limits: tuple[float, float],
    grouped: Grouped,
    clusters: Clusters,
    level: float,
) -> Callable[[str, int], Estimate]:
    """Return what estimates the mean of a group, of one of the four ``values`` of ``contrast_measure``."""
    low, high = (float(end) for end in limits)

    def mean_of(group: str, part: int) -> Estimate:
        ends = (low - high, high - low) if part == len(COLUMNS) else (low, high)
        return mean_within(values[part], grouped.member(group), clusters, ends, level)

    return mean_of


def _between_classes(decided: Decided, grouped: Grouped, clusters: Clusters) -> list[float]:
    """The correlation of the errors of both classes, of each answer: people have images in both."""
    if not clusters.known:
        return [0.0] * 3
    minority, majority = (grouped.member(group) for group in TRUE)
    cell = np.where(minority, 0, np.where(majority, 1, -1))
    contributions = group_means(np.stack(list(decided.wrong), -1), cell, np.eye(2), clusters).contributions
    return [correlation(*contributions[:, :, m]) for m in range(3)]
