"""Methods at test time: a table of errors before and after by class, and what each method pulls to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.view_parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import listed
from bincam.studies.at_test_time.stored import read_compared
from bincam.studies.zoom.seen import SeenViews

RATES = ("error", "minority", "majority")


def tables_at_test_time(seen: SeenViews) -> list[Table]:
    """Make the table, a row per question and method; empty where nothing was compared."""
    summary = read_compared(seen.study)
    if summary is None:
        return []
    methods: Mapping[str, Any] = summary["methods"]
    rows = []
    for question, entries in summary["questions"].items():
        for name, entry in entries.items():
            cells = [Cell(question, None), Cell(methods[name]["title"], None)]
            for rate in RATES:
                before, after, difference = (
                    Estimate.from_json(entry[rate][key]) for key in ("before", "after", "difference")
                )
                cells += [estimate_cell(before, "percent"), estimate_cell(after, "percent")]
                cells.append(estimate_cell(difference, "points"))
            rows.append([*cells, estimate_cell(Estimate.from_json(entry["pull"]["difference"]), "points")])
    heads = ["Question", "Method"]
    for rate in RATES:
        heads += [f"{rate} before" if rate == "error" else f"{rate} error before", "after", "difference"]
    costs = listed([f"{method['title']}: {method['cost']}" for method in methods.values()])
    return [
        Table(
            "At test time",
            f"Errors of {summary['images']:,} images by the model's own crop (before) and by each method (after), and "
            "paired differences, after less before. Minority and majority: by the true answer's frequency in training. "
            "Pull: change of the share of all answers that are frequent in training; above 0 the method answers more "
            f"often as the majority does. Cost per image: {costs}.",
            [*heads, "pull"],
            rows,
        )
    ]


def sentences_at_test_time(seen: SeenViews) -> list[str]:
    """Say of each method that minimises entropy whether it pulls to the majority."""
    summary = read_compared(seen.study)
    if summary is None:
        return []
    methods = summary["methods"]
    return [
        entry["sentence"]
        for entries in summary["questions"].values()
        for name, entry in entries.items()
        if methods[name]["minimises_entropy"]
    ]
