"""Tables of a contrast: paired differences of an attribute, and the comparison with the source paper."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bincam.audit.summary.summarize import column_of
from bincam.compare.names import names_from
from bincam.report.reading.contrast import Contrast
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import DIFFERENCE, NONE, Kind, basis, counted, images, interval, listed, p_value, shown

ERRORS = ("minority_error", "majority_error")
MEASURES: tuple[tuple[str, Kind], ...] = (
    ("gain", "number"),
    ("energy", "number"),
    ("lift", "number"),
    ("object_gain", "number"),
    ("influence_gain", "number"),
    ("empty", "percent"),
    ("bias_share", "percent"),
    ("cell_auroc_gain", "number"),
    ("cell_contrast", "percent"),
    ("recovery", "percent"),
    ("recovery_gain", "percent"),
    ("false_alarm", "percent"),
)
LABELS = {
    "empty": "no positive evidence",
    "cell_auroc_gain": "cell AUROC less null",
    "cell_contrast": "cells inside less outside",
    "recovery": "recovery in the cells",
    "recovery_gain": "recovery less chance",
    "false_alarm": "false alarm of cells",
}
"""Names of measures on the page where they are not the column's."""

PAPER = ("unbalanced", "balanced")
"""Keys of the paper's two models, and of ours next to them."""

AMONG = {
    "true:minority": "minority class",
    "true:majority": "majority class",
    "alike:minority": "both predict minority",
    "alike:majority": "both predict majority",
}


def estimate_cell(estimate: Estimate, kind: Kind) -> Cell:
    """Make the cell of an estimate: value, interval, and the images behind it as its note."""
    why = f"undefined on {images(estimate)}" if estimate.images else "undefined: no image to measure it on"
    note = (basis(estimate) or "no images are counted") if estimate.defined else why
    return Cell(shown(estimate, kind), None, interval(estimate, kind), estimate.small, note)


def difference_table(contrast: Contrast, attribute: str) -> Table:
    """Make the table of paired differences of one attribute, first minus second."""
    entry = contrast.document["attributes"][attribute]
    rows = []
    for rate in ERRORS:
        for pair, difference in entry["error_differences"][rate].items():
            adjusted = pair.startswith(contrast.document["columns"][1])
            p = None if adjusted else contrast.corrected.get((attribute, rate, None))
            among = f"{rate.removesuffix('_error')} class" + (", adjusted threshold" if adjusted else "")
            rows.append(_difference("error", among, difference, "percent", p))
    for measure, kind in MEASURES:
        groups = entry["differences"].get(column_of(measure, contrast.first.audit.methods)) or {}
        for group, among in AMONG.items():
            difference = groups.get(group)
            if difference and difference["difference"]["images"]:
                p = contrast.corrected.get((attribute, measure, group))
                rows.append(_difference(LABELS.get(measure, measure.replace("_", " ")), among, difference, kind, p))
    return Table(
        "Paired differences",
        f"{contrast.first.name} minus {contrast.second.name}, on the same images. p-values are Holm-corrected over all "
        f"attributes; {NONE} means not tested. Rows without images are omitted.",
        ("Measure", "Among", "Images", "Difference", "p"),
        rows,
    )


def _difference(measure: str, among: str, entry: Mapping[str, Any], kind: Kind, p: float | None) -> list[Cell]:
    estimate = Estimate.from_json(entry["difference"])
    cell = estimate_cell(estimate, DIFFERENCE[kind])
    return [
        Cell(measure, None),
        Cell(among, None),
        Cell(f"{estimate.images:,}", None, note=cell.note),
        cell,
        Cell(p_value(math.nan if p is None else p), None, note=str(entry.get("test") or "p")),
    ]


def published_table(contrast: Contrast) -> Table | None:
    """Make the table that compares with the source paper's figures; None where it was not asked for."""
    published = contrast.document.get("published")
    if not published:
        return None
    entries = published["rows"]
    reason = published["reason"]
    names = names_from(contrast.document)
    ours = (names.first, names.second)
    sizes = _sizes(entries, ours) if published["graded"] else f"{reason[:1].upper()}{reason[1:]}."
    caption = f"{published['source']}. {_directions(entries)} {sizes}"
    heads = ("Attribute", "Figure", "Paper, unbalanced", "Paper, balanced", *(f"Here, {name}" for name in ours),
             "Direction", "Size")  # fmt: skip
    return Table("Comparison with the source paper", caption, heads, [_published(entry, ours) for entry in entries])


def _directions(rows: Sequence[Mapping[str, Any]]) -> str:
    """Count the figures that differ in the paper's direction, and the reasons where no direction is shown."""
    counts = Counter(_direction(row) for row in rows)
    reasons = (
        ("overlapping", "the intervals of this audit overlap"),
        ("equal", "the paper's two figures are equal"),
        ("undefined", "a figure of this audit is undefined"),
    )
    rest = "".join(f"; for {counts[key]}, {text}" for key, text in reasons if counts[key])
    return (
        f"For {counts['same']} of {counted(len(rows), 'figure')} the models differ in the paper's direction, for "
        f"{counts['other']} in the opposite one{rest}."
    )


def _direction(row: Mapping[str, Any]) -> str:
    if row["direction"] != "not shown":
        return str(row["direction"])
    estimates = [Estimate.from_json(entry) for entry in row["ours"].values()]
    defined = all(math.isfinite(end) for estimate in estimates for end in (estimate.low, estimate.high))
    return "overlapping" if defined else "undefined"


def _sizes(rows: Sequence[Mapping[str, Any]], ours: Sequence[str]) -> str:
    """Count the figures that agree in size, by model."""
    parts = []
    for key, name in zip(PAPER, ours, strict=True):
        graded = [row["size"][key] for row in rows if row["size"][key] is not None]
        parts.append(f"{sum(graded)} of {len(graded)} ({name})")
    return f"The paper's figure is inside the interval of this audit in {listed(parts)}."


def _published(row: Mapping[str, Any], ours: Sequence[str]) -> list[Cell]:
    kind: Kind = "percent" if row["figure"] in {"fnr", "fpr"} else "number"
    size = row["size"]
    graded = any(agrees is not None for agrees in size.values())
    agreeing = listed([name for key, name in zip(PAPER, ours, strict=True) if size[key]]) or "neither"
    cells = [Cell(row["attribute"], None), Cell(row["figure"].replace("_", " "), None)]
    published = [Estimate.of_value(float(row["published"][key])) for key in PAPER]
    cells += [Cell(shown(figure, kind), None, note="published") for figure in published]
    cells += [estimate_cell(Estimate.from_json(row["ours"][key]), kind) for key in PAPER]
    return [*cells, Cell(_direction(row), None), Cell(agreeing if graded else "", None)]
