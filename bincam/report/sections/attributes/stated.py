"""Figures at stated rates and prevalences, and differences between groups, from an attribute's summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bincam.report.reading.audited_model import Arm
from bincam.report.sections.attributes.slices import column_text, value_text
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import DIFFERENCE, NONE, PERCENT, counted, listed, number, p_value, percent, significant

NAMES = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
}
DIFFERENCES = {
    "equalised_odds_difference": "equalised odds",
    "demographic_parity_difference": "demographic parity",
}
RATES = {"tpr": "true-positive rate", "fpr": "false-positive rate", "positive": "share predicted positive"}

STATED_CAPTION = (
    "Sensitivity is the share of positives that are predicted positive, specificity that of negatives predicted "
    "negative; one is estimated at the threshold where the other is as stated, and the interval includes the "
    "uncertainty of that threshold. The predictive values are the shares of positive and of negative predictions that "
    "are right, at the model's own threshold; they depend on the prevalence."
)
DIFFERENCES_CAPTION = (
    "Equalised odds: the largest difference between two groups in the true-positive or the false-positive rate. "
    "Demographic parity: the largest difference in the share predicted positive, whatever the labels. The largest of "
    "many differences is positive by chance alone: “by chance” is its mean where predictions do not depend on the "
    "group, followed by the value that chance exceeds once in 20 cases. p is corrected for the number of attributes "
    "(Holm)."
)


def stated_table(attribute: str, arms: Sequence[Arm]) -> Table | None:
    """Make the table of one attribute's figures at stated rates; None where the summaries have none."""
    many = len(arms) > 1
    keys: dict[tuple[str, str, Any], None] = {}
    by_arm = []
    for arm in arms:
        entries = {(e["measure"], e["at"], e["stated"]): e for e in arm.entry(attribute).get("stated") or ()}
        keys |= dict.fromkeys(entries)
        by_arm.append(entries)
    rows = [
        _stated(key, entries[key], arm.name if many else "")
        for key in keys
        for arm, entries in zip(arms, by_arm, strict=True)
        if key in entries
    ]
    if not rows:
        return None
    heads = ["Measure", "At", *(["Model"] if many else []), "Value", "Threshold", "Images", "Note"]
    return Table("At stated rates", STATED_CAPTION, heads, rows)


def _stated(key: tuple[str, str, Any], entry: Mapping[str, Any], model: str) -> list[Cell]:
    measure, at, stated = key
    estimate = Estimate.from_json(entry)
    audited = isinstance(stated, str)
    rate = entry.get("prevalence") if audited else stated
    text = f"{at} {NONE if rate is None else significant(100 * rate, 3) + PERCENT}" + (" (audited)" if audited else "")
    threshold, attained, others = entry.get("threshold"), entry.get("attained"), entry.get("others")
    images = f"{estimate.images:,}" + (f" and {others:,}" if others is not None else "")
    note = entry.get("reason") or (
        f"attained: {percent(attained)}" if attained is not None and not _close(attained, stated) else ""
    )
    return [
        Cell(NAMES[measure], None),
        Cell(text, None),
        *([Cell(model, None)] if model else []),
        estimate_cell(estimate, "percent"),
        Cell(NONE if threshold is None else number(threshold), None, note="in logit units"),
        Cell(images, None, note=_images(measure, estimate, others)),
        Cell(note, None),
    ]


def _close(attained: float, stated: float) -> bool:
    return abs(attained - stated) < 5e-4


def _images(measure: str, estimate: Estimate, others: int | None) -> str:
    if others is None:
        return counted(estimate.images, "image")
    classes = ("positives", "negatives") if measure == "sensitivity" else ("negatives", "positives")
    return f"{estimate.images:,} {classes[0]} and {others:,} {classes[1]}"


def group_difference_table(attribute: str, arms: Sequence[Arm]) -> Table | None:
    """Make the table of one attribute's differences between groups; None where nothing was sliced."""
    many = len(arms) > 1
    rows = [
        _difference(entry, arm, many)
        for arm in arms
        for entry in arm.summary.get("group_differences") or ()
        if entry["attribute"] == attribute
    ]
    if not rows:
        return None
    heads = ["Groups", "Difference in", *(["Model"] if many else []), "Value", "By chance", "p", "Largest", "Left out"]
    return Table("Differences between groups", DIFFERENCES_CAPTION, heads, rows)


def _difference(entry: Mapping[str, Any], arm: Arm, named: bool) -> list[Cell]:
    estimate = Estimate.from_json(entry)
    null, null_high = (math.nan if entry[name] is None else entry[name] for name in ("null", "null_high"))
    is_tested = entry["measure"] == "equalised_odds_difference"
    p = _corrected(arm, entry) if is_tested else math.nan
    chance = f"{percent(null)} ({percent(null_high)})" if math.isfinite(null) else NONE
    largest = listed(
        [
            f"{RATES[gap['rate']]} {value_text(entry, gap['highest'])} over {value_text(entry, gap['lowest'])} by "
            f"{significant(100 * gap['value'], 2)} points"
            for gap in entry["gaps"]
        ]
    )
    left_out = "; ".join(f"{value_text(entry, group['group'])}: {group['reason']}" for group in entry["left_out"])
    return [
        Cell(column_text(entry), None),
        Cell(DIFFERENCES[entry["measure"]], None),
        *([Cell(arm.name, None)] if named else []),
        estimate_cell(estimate, DIFFERENCE["percent"]),
        Cell(chance, None, note="mean where groups do not differ, and what chance exceeds once in 20 cases"),
        Cell(
            p_value(p),
            None,
            note="permutation of groups" if is_tested else "not tested: groups whose labels differ need not have it",
        ),
        Cell(largest or str(entry["reason"]), None),
        Cell(left_out, None),
    ]


def _corrected(arm: Arm, entry: Mapping[str, Any]) -> float:
    """Return the corrected p of a difference in equalised odds; NaN without a test."""
    tests = (arm.family(f"equalised odds differ by {entry['column']}") or {}).get("tests", ())
    holm = next((test["holm"] for test in tests if test["attribute"] == entry["attribute"]), None)
    return math.nan if holm is None else float(holm)
