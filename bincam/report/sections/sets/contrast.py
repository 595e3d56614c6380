"""The sets of outputs on the page of a contrast: both models' errors, differences, confusion tables and outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bincam.compare.sets.differences import RATES
from bincam.compare.sets.sentences import correction
from bincam.report.figures.audited.confusion import confusion
from bincam.report.figures.theme import inline
from bincam.report.reading.audited_model import Arm
from bincam.report.reading.contrast import Contrast
from bincam.report.sections.context import Drawing, slug
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.sections.sets.card import lead
from bincam.report.sections.sets.contrast_maps import contrast_maps
from bincam.report.sections.sets.tables import MOST_ROWS, confusions_table
from bincam.report.sections.words import wording
from bincam.report.view.parts import Cell, Chart, Table, Tile
from bincam.report.view.sets import SetContrastCard
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import NONE, basis, counted, interval, p_value, significant, written

LABELS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "minority_error": "minority error",
    "majority_error": "majority error",
}
HEADLINES = ("accuracy", "minority_error", "majority_error")
OUTPUTS_CAPTION = (
    "A miss is an image of the output that is predicted to be another, a false alarm an image of another output that "
    "is predicted to be it. Both models are counted on the same images."
)
OLDER = "The contrast states neither confusion tables nor outputs; make it again with 'bincam compare' to see them."


def set_contrast_card(name: str, contrast: Contrast, drawing: Drawing) -> SetContrastCard:
    """Build the card of a set that both models have."""
    entry: Mapping[str, Any] = contrast.document["sets"][name]
    arms = (contrast.first, contrast.second)
    tables: Mapping[str, Any] = entry.get("confusion") or {}
    large = any("cells" in table for table in tables.values())
    drawn = [arm for arm in arms if arm.key in tables]
    maps, limit, hint = contrast_maps(name, entry, drawing)
    return SetContrastCard(
        name=name,
        anchor=f"set-{slug(name)}",
        lead=lead(entry),
        figures=[(LABELS[rate], _both(entry, rate, arms)) for rate in HEADLINES if rate in entry["rates"]],
        sentences=contrast.sentences(name),
        differences=_differences(entry, contrast),
        confusions=[] if large else [_heat_map(name, entry, arm) for arm in drawn],
        most=[_most_frequent(entry, arm) for arm in drawn] if large else [],
        outputs=_outputs(entry, arms) if "by_output" in entry else None,
        maps=maps,
        limit=significant(limit, 2),
        maps_hint=hint,
        warnings=_warnings(name, entry, arms),
    )


def set_contrast_tiles(name: str, contrast: Contrast) -> list[Tile]:
    """Make the headline numbers of a set: accuracy and, where it is defined, minority error of both models."""
    entry: Mapping[str, Any] = contrast.document["sets"][name]
    arms = (contrast.first, contrast.second)
    outputs = len(entry["outputs"])
    notes = {
        "accuracy": f"of {counted(outputs, 'output')}",
        "minority_error": (
            f"mean miss rate of {counted(len(entry['minority']), 'output')} rarer than one in {outputs:,}"
        ),
    }
    tiles = []
    for rate, note in notes.items():
        figures = _figures(entry, rate, arms)
        if not any(figure.defined for figure in figures):
            continue
        difference = Estimate.from_json(entry["differences"][rate]["difference"])
        ends = ["" if wording.few(figure) else interval(figure, "percent") for figure in figures]
        apart = f"; difference {written(difference, 'points')}" if difference.defined else ""
        tiles.append(
            Tile(
                f"{LABELS[rate].capitalize()}, {name}",
                _both(entry, rate, arms),
                " → ".join(ends) if all(ends) else "",
                f"{note}{apart}",
                " → ".join(dict.fromkeys(basis(figure) for figure in figures)),
            )
        )
    return tiles


def _figures(entry: Mapping[str, Any], rate: str, arms: Sequence[Arm]) -> list[Estimate]:
    return [Estimate.from_json(entry["rates"][rate].get(arm.key)) for arm in arms]


def _both(entry: Mapping[str, Any], rate: str, arms: Sequence[Arm]) -> str:
    return " → ".join(wording.marked(figure, "percent") for figure in _figures(entry, rate, arms))


def _differences(entry: Mapping[str, Any], contrast: Contrast) -> Table:
    rows, arms = [], (contrast.first, contrast.second)
    for rate in RATES:
        if rate not in entry["rates"]:
            continue
        compared = entry["differences"][rate]
        difference = Estimate.from_json(compared["difference"])
        rows.append(
            [
                Cell(LABELS[rate], None),
                Cell(f"{difference.images:,}", None, note=basis(difference) or "no image"),
                *(estimate_cell(figure, "percent") for figure in _figures(entry, rate, arms)),
                estimate_cell(difference, "points"),
                p_cell(compared),
            ]
        )
    first, second = (arm.name for arm in arms)
    caption = (
        f"{first} minus {second}, on the same images. {about_p(contrast)}; {NONE} means not tested or undefined. "
        "† marks figures of too few images."
    )
    return Table("Paired differences", caption, ("Figure", "Images", first, second, "Difference", "p"), rows)


def p_cell(compared: Mapping[str, Any]) -> Cell:
    """Make the cell of a p-value, corrected where the contrast states it so."""
    p = compared.get("holm", compared.get("p"))
    return Cell(p_value(math.nan if p is None else p), None, note=str(compared.get("test") or "not tested"))


def about_p(contrast: Contrast) -> str:
    """State which p-values tables of sets show."""
    tests = contrast.tests_on_sets
    if not tests:
        return "p is McNemar's over people or images, without a correction for their number"
    return f"p over people or images: {correction(tests)}"


def _heat_map(name: str, entry: Mapping[str, Any], arm: Arm) -> Chart:
    counts = np.array(entry["confusion"][arm.key]["counts"])
    line = f"{arm.name}: {int(np.trace(counts)):,} of {counted(entry['images'], 'image')} on the diagonal"
    figure = confusion(counts, entry["outputs"], arm.name)
    return Chart(inline(figure, f"Confusion table of {name}, {line}"), [f"{line}."])


def _most_frequent(entry: Mapping[str, Any], arm: Arm) -> Table:
    title = f"Confusions, {arm.name}"
    table = confusions_table({"confusion": entry["confusion"][arm.key], "outputs": entry["by_output"]})
    return Table(title, "No output is taken for another.", (), ()) if table is None else replace(table, title=title)


def _outputs(entry: Mapping[str, Any], arms: Sequence[Arm]) -> Table:
    by_output: Mapping[str, Mapping[str, Any]] = entry["by_output"]
    names, caption = list(by_output), OUTPUTS_CAPTION
    if len(names) > MOST_ROWS:

        def missed(output: str) -> float:
            figures = by_output[output]
            return float(sum((figures["fnr"][arm.key]["value"] or 0) * figures["images"] for arm in arms))

        names = sorted(names, key=lambda output: -missed(output))[:MOST_ROWS]
        caption += f" The {MOST_ROWS} of {len(by_output):,} outputs with the most misses; contrast.json has all."
    rows = []
    for output in names:
        figures = by_output[output]
        rare = ", minority" if output in entry["minority"] else ""
        cells = [
            estimate_cell(Estimate.from_json(figures[rate][arm.key]), "percent")
            for rate in ("fnr", "fpr")
            for arm in arms
        ]
        rows.append([Cell(f"{output}{rare}", None), Cell(f"{figures['images']:,}", None), *cells])
    heads = [f"{rate}, {arm.name}" for rate in ("Misses", "False alarms") for arm in arms]
    return Table("Outputs", caption, ["Output", "Images", *heads], rows)


def _warnings(name: str, entry: Mapping[str, Any], arms: Sequence[Arm]) -> list[str]:
    result = []
    if "by_output" not in entry:
        result.append(OLDER)
    lacking = [output for output, figures in (entry.get("by_output") or {}).items() if not figures["images"]]
    if lacking:
        result.append(
            f"No image of {counted(len(lacking), 'output')}, the first {lacking[0]}; means over outputs leave them out."
        )
    called = (name, entry.get("name_in_second", name))
    for arm, its_name in zip(arms, called, strict=True):
        of_arm = (arm.summary.get("sets") or {}).get(its_name) or {}
        left_out = int(of_arm.get("unknown") or 0) + int(of_arm.get("undefined") or 0)
        if left_out:
            result.append(
                f"{counted(left_out, 'image')} of the audit of {arm.phrase} without a known label, or with a score "
                "that is not finite: left out for both models."
            )
    return result
