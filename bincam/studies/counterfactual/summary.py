"""Scores of all kinds of maps over pairs: per attribute, over all, and their agreement with references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bincam.metrics.counterfactual.changes import MapChanges, map_changes
from bincam.metrics.counterfactual.scores import counterfactual_score
from bincam.metrics.randomization.rank_correlation import spearman
from bincam.resample import project
from bincam.stats.clustered.means import overall_means
from bincam.stats.clustered.ratios import ratio_of_sums
from bincam.stats.clusters import Clusters
from bincam.studies.counterfactual.pair_maps import REFERENCES, in_logits
from bincam.studies.counterfactual.pair_table import PairTable
from bincam.studies.counterfactual.shards import PairShard

ALL = "all"


def summarise(
    measured: PairShard, table: PairTable, methods: Sequence[str], *, least: float, seed: int = 0
) -> dict[str, Any]:
    """Score what was measured.

    Args:
        measured: Of all pairs of the table, in order.
        table: The pairs.
        methods: The kinds of maps.
        least: Smallest |Δz| of a pair that is judged, in logit units.
        seed: Of the choice of other pairs.

    Returns:
        ``pairs``, ``people`` (None if the table names none) and ``attributes``; ``edits``: of all pairs and per
        attribute ``of_mask``, the share of Δz that the edited pixels bring alone, a ratio of sums (1 if the mask is the
        whole edit); ``methods``: by name ``grid``, ``complete``, ``in_logits``, ``all`` and ``attributes`` (see
        ``CounterfactualScore``), and ``agreement``: mean Spearman correlation over cells of the map's change with that
        of each reference of the same grid.
    """
    names = np.array([pair.attribute for pair in table.pairs])
    people = [pair.identity for pair in table.pairs]
    direction = np.array([pair.direction for pair in table.pairs])
    groups = {ALL: np.ones(len(names), bool), **{name: names == name for name in table.attributes}}
    z = measured.logits
    size = measured.masks.shape[1:]
    ones = np.ones(size)
    entries: dict[str, Any] = {}
    changes: dict[str, MapChanges] = {}
    for spec in methods:
        maps = measured.maps[spec]
        grid = (maps.before.shape[1], maps.before.shape[2])
        unit = in_logits(spec, complete=maps.complete)
        changes[spec] = map_changes(
            torch.from_numpy(maps.before),
            torch.from_numpy(maps.after),
            torch.from_numpy(z[:, 0].copy()),
            torch.from_numpy(z[:, 1].copy()),
            torch.from_numpy(project(measured.masks, grid)),
            torch.from_numpy(project(ones, grid)),
            in_logits=unit,
            attributes=names.tolist(),
            people=people,
            least=least,
            seed=seed,
        )
        scores = {
            group: counterfactual_score(
                changes[spec], people=people, direction=direction, complete=maps.complete, of=rows
            ).to_json()
            for group, rows in groups.items()
        }
        entries[spec] = {
            "grid": list(grid),
            "complete": maps.complete,
            "in_logits": unit,
            "all": scores.pop(ALL),
            "attributes": scores,
            "agreement": _agreements(spec, measured, changes[spec], people),
        }
    return {
        "pairs": len(names),
        "people": len(set(people)) if table.named else None,
        "attributes": list(table.attributes),
        "edits": {group: _edits(z, rows, people, least) for group, rows in groups.items()},
        "methods": entries,
    }


def _edits(z: NDArray[np.float64], rows: NDArray[np.bool_], people: Sequence[str], least: float) -> Mapping[str, Any]:
    """What the edited pixels change alone, of the pairs that are judged."""
    change = z[rows, 1] - z[rows, 0]
    alone = (z[rows, 2] - z[rows, 0]) * np.sign(change)
    size = np.where(np.abs(change) >= least, np.abs(change), np.nan)
    clusters = Clusters.of([people[row] for row in np.flatnonzero(rows).tolist()])
    return {"of_mask": ratio_of_sums(alone, size, clusters).to_json()}


def _agreements(spec: str, measured: PairShard, changes: MapChanges, people: Sequence[str]) -> dict[str, Any]:
    """Rank correlations of a map's change with those of references of the same grid, over the cells of each pair."""
    own = measured.maps[spec].after - measured.maps[spec].before
    judged = changes.judged.numpy()
    result = {}
    for name in REFERENCES:
        if name == spec or name not in measured.maps or measured.maps[name].before.shape != own.shape:
            continue
        other = measured.maps[name].after - measured.maps[name].before
        correlation = spearman(*(torch.from_numpy(each).double()[:, None] for each in (own, other)))[:, 0].numpy()
        values = np.where(judged, correlation, np.nan)[:, None]
        result[name] = overall_means(values, Clusters.of(people), (-1.0, 1.0)).estimate(0, 0).to_json()
    return result
