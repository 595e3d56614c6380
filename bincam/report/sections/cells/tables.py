"""Tables of prediction grids: each figure beside its null, small objects, hidden objects, other poolings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bincam.report.sections.cells.poolings import SAID
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import DIFFERENCE, Kind, percent

Named = Sequence[tuple[str, Mapping[str, Any]]]
"""Names of models, empty where there is one, with an entry ``cells`` of the summary each."""

YES, NAMES = "says yes", "names it"
ANYWHERE = "the same mask anywhere in the grid (chance)"
LABELS: Mapping[str, tuple[str, str, Kind]] = {
    "auroc": ("Cell AUROC, object against the rest", "scores of another image with it", "number"),
    "contrast": ("Cells on the object: share that {says}", "cells elsewhere", "percent"),
    "recovery": ("Some cell on the object {says}", ANYWHERE, "percent"),
    "recoverable": ("Some cell on the object {says}, missed images", ANYWHERE, "percent"),
    "false_alarm": ("Some cell on the object {says}", "images without it", "percent"),
    "absent_alarm": ("Some cell on the object {says}", "an output that is not its label", "percent"),
}
CHOSEN = " (chosen)"
WRONG_OUTPUT = "the best wrong output"
AGAINST = {"zero": "", "midpoint": ", against the midpoint"}
FILLS = {"mean_colour": "mean colour of the rest", "imputed": "noisy linear imputation"}
CAPTION = (
    "Every figure stands beside what other scores, places or images give (its null); where both are of the same "
    "images the difference is paired. Against the midpoint, the evidence that images get in a cell on average is taken "
    "out."
)


def null_table(title: str, entries: Named, *, of_set: bool) -> Table:
    """Make the table of figures beside their nulls.

    Args:
        title: Above it.
        entries: Of one or several models.
        of_set: Whether they are of outputs of a set.
    """
    says, rows = NAMES if of_set else YES, []
    for name, entry in entries:
        for row in entry["rows"]:
            label, null, kind = LABELS[row["measure"]]
            other = WRONG_OUTPUT if of_set and row["measure"] == "false_alarm" else null
            rows.append(_row(name, label.format(says=says) + AGAINST[row["reference"]], other, row, kind, entries))
        for key, which in (("auroc_small", "smaller than a cell"), ("auroc_covering", "of a cell or more")):
            label, null, kind = LABELS["auroc"]
            if Estimate.from_json(entry[key]["difference"]).defined and 0 < _share(entry) < 1:
                rows.append(_row(name, f"Cell AUROC, objects {which}", null, entry[key], kind, entries))
    if len(entries) > 1:
        rows = _side_by_side(rows, lambda row: (row[0].text, row[4].text))
    heads = ["Measure", *(["Model"] if len(entries) > 1 else []), "Images", "Figure", "Against", "Null", "Difference"]
    return Table(title, CAPTION, heads, rows)


def _side_by_side(rows: list[list[Cell]], key: Callable[[list[Cell]], object]) -> list[list[Cell]]:
    """Bring the rows of several models that are of the same figure together, in the order of the first model."""
    order = {kind: place for place, kind in reversed(list(enumerate(map(key, rows))))}
    return sorted(rows, key=lambda row: order[key(row)])


def _row(name: str, label: str, null: str, row: Mapping[str, Any], kind: Kind, entries: Named) -> list[Cell]:
    figure, other, difference = (Estimate.from_json(row[key]) for key in ("figure", "null", "difference"))
    count = estimate_cell(figure, kind)
    return [
        Cell(label, None),
        *([Cell(name, None)] if len(entries) > 1 else []),
        Cell(f"{figure.images:,}", None, note=count.note),
        count,
        Cell(null, None),
        estimate_cell(other, kind),
        estimate_cell(difference, DIFFERENCE[kind]),
    ]


def _share(entry: Mapping[str, Any]) -> float:
    return Estimate.from_json(entry["fallback"]).value


def dilution_table(entries: Named) -> Table | None:
    """Make the table of errors by the object's size in cells; None where no image has a mask and a label."""
    rows = [
        [
            Cell(_between(part), None),
            *([Cell(name, None)] if len(entries) > 1 else []),
            Cell(f"{part['images']:,}", None, note=f"{part['images']:,} images"),
            estimate_cell(Estimate.from_json(part["missed"]), "percent"),
        ]
        for name, entry in entries
        for part in entry["dilution"]["bins"]
    ]
    if not rows:
        return None
    heads = ["Share of the cells", *(["Model"] if len(entries) > 1 else []), "Images", "Missed"]
    caption = "Images with the attribute by the share of the cells that its object covers (k/n), in thirds."
    return Table("Missed, by the object's size", caption, heads, rows)


def _between(part: Mapping[str, Any]) -> str:
    low, high = percent(part["from"]), percent(part["to"])
    return low if low == high else f"{low} to {high}"


def hidden_table(entries: Named) -> Table | None:
    """Make the table of what other cells say with the object hidden; None where it was not measured."""
    rows = []
    for name, entry in entries:
        for fill, figures in (entry.get("hidden") or {}).items():
            before, after, difference = (Estimate.from_json(figures[key]) for key in ("before", "after", "difference"))
            if not before.defined:
                continue
            cell = estimate_cell(before, "percent")
            rows.append(
                [
                    Cell(FILLS[fill], None),
                    *([Cell(name, None)] if len(entries) > 1 else []),
                    Cell(f"{before.images:,}", None, note=cell.note),
                    cell,
                    estimate_cell(after, "percent"),
                    estimate_cell(difference, "points"),
                ]
            )
    if not rows:
        return None
    heads = ["Filled with", *(["Model"] if len(entries) > 1 else []), "Images", "Before", "After", "Difference"]
    caption = (
        "Share of the cells off the object that say yes, before and after its pixels are filled. What goes away was "
        "seen of the object itself, through cells that see more than their square; what stays is context, or the fill."
    )
    return Table("Cells off the object, with it hidden", caption, heads, rows)


def pooling_table(entries: Named) -> Table | None:
    """Make the table of other poolings of the same cells; None where none could be compared."""
    figures: Mapping[str, tuple[str, Kind]] = {
        "auroc": ("AUROC", "number"),
        "precision": ("Average precision", "number"),
        "error": ("Error", "percent"),
        "balanced_error": ("Balanced error", "percent"),
    }
    compared = [(name, p) for name, entry in entries if "compared" in (p := entry.get("poolings") or {})]
    if not compared:
        return None
    shown = [key for key in figures if key in next(iter(compared[0][1]["compared"].values()))]
    rows = []
    for name, poolings in compared:
        for pooling, of_pooling in poolings["compared"].items():
            chosen = CHOSEN if pooling == poolings["best"] else ""
            row = [Cell(f"{SAID[pooling]}{chosen}", None), *([Cell(name, None)] if len(entries) > 1 else [])]
            for key in shown:
                kind = figures[key][1]
                row.append(estimate_cell(Estimate.from_json(of_pooling[key]), kind))
                row.append(estimate_cell(Estimate.from_json(of_pooling[f"{key}_gain"]), DIFFERENCE[kind]))
            rows.append(row)
    if len(compared) > 1:
        rows = _side_by_side(rows, lambda row: row[0].text.removesuffix(CHOSEN))
    heads = ["Pooled", *(["Model"] if len(entries) > 1 else [])]
    heads += [head for key in shown for head in (figures[key][0], "better by")]
    caption = (
        "The same cells in place of their mean, which is the model's own answer; better by: than the mean, paired. "
        "Chosen: the lowest balanced error on the reference split. The model was trained for none of these."
    )
    return Table("Other poolings of the same cells", caption, heads, rows)
