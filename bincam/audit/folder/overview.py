"""The table with which an audit represents itself, from its manifest and its summary alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bincam.display import NONE, ROWS, Table, counted, omitted
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import PERCENT, Kind, interval, percent, shown, significant
from bincam.stats.outcomes import basic_name, basic_rate, class_name
from bincam.storage.mirror import shown as place_shown

FEW = "* few images"
_HEADS = ("attribute", "rarer class", "n", "error", "n, other", "error, other", "gain", "gain, other")


def audit_table(
    folder: Path, attributes: Sequence[str], methods: Sequence[str], summary: Mapping[str, Any] | None
) -> Table:
    """Tabulate errors and chance-corrected energy of the attributes with the rarest minority classes.

    Args:
        folder: The audit's folder.
        attributes: The audited attributes.
        methods: Specs of the methods.
        summary: The content of ``summary.json``; None for an unfinished audit, which gets a title alone.
    """
    subject = f"{counted(len(attributes), 'attribute')}, {', '.join(methods)}"
    if summary is None:
        return Table(f"Audit {place_shown(folder)}: {subject}", (), (), "unfinished: there is no summary yet")
    entries: Mapping[str, Any] = summary.get("attributes") or {}
    names = sorted(entries, key=lambda name: minority_share(entries[name]))[:ROWS]
    rows = [_row(name, entries[name], methods[0]) for name in names]
    sets: Mapping[str, Any] = summary.get("sets") or {}
    notes = (
        *(_of_set(name, entry) for name, entry in sets.items()),
        intervals_of(summary.get("level")),
        f"gain: chance-corrected energy of {methods[0]} by predicted class" if rows or not sets else "",
        FEW if any("*" in cell for row in rows for cell in row[1:]) else "",
        omitted(len(rows), len(attributes), "attributes"),
    )
    title = ", ".join(filter(None, (sample(summary.get("images"), summary.get("identities")), subject)))
    return Table(f"Audit {place_shown(folder)}: {title}", _HEADS, rows, "; ".join(filter(None, notes)), left=2)


def _of_set(name: str, entry: Mapping[str, Any]) -> str:
    """Write the number of a set's outputs, and its accuracy and minority error."""
    rates = entry["rates"]
    accuracy, minority = (estimate_cell(rates[rate], "percent") for rate in ("accuracy", "minority_error"))
    return f"{name}, {counted(len(entry['outputs']), 'output')}: accuracy {accuracy}, minority error {minority}"


def sample(images: int | None, identities: int | None) -> str:
    """Write the number of images, and of people where they are known; empty if unknown."""
    if images is None:
        return ""
    return counted(images, "image") + ("" if identities is None else f" of {counted(identities, 'person', 'people')}")


def intervals_of(level: float | None) -> str:
    """Write the level of the intervals; empty if unknown."""
    return "" if level is None else f"intervals of {significant(100 * level)}{PERCENT}"


def minority_share(entry: Mapping[str, Any]) -> float:
    """Compute the rarer class's share of the counted labels of a summary's or contrast's entry.

    It is infinite where no labels were counted, so that these attributes are sorted last.
    """
    counts = entry.get("train_counts") or (0, 0)
    return min(counts) / sum(counts) if sum(counts) else math.inf


def rarer(minority: int, entry: Mapping[str, Any]) -> str:
    """Write the rarer class and its share of the counted labels: ``positive, 2.2 %``; ``none, 50 %`` on a tie."""
    share = minority_share(entry)
    if share == 0.5:
        return f"none, {percent(share)}"
    return class_name(minority) + ("" if math.isinf(share) else f", {percent(share)}")


def estimate_cell(entry: Mapping[str, Any] | None, kind: Kind) -> str:
    """Write an estimate with its interval, marked by ``*`` if it rests on few images; ``–`` where it is undefined."""
    estimate = Estimate.from_json(entry)
    if not estimate.defined:
        return NONE
    return " ".join(filter(None, (shown(estimate, kind), interval(estimate, kind)))) + "*" * estimate.small


def _row(name: str, entry: Mapping[str, Any], method: str) -> tuple[str, ...]:
    minority = 1 if entry["minority"] == "positive" else -1
    cells = [name, rarer(minority, entry)]
    for rate in ("minority_error", "majority_error"):
        error = (entry.get("rates") or {}).get(basic_rate(rate, minority))
        cells += [f"{Estimate.from_json(error).images:,}", estimate_cell(error, "percent")]
    gains = (entry.get("measures") or {}).get(f"{method}.gain") or {}
    groups = (basic_name(f"predicted:{part}", minority) for part in ("minority", "majority"))
    return (*cells, *(estimate_cell(gains.get(group), "number") for group in groups))
