"""Methods at test time: a table of errors before and after by class, and what each method pulls to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.display import counted
from bincam.errors import InputError
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.studies.at_test_time.stored import read_compared
from bincam.studies.zoom.seen import SeenViews

RATES = ("error", "minority", "majority")


def tables_at_test_time(seen: SeenViews) -> list[Table]:
    """Make the table, a row per question and method; empty where nothing was compared."""
    summary = _compared(seen)
    if summary is None:
        return []
    methods: Mapping[str, Any] = summary["methods"]
    rows = []
    for question, entries in summary["questions"].items():
        for name, entry in entries.items():
            cells = [Cell(question, None), Cell(name, None)]
            for rate in RATES:
                before, after, difference = (
                    Estimate.from_json(entry[rate][key]) for key in ("before", "after", "difference")
                )
                cells += [estimate_cell(before, "percent"), estimate_cell(after, "percent")]
                cells.append(estimate_cell(difference, "points"))
            rows.append([*cells, estimate_cell(Estimate.from_json(entry["pull"]["difference"]), "points")])
    heads = ["Question", "Method"]
    for rate in RATES:
        heads += [rate, "after", "change"]
    costs = "; ".join(f"{name} ({method['title']}), {method['cost']}" for name, method in methods.items())
    return [
        Table(
            "At test time",
            f"Errors of {summary['images']:,} images by the model's own crop, by each method (after), and paired "
            "differences (change): of all images, and of those whose true answer is of the minority or of the "
            "majority. Pull: change of the share of all answers that are of the majority; above 0 the method gives "
            f"such answers more often. Methods and their cost per image: {costs}.",
            [*heads, "pull"],
            rows,
        )
    ]


def sentences_at_test_time(seen: SeenViews) -> list[str]:
    """Say of each method that minimises entropy whether it pulls to the majority; of several questions, of how many."""
    summary = _compared(seen)
    if summary is None:
        return []
    result = []
    for name, method in summary["methods"].items():
        if not method["minimises_entropy"]:
            continue
        entries = {question: of_methods[name] for question, of_methods in summary["questions"].items()}
        pulls = {question: Estimate.from_json(entry["pull"]["difference"]) for question, entry in entries.items()}
        to_majority = [question for question, pull in pulls.items() if pull.low > 0]
        to_minority = [question for question, pull in pulls.items() if pull.high < 0]
        if len(entries) > 1:
            result.append(
                f"{method['title']} pulls to the majority in {len(to_majority)} and to the minority in "
                f"{len(to_minority)} of {counted(len(entries), 'question')}; in the others no pull is shown."
            )
        told = [*to_majority, *to_minority] if len(entries) > 1 else list(entries)
        if told:
            result.append(entries[max(told, key=lambda question: abs(pulls[question].value))]["sentence"])
    return result


def _compared(seen: SeenViews) -> dict[str, Any] | None:
    """The comparison; None where there is none that can be shown, which ``zoom_note`` says."""
    try:
        return read_compared(seen.study)
    except InputError:
        return None
