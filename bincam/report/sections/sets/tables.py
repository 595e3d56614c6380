"""Tables of a set: its outputs, its most frequent confusions, and its figures by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bincam.report.reading.audited_model import Arm
from bincam.report.sections.attributes.slices import column_text, value_text
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.sections.words import wording
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import NONE, basis, counted, percent, stated

MOST_ROWS = 20
"""Rows of the tables of a set with more outputs."""

OUTPUTS_CAPTION = (
    "A miss is an image of the output that is predicted to be another, a false alarm an image of another output that "
    "is predicted to be it. AUROC ranks the images by the log-odds of the output against all others."
)
MAPS_CAPTION = (
    " Gain and bias share are of the images where the output is predicted. The bias share is counted from {}, and "
    "leaves out what log-odds lose to the number of alternatives; {}."
)


def outputs_table(arm: Arm, name: str) -> Table:
    """Make the table of a set's outputs; of a large set, of those with the most misses."""
    entry = arm.summary["sets"][name]
    outputs: Mapping[str, Mapping[str, Any]] = entry["outputs"]
    names = list(outputs)
    caption, large = OUTPUTS_CAPTION, entry["large"]
    if len(names) > MOST_ROWS:
        misses = {o: (figures["rates"]["fnr"]["value"] or 0) * figures["images"] for o, figures in outputs.items()}
        names = sorted(names, key=lambda output: -misses[output])[:MOST_ROWS]
        caption += f" The {MOST_ROWS} of {len(outputs):,} outputs with the most misses; summary.json has all."
    share = "zero.bias_share" if arm.audit.manifest.references_from is None else "midpoint.bias_share"
    taken_for = _taken_for(entry, list(outputs))
    rows = []
    for output in names:
        figures = outputs[output]
        rates = figures["rates"]
        rare = ", minority" if output in entry["minority"] else ""
        row = [
            Cell(output, None),
            Cell(f"{figures['train_images']:,}{rare}", None),
            Cell(f"{figures['images']:,}", None),
            Cell(f"{figures['predicted']:,}", None),
            *(estimate_cell(Estimate.from_json(rates[rate]), "percent") for rate in ("fnr", "fpr")),
            estimate_cell(Estimate.from_json(rates["auroc"]), "number"),
            Cell(taken_for.get(output, NONE), None),
        ]
        if not large:
            row += [
                estimate_cell(_of_predicted(figures, f"{arm.method}.gain"), "number"),
                estimate_cell(_of_predicted(figures, share), "percent"),
            ]
        rows.append(row)
    trained = "Training images" if entry["minority_from"] == "card" else "Audited labels"
    heads = ["Output", trained, "Images", "Predicted", "Misses", "False alarms", "AUROC", "Most often taken for"]
    if not large:
        heads, caption = heads + _OF_MAPS, caption + _maps_caption(arm, len(outputs))
    return Table("Outputs", caption, heads, rows)


def _maps_caption(arm: Arm, outputs: int) -> str:
    fitted_on = arm.audit.manifest.references_from
    reference = "zero, without a reference" if fitted_on is None else wording.reference(arm)
    comparable = "of two outputs nothing is lost" if outputs == 2 else _NOT_COMPARABLE
    return MAPS_CAPTION.format(reference, comparable)


_NOT_COMPARABLE = "it is not comparable with that of a yes-or-no attribute"


_OF_MAPS = ["Gain", "Bias share"]


def _of_predicted(figures: Mapping[str, Any], column: str) -> Estimate:
    """The mean of a column over the images where an output is predicted."""
    return Estimate.from_json(figures["measures"][column]["predicted:positive"])


def confusions(entry: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """List the occupied cells beside the diagonal of a set's confusion table, ``(true, predicted, count)``."""
    confusion = entry["confusion"]
    if "cells" in confusion:
        cells = [(int(t), int(p), int(n)) for t, p, n in confusion["cells"]]
    else:
        counts = np.array(confusion["counts"])
        cells = [(int(t), int(p), int(counts[t, p])) for t, p in zip(*np.nonzero(counts), strict=True)]
    return [cell for cell in cells if cell[0] != cell[1]]


def _taken_for(entry: Mapping[str, Any], outputs: Sequence[str]) -> dict[str, str]:
    best: dict[int, tuple[int, int]] = {}
    for true, predicted, count in confusions(entry):
        if true not in best or count > best[true][1]:
            best[true] = predicted, count
    return {outputs[true]: f"{outputs[predicted]} ({count:,})" for true, (predicted, count) in best.items()}


def confusions_table(entry: Mapping[str, Any]) -> Table | None:
    """Make the table of a large set's most frequent confusions; None where there is none."""
    outputs = list(entry["outputs"])
    cells = sorted(confusions(entry), key=lambda cell: (-cell[2], cell[0], cell[1]))
    if not cells:
        return None
    rows = [
        [
            Cell(outputs[true], None),
            Cell(outputs[predicted], None),
            Cell(f"{count:,}", count, note=f"of {counted(entry['outputs'][outputs[true]]['images'], 'image')}"),
            Cell(percent(count / entry["outputs"][outputs[true]]["images"]), None),
        ]
        for true, predicted, count in cells[:MOST_ROWS]
    ]
    pairs = f"{len(cells):,} pair{'s' * (len(cells) != 1)} of a true and another predicted output"
    some = len(rows) < len(cells)
    caption = f"The {len(rows)} most frequent of {pairs}." if some else f"Occurring: {pairs}."
    return Table("Confusions", caption, ["True", "Predicted", "Images", "Share of the true output's"], rows)


def groups_table(arm: Arm, name: str) -> Table | None:
    """Make the table of a set's figures by group; None where nothing was sliced."""
    entries = [entry for entry in arm.summary.get("slices") or () if entry["attribute"] == name]
    by_group: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        if "estimate" in entry:
            group = (column_text(entry), value_text(entry, str(entry["value"])))
            by_group.setdefault(group, {})[entry["measure"]] = entry["estimate"]
    if not by_group:
        return None
    rows = []
    for (column, value), numbers in by_group.items():
        of_images = Estimate.from_json(numbers["error"])
        cells = [estimate_cell(Estimate.from_json(numbers.get(rate)), "percent") for rate in _BY_GROUP]
        count = Cell(f"{of_images.images:,}", None, note=basis(of_images) or "no image")
        rows.append([Cell(f"{column}: {value}", None), count, *cells])
    compared = [entry for entry in entries if entry.get("gap")]
    caption = ""
    if compared:
        widest = max(compared, key=lambda entry: Estimate.from_json(entry["gap"]).value)
        worst, best = (value_text(widest, str(widest[end])) for end in ("worst", "best"))
        caption = (
            f"Largest difference in error between groups: {column_text(widest)}, {worst} minus {best}, "
            f"{stated(Estimate.from_json(widest['gap']), 'points')}. The two were chosen on these same images as the "
            "worst and the best, so their difference is biased upwards."
        )
    return Table("By group", caption, ["Group", "Images", "Error", "Minority error", "Majority error"], rows)


_BY_GROUP = ("error", "minority_error", "majority_error")
