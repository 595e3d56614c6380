"""How the gaps between groups of people differ between two models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bincam.audit.summary.groups.names import ERRORS, division_name, group_name
from bincam.compare.groups.gaps import FAMILY, found
from bincam.report.reading.contrast import Contrast
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import NONE, basis, counted, interval, listed, p_stated, percent, shown
from bincam.stats.hypotheses.families import undecided

MOST_ROWS, UNFOUND_ROWS = 8, 3
"""Rows of differences that were found; where none was, of those that came closest."""

_CAPTION = (
    "Gap: the largest difference in an error between two groups, as far as they have enough images and people, on the "
    "images that both models answer. The difference is the second model's gap less the first's; its interval is of "
    "what each person contributes to both, and holds whichever groups differ most. The test asks if the errors change "
    "by the same in all groups; p-values are Holm-corrected over all attributes, divisions and the three errors: {}."
)


def gap_changes(contrast: Contrast, anchors: Mapping[str, str]) -> tuple[list[str], Table | None]:
    """Compare the gaps of the two models of a contrast.

    Args:
        contrast: The contrast.
        anchors: Attribute to the id of its card.

    Returns:
        What was not found, in sentences, because the findings state the rest; and the table of the differences, None
        in contrasts of earlier versions and without groups.
    """
    entries: Sequence[Mapping[str, Any]] = contrast.document.get("gaps") or ()
    tests = [entry for entry in entries if entry.get("p") is not None]
    if not tests:
        return [], None
    differing = found(entries)
    columns = [division_name(column) for column in dict.fromkeys(entry["column"] for entry in tests)]
    family = next(one for one in contrast.document["families"] if one["name"] == FAMILY)
    sentences = []
    if not differing:
        missed = undecided(family["tests"], "points")
        sentences.append(
            f"By {listed(columns)}: no gap was found to differ between the two models{f'; {missed}' if missed else ''}."
        )
    rows = differing[:MOST_ROWS] or sorted(tests, key=lambda entry: entry["p"])[:UNFOUND_ROWS]
    heads = ["Attribute", *(f"Gap, {arm.name}" for arm in (contrast.first, contrast.second)), "Difference", "Finding"]
    caption = _CAPTION.format(counted(family["size"], "test"))
    return sentences, Table(
        "Do the gaps differ between the models?", caption, heads, [_row(entry, anchors) for entry in rows]
    )


def _row(entry: Mapping[str, Any], anchors: Mapping[str, str]) -> list[Cell]:
    difference = Estimate.from_json(entry["difference"])
    finding = "differs" if entry["finding"] else "not shown"
    attribute = entry["attribute"]
    return [
        Cell(
            f"{attribute}: {ERRORS[entry['measure']]}", None,
            link=f"#{anchors[attribute]}-by-group" if attribute in anchors else "",
        ),
        *(_gap_cell(entry, which) for which in ("first", "second")),
        Cell(
            shown(difference, "points"), None, interval(difference, "points"), difference.small, basis(difference)
        ),
        Cell(f"{finding}, {p_stated(entry['holm'])}", None),
    ]  # fmt: skip


def _gap_cell(entry: Mapping[str, Any], which: str) -> Cell:
    size = math.nan if entry[which] is None else float(entry[which])
    groups = [group_name(entry["column"], value) for value in entry["between"][which] or ()]
    return Cell(percent(size) if math.isfinite(size) else NONE, None, " less ".join(groups))
