"""The summary of an audit's prediction grids, which is added to that of its attributes and sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.cells import read_cells, read_pooled
from bincam.audit.folder.schema import CELL_SHORT, PREFIX
from bincam.audit.summary.cells.dilution import dilution
from bincam.audit.summary.cells.hidden import hidden_figures
from bincam.audit.summary.cells.poolings import PooledLogits, attribute_poolings, set_poolings
from bincam.audit.summary.cells.rows import beside_null, flattened, one_mean, table_of, without_people
from bincam.audit.summary.panel import Panel
from bincam.stats.estimate import LEVEL
from bincam.stats.outcomes import CELLS

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

KEY = "cells"
"""Of the entries in the summary, of each attribute, set and output."""


SLICED = ("cell_auroc_gain", "recovery_gain", "recoverable")
"""Measures of prediction grids within groups of images."""


def sliced_cells(panel: Panel) -> dict[str, str]:
    """Map the measures of ``SLICED`` to their columns; empty without a prediction grid."""
    return {name: CELL_SHORT[name] for name in SLICED if CELL_SHORT[name] in panel.columns}


def with_cells(summary: dict[str, Any], audit: Audit, panel: Panel, level: float = LEVEL) -> dict[str, Any]:
    """Add the figures of prediction grids to a summary; without a grid it is returned as it is.

    Args:
        summary: Of the attributes and sets, which is added to.
        audit: The audit.
        panel: Its records.
        level: Confidence level.

    Returns:
        The summary. An attribute's or output's entry ``cells`` has the figures of ``cell_entry``, ``mask`` and, of an
        attribute, ``poolings``; a set's the figures over its outputs, of each image the true one, and ``poolings``. The
        summary's own ``cells`` are the figures over all yes-or-no attributes, each image and attribute counted once.
    """
    cells = audit.manifest.cells
    if cells is None:
        return summary
    logits = _pooled(audit)
    hidden: Mapping[str, Any] = audit.sample.get("hidden") or {}
    single = [name for name in audit.manifest.yes_or_no if name in summary["attributes"]]
    for name in single:
        entry = cell_entry(panel, [name], hidden, level) | {"mask": cells.masks.get(name)}
        if logits is not None:
            a = panel.attributes.index(name)
            threshold = audit.manifest.thresholds[name]
            entry["poolings"] = attribute_poolings(logits, name, panel.label[:, a], threshold, panel.clusters, level)
        summary["attributes"][name][KEY] = entry
    if single:
        summary[KEY] = cell_entry(panel, single, hidden, level)
    for owner, members in panel.one_of.items():
        of_set = summary["sets"][owner]
        for name in members:
            of_set["outputs"][name][KEY] = cell_entry(panel, [name], hidden, level) | {"mask": cells.masks.get(name)}
        of_set[KEY] = cell_entry(panel, members, hidden, level)
        if logits is not None:
            of_set[KEY]["poolings"] = set_poolings(logits, members, panel.true_output(owner), panel.clusters, level)
    return summary


def cell_entry(
    panel: Panel, names: tuple[str, ...] | list[str], hidden: Mapping[str, Any], level: float = LEVEL
) -> dict[str, Any]:
    """Make the figures of one output, or of several, each image and output counted once.

    Args:
        panel: The records.
        names: The outputs.
        hidden: The measures of hidden objects in ``sample.json``.
        level: Confidence level.

    Returns:
        ``images`` with the attribute; those of them that are ``missed``, and those ``masked``, with a foreground;
        ``fallback``, the share of these whose object is smaller than a cell; ``foreground``, the mean share of the
        cells, k/n; ``rows``, see ``table_of``; ``auroc_small`` and ``auroc_covering``, the row ``auroc`` of fallback
        images and of the others; ``dilution``; ``gap``, the mean of |z - mean of the cells|; and ``hidden`` where it
        was measured.
    """
    at = [panel.attributes.index(name) for name in names]
    several = len(at) > 1
    clusters = flattened(panel.clusters, len(at)) if several else panel.clusters

    def column(name: str) -> NDArray[np.floating]:
        return np.ascontiguousarray(panel.column(name)[:, at]).reshape(-1)

    cell = np.ascontiguousarray(panel.cell[:, at]).reshape(-1)
    positive = np.ascontiguousarray(panel.label[:, at]).reshape(-1) == 1
    missed = cell == CELLS.index("FN")
    decided = missed | (cell == CELLS.index("TP"))
    fallback, share = column(f"{PREFIX}.fallback"), column(f"{PREFIX}.foreground")
    gaps = np.abs(column(f"{PREFIX}.gap"))
    entry: dict[str, Any] = {
        "images": int(positive.sum()),
        "missed": int(missed.sum()),
        "masked": int(np.isfinite(fallback).sum()),
        "fallback": one_mean(fallback, clusters, level, share=True).to_json(),
        "foreground": one_mean(share, clusters, level).to_json(),
        "gap": float(np.nanmean(gaps)) if np.isfinite(gaps).any() else None,
        "rows": table_of(column, missed, clusters, level),
        "auroc_small": beside_null("auroc", "null_auroc", column, clusters, level, fallback == 1),
        "auroc_covering": beside_null("auroc", "null_auroc", column, clusters, level, fallback == 0),
        "dilution": dilution(share, np.where(decided, missed, np.nan), clusters, level),
    }
    if hidden:
        entry["hidden"] = hidden_figures(hidden, names, _people(panel), level)
    return without_people(entry) if several and not panel.clusters.known else entry


def _people(panel: Panel) -> dict[int, tuple[int, bool]]:
    """The cluster of every image by its row, and whether it is a person."""
    return dict(
        zip(panel.rows.tolist(), [(int(code), panel.clusters.known) for code in panel.clusters.codes], strict=True)
    )


def _pooled(audit: Audit) -> PooledLogits | None:
    cells = audit.manifest.cells
    assert cells is not None
    if not cells.poolings:
        return None
    stored = read_pooled(audit.folder) or {}
    return PooledLogits(
        tuple(cells.rows),
        tuple(cells.poolings),
        np.asarray(read_cells(audit, "pooled")),
        stored.get("pooled"),
        stored.get("labels"),
    )
