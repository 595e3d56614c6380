"""Differences between two models' gaps in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bincam.audit.summary.groups.names import ERRORS, division_name, group_name
from bincam.compare.groups.gaps import found
from bincam.compare.names import Names
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import basis, counted, interval, percent, shown


def gap_findings(entries: Sequence[Mapping[str, Any]], names: Names) -> list[str]:
    """State by every division for how many attributes a gap differs between the models, and the greatest difference.

    Args:
        entries: Of ``contrast_gaps``.
        names: Names of the models.

    Returns:
        A sentence for each division with a finding.
    """
    result = []
    for column in dict.fromkeys(entry["column"] for entry in entries):
        here = [entry for entry in entries if entry["column"] == column]
        differing = found(here)
        if not differing:
            continue
        audited, attributes = (
            len({entry["attribute"] for entry in part if entry.get("p") is not None}) for part in (here, differing)
        )
        worst = differing[0]
        result.append(
            f"Between groups by {division_name(column)}, the errors change unequally from {names.of_first} "
            f"to {names.of_second} for {attributes} of {counted(audited, 'attribute')}. Most: "
            f"{worst['attribute']}, {ERRORS[worst['measure']]}: {gap_sentence(worst)}."
        )
    return result


def gap_sentence(entry: Mapping[str, Any]) -> str:
    r"""Write how one gap differs between the models.

    >>> difference = Estimate(-0.2, -0.3, -0.1, 400, None, "ok", "variance recovery, bounds").to_json()
    >>> between = {"first": ["negative", "positive"], "second": ["negative", "positive"]}
    >>> entry = {"column": "Male", "first": 0.3, "second": 0.1, "between": between, "difference": difference}
    >>> gap_sentence(entry).replace("\u202f", " ")
    'the gap (not Male less Male) is 10 % instead of 30 %, −20 points [−30, −10] (400 images)'
    """
    difference = Estimate.from_json(entry["difference"])
    before, after = (
        " less ".join(group_name(entry["column"], value) for value in entry["between"][which])
        for which in ("first", "second")
    )
    which = before if before == after else f"{after}, before {before}"
    return (
        f"the gap ({which}) is {percent(entry['second'])} instead of {percent(entry['first'])}, "
        f"{shown(difference, 'points')} {interval(difference, 'points')} ({basis(difference)})"
    )
