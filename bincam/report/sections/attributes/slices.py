"""Results by group, from the slices of an attribute's summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.report.reading.audited_model import Arm
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, basis, stated
from bincam.stats.hypotheses.families import undecided

MEASURES: tuple[tuple[str, str, Kind], ...] = (
    ("error", "error", "percent"),
    ("minority_error", "minority error", "percent"),
    ("majority_error", "majority error", "percent"),
    ("gain", "gain", "number"),
    ("bias_share", "bias share", "percent"),
    ("cell_auroc_gain", "cell AUROC less null", "number"),
    ("recovery_gain", "recovery less chance", "points"),
    ("recoverable", "recoverable errors, less chance", "points"),
    ("signed_calibration_error", "signed calibration error", "points"),
    ("ece_debiased", "debiased calibration error", "percent"),
)


def slice_table(attribute: str, arms: Sequence[Arm]) -> Table | None:
    """Make the table of one attribute's slices, a row per group and arm; None where nothing was sliced."""
    by_arm = [_by_group(arm, attribute) for arm in arms]
    groups = list(dict.fromkeys(group for by_group in by_arm for group in by_group))
    if not groups:
        return None
    shown = [m for m in MEASURES if any(m[0] in numbers for by_group in by_arm for numbers in by_group.values())]
    rows = []
    for group in groups:
        for arm, by_group in zip(arms, by_arm, strict=True):
            numbers = by_group.get(group, {})
            named = [Cell(f"{group[0]}: {group[1]}", None), *([Cell(arm.name, None)] if len(arms) > 1 else [])]
            named.append(_images(numbers.get("error")))
            shown_entries = [(numbers.get(arm.rate_name(attribute, key)), kind) for key, _, kind in shown]
            rows.append([*named, *(estimate_cell(Estimate.from_json(entry), kind) for entry, kind in shown_entries)])
    heads = ["Group", *(["Model"] if len(arms) > 1 else []), "Images", *(label for _, label, _ in shown)]
    gaps = " ".join(filter(None, (_gap(arm, attribute, len(arms) > 1) for arm in arms)))
    return Table("By group", gaps, heads, rows)


def _entries(arm: Arm, attribute: str) -> list[Mapping[str, Any]]:
    return [entry for entry in arm.summary.get("slices") or () if entry.get("attribute") == attribute]


def _by_group(arm: Arm, attribute: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Map column and value to the estimates by measure."""
    result: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in _entries(arm, attribute):
        if "estimate" in entry:
            group = (column_text(entry), value_text(entry, str(entry["value"])))
            result.setdefault(group, {})[entry["measure"]] = entry["estimate"]
    return result


def column_text(entry: Mapping[str, Any]) -> str:
    """Write the column of a summary's entry, or the columns of an intersection: ``sex × age``."""
    columns = entry.get("columns", [entry["column"]])
    return " × ".join(str(column).removeprefix("group.") for column in columns)


def value_text(entry: Mapping[str, Any], value: str) -> str:
    """Write a value of an entry's column, or a combination of values of an intersection: ``female × young``."""
    return value.replace("*", " × ") if "columns" in entry else value


def _images(error: Mapping[str, Any] | None) -> Cell:
    """Make the cell of a group's number of images with a known error, and of people in its note."""
    estimate = Estimate.from_json(error)
    return Cell(f"{estimate.images:,}", None, note=basis(estimate) or "no image")


def _gap(arm: Arm, attribute: str, named: bool) -> str:
    """State the largest difference in error between two groups; empty where none could be compared."""
    compared = [e for e in _entries(arm, attribute) if e["measure"] == "error" and e.get("gap")]
    if not compared:
        return ""
    widest = max(compared, key=lambda entry: Estimate.from_json(entry["gap"]).value)
    gap = Estimate.from_json(widest["gap"])
    start = f"Largest difference in error between groups{f' ({arm.name})' if named else ''}"
    worst, best = (value_text(widest, str(widest[name])) for name in ("worst", "best"))
    tests = (arm.family(f"error differs by {widest['column']}") or {}).get("tests") or ()
    missed = undecided([test for test in tests if test["attribute"] == attribute], "points")
    about = f" The test of all groups finds no difference; {missed}." if missed else ""
    return (
        f"{start}: {column_text(widest)}, {worst} minus {best}, {stated(gap, 'points')}. The two were chosen on these "
        f"same images as the worst and the best, so their difference is biased upwards.{about}"
    )
