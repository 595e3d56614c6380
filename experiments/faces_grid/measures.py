"""What two audits of the same faces say: is the evidence of missed images in the cells, and do maps box the objects?

Only attributes with a mask of their object count, and of their images those that have it: others show no object. Means
are over pairs of an image and an attribute; the images of a person are one cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit import Audit
from bincam.audit.folder.parts.box_reference import load_box_reference
from bincam.audit.folder.parts.boxes import read_boxes
from bincam.audit.summary.panel import Panel, read_panel
from bincam.metrics.localization.boxes.protocols.levels import FIXED, LEVELS
from bincam.metrics.localization.boxes.scores import DELTA
from bincam.metrics.localization.boxes.verdict import JUDGED
from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters

Floats = NDArray[np.float64]
GROUPS: Mapping[str, tuple[float, float]] = {
    "under 10 %": (0.0, 0.1),
    "10 to 30 %": (0.1, 0.3),
    "30 to 70 %": (0.3, 0.7),
    "over 70 %": (0.7, 1.0),
}
"""Attributes by the share of positives in training, from (inclusive) and to (exclusive)."""
ALL = "all"
FIRST, SECOND = "unbalanced", "balanced"
CELLS = ("recovery", "chance", "recovery_gain", "auroc_gain", "false_alarm", "fallback")
AGAINST_MIDPOINT = ("midpoint_recovery", "midpoint_chance", "midpoint_recovery_gain")
BOXES = ("fixed", "chosen", "constant")


@dataclass(frozen=True)
class Seen:
    """What an audit says of every image and attribute.

    Attributes:
        label: ``(N, A)``.
        missed: ``(N, A)``: has the attribute, and is decided not to.
        alarm: ``(N, A)``: lacks the attribute, and is decided to have it.
        columns: Names to ``(N, A)``, NaN where undefined: ``CELLS``, ``AGAINST_MIDPOINT`` and ``BOXES``.
        clusters: Of the N images.
    """

    label: Floats
    missed: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    columns: Mapping[str, Floats]
    clusters: Clusters


def see(audit: Audit, names: Sequence[str]) -> Seen:
    """Read an audit with a prediction grid and boxes of all images."""
    panel = read_panel(audit)
    at = [panel.attributes.index(name) for name in names]
    label = panel.label[:, at].astype(np.float64)
    yes = panel.predicted[:, at] == 1
    columns = {name: panel.column(f"cells.{name}")[:, at].astype(np.float64) for name in (*CELLS, *AGAINST_MIDPOINT)}
    return Seen(
        label,
        missed=(label == 1) & ~yes,
        alarm=(label == 0) & yes,
        columns={**columns, **_boxes(audit, panel, names)},
        clusters=panel.clusters,
    )


def _boxes(audit: Audit, panel: Panel, names: Sequence[str]) -> dict[str, Floats]:
    """Mark which boxes have an IoU of at least δ: of the map at τ = .2 and at the chosen τ, and the constant box."""
    rows = read_boxes(audit.folder, audit.shards).measured
    reference = load_box_reference(audit.folder)
    hits = rows.hits("one", DELTA)
    levels = np.asarray(LEVELS)
    fixed = hits[:, np.abs(levels - FIXED).argmin()].astype(float)
    chosen, constant = np.full((2, len(fixed)), np.nan)
    if reference is not None:
        chosen = hits[:, np.abs(levels - reference.level).argmin()].astype(float)
        known = np.isfinite(rows.numbers["constant"])
        constant = np.where(known, rows.numbers["constant"] >= DELTA, np.nan)
    result = {name: np.full((len(panel.rows), len(names)), np.nan) for name in BOXES}
    where = np.searchsorted(panel.rows, rows.row)
    column = {name: a for a, name in enumerate(names)}
    kept = np.array([name in column for name in rows.attribute], bool)
    places = where[kept], [column[name] for name in rows.attribute[kept]]
    for name, values in zip(BOXES, (fixed, chosen, constant), strict=True):
        result[name][places] = values[kept]
    return result


def mean_of_pairs(values: Floats, clusters: Clusters, low: float = 0.0) -> dict[str, Any]:
    """Estimate the mean of values ``(N, A)`` between ``low`` and 1, with the numbers of images, pairs and people.

    Where no people are known, the attributes of an image are a cluster.
    """
    pairs = np.isfinite(values)
    images = int(pairs.any(1).sum())
    counts = {"images": images, "pairs": int(pairs.sum())}
    if not images:
        return {"value": None, "low": None, "high": None, "status": "undefined", **counts, "people": None}
    flat = Clusters(np.repeat(clusters.codes, values.shape[1]), known=True)
    one = np.zeros(values.size, int), np.ones((1, 1))
    found = group_means(values.reshape(-1, 1), *one, flat, (low, 1.0)).estimate(0, 0).to_json()
    people = found["identities"] if clusters.known else None
    return {**{name: found[name] for name in ("value", "low", "high", "status")}, **counts, "people": people}


def arm_figures(seen: Seen, at: Sequence[int], judged: Sequence[int]) -> dict[str, Any]:
    """Measure one model on some attributes.

    Args:
        seen: Its audit.
        at: The attributes.
        judged: Those of them whose boxes can be judged on the grid.
    """

    def of(values: Floats, low: float = 0.0, columns: Sequence[int] = at) -> dict[str, Any]:
        return mean_of_pairs(values[:, columns], seen.clusters, low)

    missed, positive = seen.missed, seen.label == 1
    figures = {
        "misses": of(np.where(positive, missed, np.nan)),
        "false alarms": of(np.where(seen.label == 0, seen.alarm, np.nan)),
        "false alarm of cells": of(seen.columns["false_alarm"]),
        "smaller than a cell": of(np.where(missed, seen.columns["fallback"], np.nan)),
        "found, less chance": of(np.where(positive & ~missed, seen.columns["recovery_gain"], np.nan), -1.0),
    }
    for prefix, text in (("", ""), ("midpoint_", ", against the midpoint")):
        both = np.isfinite(seen.columns[f"{prefix}recovery_gain"]) & missed  # chance needs a mask with several places
        for name in ("recovery", "chance"):
            figures[f"missed, {name}{text}"] = of(np.where(both, seen.columns[f"{prefix}{name}"], np.nan))
        figures[f"missed, less chance{text}"] = of(np.where(both, seen.columns[f"{prefix}recovery_gain"], np.nan), -1.0)
    figures["missed, cell AUROC less null"] = of(np.where(missed, seen.columns["auroc_gain"], np.nan), -1.0)
    for name in BOXES:
        figures[f"box, {name}"] = of(seen.columns[name], columns=judged)
    for name in ("fixed", "chosen"):
        over = seen.columns[name] - seen.columns["constant"]
        figures[f"box, {name} over constant"] = of(over, -1.0, judged)
    return figures


def paired_figures(first: Seen, second: Seen, at: Sequence[int], judged: Sequence[int]) -> dict[str, Any]:
    """Compare two models on the same pairs; a difference is the second less the first."""

    def of(values: Floats, low: float = 0.0, columns: Sequence[int] = at) -> dict[str, Any]:
        return mean_of_pairs(values[:, columns], first.clusters, low)

    figures = {}
    for among, text in ((first.missed, "missed by the first"), (first.missed & second.missed, "missed by both")):
        gains = [np.where(among, one.columns["recovery_gain"], np.nan) for one in (first, second)]
        both = np.isfinite(gains[0]) & np.isfinite(gains[1])
        for name, values in zip(("first", "second"), gains, strict=True):
            figures[f"{text}, less chance, {name}"] = of(np.where(both, values, np.nan), -1.0)
        figures[f"{text}, less chance, difference"] = of(gains[1] - gains[0], -1.0)
        ranks = [np.where(among, one.columns["auroc_gain"], np.nan) for one in (first, second)]
        figures[f"{text}, cell AUROC less null, difference"] = of(ranks[1] - ranks[0], -1.0)
    figures["missed by the first, by the second too"] = of(np.where(first.missed, second.missed, np.nan))
    for name in ("fixed", "chosen"):
        figures[f"box, {name}, difference"] = of(second.columns[name] - first.columns[name], -1.0, judged)
    return figures


def seed_figures(audits: Mapping[str, Audit]) -> dict[str, Any]:
    """Measure a pair of models, overall and by the share of positives in training.

    Args:
        audits: ``unbalanced`` and ``balanced``, of the same images.

    Returns:
        ``groups``: for each of ``GROUPS`` and for all, its attributes, those that can be judged by boxes, ``arms`` and
        ``paired``; and ``shares``, the share of positives in training of every attribute.
    """
    cells = audits[FIRST].manifest.cells
    assert cells is not None
    names = [name for name in audits[FIRST].manifest.yes_or_no if cells.masks.get(name) == "object"]
    counts = audits[FIRST].manifest.train_counts
    shares = {name: counts[name][1] / sum(counts[name]) for name in names}
    summaries = [(audit.summary or {})["boxes"]["attributes"] for audit in audits.values()]
    judgeable = [all(one.get(name, {}).get("judgement") == JUDGED for one in summaries) for name in names]
    seen = {arm: see(audit, names) for arm, audit in audits.items()}
    if not all(np.array_equal(seen[FIRST].label, one.label, equal_nan=True) for one in seen.values()):
        raise ValueError("the audits are not of the same images")
    groups = {}
    for group, (low, high) in {ALL: (0.0, 1.1), **GROUPS}.items():
        at = [a for a, name in enumerate(names) if low <= shares[name] < high]
        judged = [a for a in at if judgeable[a]]
        groups[group] = {
            "attributes": [names[a] for a in at],
            "judged": [names[a] for a in judged],
            "arms": {arm: arm_figures(one, at, judged) for arm, one in seen.items()},
            "paired": paired_figures(seen[FIRST], seen[SECOND], at, judged),
        }
    return {"shares": shares, "groups": groups}
