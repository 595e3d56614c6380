"""Summary of several runs' test counts: pooled over folds, averaged over seeds, as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

COLUMNS = ("unbalanced", "unbalanced, threshold moved", "balanced")
MEASURES = ("minority_error", "majority_error", "balanced_error", "error", "auroc")
Row = dict[str, float | None]


def column(test: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """Select a column's attributes from the arms' ``test.json``; only the unbalanced model has adjusted thresholds."""
    arm = "balanced" if name == "balanced" else "unbalanced"
    attributes: dict[str, Any] = test[arm]["tuned" if name == COLUMNS[1] else "zero"]["attributes"]
    return attributes


def pooled(parts: Sequence[dict[str, Any]], minority: str) -> Row:
    """Pool one attribute over test splits that share no image: counts are added, AUROC is averaged over the splits.

    Args:
        parts: The attribute's entry in each split.
        minority: ``"positive"`` or ``"negative"``.
    """
    total = {key: sum(int(part[key]) for part in parts) for key in ("tp", "fp", "fn", "tn")}
    fnr, fpr = ratio(total["fn"], total["tp"] + total["fn"]), ratio(total["fp"], total["fp"] + total["tn"])
    errors = (fnr, fpr) if minority == "positive" else (fpr, fnr)
    areas = [part["auroc"] for part in parts if part["auroc"] is not None]
    return {
        "minority_error": errors[0],
        "majority_error": errors[1],
        "balanced_error": None if fnr is None or fpr is None else (fnr + fpr) / 2,
        "error": ratio(total["fn"] + total["fp"], sum(total.values())),
        "auroc": mean(areas),
    }


def over_seeds(rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    """Compute mean, smallest and largest value of each measure."""
    result = {}
    for name in MEASURES:
        values = [value for row in rows if (value := row[name]) is not None]
        result[name] = {"mean": mean(values), "low": min(values, default=None), "high": max(values, default=None)}
    return result


def mean(values: Sequence[float]) -> float | None:
    """Compute the mean; None if there are no values."""
    return math.fsum(values) / len(values) if values else None


def ratio(part: int, whole: int) -> float | None:
    """Divide; None if the whole is 0."""
    return part / whole if whole else None


def shown(value: dict[str, float | None]) -> str:
    """Format mean and range for a table cell."""
    if value["mean"] is None:
        return "-"
    spread = "" if value["low"] == value["high"] else f" ({value['low']:.3f} to {value['high']:.3f})"
    return f"{value['mean']:.3f}{spread}"


def markdown(title: str, rows: dict[str, dict[str, dict[str, dict[str, float | None]]]]) -> str:
    """Write a Markdown table with a row per name and two columns per model, minority and majority error.

    Args:
        title: Header of the first column.
        rows: Name to column to measure.
    """
    lines = [
        f"| {title} | " + " | ".join(f"{name}: minority error | majority error" for name in COLUMNS) + " |",
        "|---|" + "---|" * (2 * len(COLUMNS)),
    ]
    for name, columns in rows.items():
        cells = [shown(columns[c][m]) for c in COLUMNS for m in ("minority_error", "majority_error")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
