"""Outputs that the two models of a contrast state differently: a table of their misses and false alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.report.reading.contrast import Contrast
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.sections.sets.contrast import about_p, p_cell
from bincam.report.sections.sets.tables import MOST_ROWS
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import NONE, basis

TITLE = "Outputs that the models state differently"
RATES = {"fnr": "missed", "fpr": "false alarm"}


def single_outputs(contrast: Contrast) -> Table | None:
    """Make the table of outputs that are compared one by one; None without such outputs."""
    outputs: Mapping[str, Mapping[str, Any]] = contrast.document.get("outputs") or {}
    if not outputs:
        return None
    arms = (contrast.first, contrast.second)
    shown = sorted(outputs, key=lambda name: -_greatest(outputs[name]))[:MOST_ROWS]
    rows = [
        [
            Cell(name, None),
            Cell(text, None),
            Cell(f"{difference.images:,}", None, note=basis(difference) or "no image"),
            *(estimate_cell(Estimate.from_json(outputs[name]["rates"][rate].get(arm.key)), "percent") for arm in arms),
            estimate_cell(difference, "points"),
            p_cell(outputs[name]["differences"][rate]),
        ]
        for name in outputs
        if name in shown
        for rate, text in RATES.items()
        for difference in [Estimate.from_json(outputs[name]["differences"][rate]["difference"])]
    ]
    first, second = (arm.name for arm in arms)
    caption = (
        "The one model states them in a set, the other as yes-or-no attributes or in another set. Yes, of a set, is "
        f"that the output is predicted. {first} minus {second}, on the same images. {about_p(contrast)}; {NONE} means "
        "undefined. † marks figures of too few images."
    )
    if len(outputs) > MOST_ROWS:
        caption += f" The {MOST_ROWS} of {len(outputs):,} outputs with the greatest differences; contrast.json has all."
    return Table(TITLE, caption, ("Output", "Answer", "Images", first, second, "Difference", "p"), rows)


def _greatest(entry: Mapping[str, Any]) -> float:
    """The greatest absolute difference of an output; 0 where none is defined."""
    differences = (entry["differences"][rate]["difference"]["value"] for rate in RATES)
    return max(abs(float(value or 0)) for value in differences)
