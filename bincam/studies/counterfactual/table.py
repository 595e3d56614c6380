"""The study in a terminal: a line for each kind of map, and for each attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.display import Table, counted, omitted
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, interval, percent, shown, written

MOST = 40
"""Attributes of which a row is printed."""
COLUMNS: tuple[tuple[str, str, Kind], ...] = (
    ("held", "held", "percent"),
    ("held_inside", "held inside", "percent"),
    ("other_held_inside", "of other pairs", "percent"),
    ("toward", "in the mask", "percent"),
    ("toward_over_area", "less area", "points"),
    ("auroc", "cell AUROC", "number"),
    ("auroc_over_other", "less other pairs", "difference"),
    ("tracking", "tracking", "number"),
)
INTERVALS = ("held_inside", "toward_over_area", "auroc_over_other", "tracking")
"""Figures that are printed with their interval."""


def truth_table(summary: Mapping[str, Any]) -> str:
    """Write the study's summary as text."""
    methods: Mapping[str, Any] = summary["methods"]
    first = next(iter(methods.values()))["all"]
    parts = [_head(summary, first)]
    rows = [(name, *(_cell(entry["all"], *column) for column in COLUMNS)) for name, entry in methods.items()]
    grids = {" × ".join(map(str, entry["grid"])) for entry in methods.values()}
    references = {name for entry in methods.values() for name in entry["agreement"]}
    heads = ["map", *(head for _, head, _ in COLUMNS), *(f"with {name}" for name in sorted(references))]
    rows = [
        (*row, *(shown(Estimate.from_json(methods[row[0]]["agreement"].get(name))) for name in sorted(references)))
        for row in rows
    ]
    title = f"Change of the logit that maps hold, on {', '.join(sorted(grids))} cells"
    parts.append(Table(title, heads, rows).text())
    parts += [_by_attribute(summary, name) for name in ("held_inside", "auroc_over_other", "tracking")]
    if any("†" in part for part in parts):
        parts.append("- † of too few pairs or people to rely on, or without an interval")
    return "\n\n".join(part for part in parts if part)


def _head(summary: Mapping[str, Any], score: Mapping[str, Any]) -> str:
    people = "" if summary["people"] is None else f" of {counted(summary['people'], 'person', 'people')}"
    lines = [
        f"{counted(summary['pairs'], 'pair')}{people}, {counted(len(summary['attributes']), 'attribute')}: the logit "
        f"of {score['judged']:,} changes by {summary['least']:g} or more; the others are left out"
    ]
    if score["undefined"] or score["unplaced"]:
        lines.append(
            f"{score['undefined']:,} without a finite map or logit; {score['unplaced']:,} without a mask that has an "
            "inside and an outside"
        )
    mask = Estimate.from_json(summary["edits"]["all"]["of_mask"])
    response, reach = (Estimate.from_json(score["figures"][name]) for name in ("response", "reach"))
    lines.append(f"the pixels of the mask alone bring {written(mask, 'percent')} of the change")
    if response.defined:
        lines.append(f"the logit follows the edit in {written(response, 'percent')} of all pairs")
    if reach.defined:
        name = next(iter(summary["methods"]))
        lines.append(f"a map on the grid of {name} can have {shown(reach, 'percent')} in the mask at most, on average")
    return "\n".join(lines)


def _by_attribute(summary: Mapping[str, Any], figure: str) -> str:
    """A table of one figure, a column per kind of map; empty for a single attribute."""
    names = summary["attributes"]
    if len(names) < 2:
        return ""
    _, head, kind = next(column for column in COLUMNS if column[0] == figure)
    kept = {
        name: entry
        for name, entry in summary["methods"].items()
        if any(Estimate.from_json(score["figures"][figure]).defined for score in entry["attributes"].values())
    }
    rows = [(name, *(_cell(entry["attributes"][name], figure, "", kind) for entry in kept.values())) for name in names]
    title = {
        "held_inside": "Held inside the mask",
        "auroc_over_other": "Cell AUROC less that of other pairs' maps",
        "tracking": "Rank correlation over pairs of the map's change inside the mask with the logit's",
    }
    note = omitted(min(len(rows), MOST), len(rows), "attributes")
    return Table(title.get(figure, head), ("attribute", *kept), rows[:MOST], note).text() if kept else ""


def _cell(score: Mapping[str, Any], figure: str, _: str, kind: Kind) -> str:
    estimate = Estimate.from_json(score["figures"][figure])
    if estimate.method == "identity" and abs(estimate.value - 1) < 1e-3:
        return percent(1.0)  # up to the rounding of float32
    mark = "†" * estimate.small
    ends = f" {interval(estimate, kind)}" if figure in INTERVALS else ""
    return f"{shown(estimate, kind)}{mark}{ends}".rstrip()
