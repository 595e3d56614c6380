"""The study in a terminal: a line for each rule of each subject, and what must be known of the calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.display import Table, counted, omitted
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import PERCENT, interval, number, shown

MOST = 12
"""Subjects of which rows are printed, and names in a note."""


def sets_table(summary: Mapping[str, Any]) -> str:
    """Write the study's summary as text."""
    parts = [_head(summary)]
    subjects = summary["subjects"]
    named = list(subjects)[:MOST]
    rows = [(name, *_row(rule, entry)) for name in named for rule, entry in subjects[name]["rules"].items()]
    if rows:
        columns = ("", "rule", "size", "coverage", "minority", "majority", "several", "empty")
        note = omitted(len(named), len(subjects), "subjects")
        parts.append(Table("Answers that exclude one another", columns, rows, note, left=2).text())
    if summary["attributes"]:
        heads = ("rule", "labels per image", "missed of an image's", "recall, mean", "recall, worst", "of")
        parts.append(
            Table(
                f"All {len(summary['attributes']['answers'])} attributes at once",
                heads,
                [_attribute_row(rule, entry) for rule, entry in summary["attributes"]["rules"].items()],
            ).text()
        )
    reasons = [f"{entry['subject']}, {entry['rule']}: {entry['reason']}" for entry in summary["left_out"]]
    notes = [*summary["notes"], *_always_kept(summary), *(f"left out: {reason}" for reason in reasons[:MOST])]
    notes += [f"{len(reasons) - MOST} more rules were left out"] if len(reasons) > MOST else []
    if any("†" in part for part in parts):
        notes.append("† of too few images or people to rely on")
    parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join(part for part in parts if part)


def _head(summary: Mapping[str, Any]) -> str:
    calibration, judged = summary["calibration"], summary["judged"]
    return (
        f"Calibrated on {_number(calibration)} ({calibration['source']}), judged on {_number(judged)}; conformal sets "
        f"may miss {number(100 * summary['alpha'], 1).removesuffix('.0')}{PERCENT} of the true labels"
        + (", and rest on one image of each person." if calibration["identities"] is not None else ".")
    )


def _number(counts: Mapping[str, Any]) -> str:
    people = counts["identities"]
    return counted(counts["images"], "image") + ("" if people is None else f" of {counted(people, 'person', 'people')}")


def _row(rule: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    figures = [Estimate.from_json(entry[key]) for key in ("minority_coverage", "majority_coverage", "several", "empty")]
    coverage = Estimate.from_json(entry["coverage"])
    return (
        rule,
        _marked(Estimate.from_json(entry["size"]), percent=False),
        f"{_marked(coverage)} {interval(coverage, 'percent')}".strip(),
        *(_marked(figure) for figure in figures),
    )


def _attribute_row(rule: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    recalls = [figure for figure in map(Estimate.from_json, entry["recall"].values()) if figure.defined]
    mean = sum(figure.value for figure in recalls) / len(recalls) if recalls else float("nan")
    worst = entry["worst_recall"]
    return (
        rule,
        _marked(Estimate.from_json(entry["size"]), percent=False),
        _marked(Estimate.from_json(entry["false_negative_rate"])),
        shown(Estimate.of_value(mean), "percent") + "†" * any(figure.small for figure in recalls),
        _marked(Estimate.from_json(worst)),
        worst["name"],
    )


def _marked(figure: Estimate, *, percent: bool = True) -> str:
    return shown(figure, "percent" if percent else "number") + "†" * figure.small


def _always_kept(summary: Mapping[str, Any]) -> list[str]:
    notes = []
    for name, subject in summary["subjects"].items():
        kept = subject["rules"].get("class_conditional", {}).get("fitted", {}).get("always_kept", ())
        if kept:
            named = ", ".join(kept[:MOST]) + (f" and {len(kept) - MOST:,} more" if len(kept) > MOST else "")
            notes.append(f"{name}, class_conditional: too few images to calibrate {named}, kept in every set")
    return notes
