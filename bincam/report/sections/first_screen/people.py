"""Errors by group of people: which group is served worse, by how much, and what could not be told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bincam.audit.summary.groups.gaps import FAMILY, TESTED
from bincam.audit.summary.groups.names import ERRORS, division_name, group_name
from bincam.report.reading.audited_model import Arm
from bincam.report.reading.contrast import Contrast
from bincam.report.sections.first_screen.gap_changes import gap_changes
from bincam.report.view.parts import Cell, Table
from bincam.report.view.people import PeoplePart
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import basis, counted, images, interval, listed, p_stated, percent, shown
from bincam.stats.hypotheses.families import undecided

MOST_ROWS = 8
"""Rows of differences that were found; the others are in the attributes' cards."""

UNFOUND_ROWS = 3
"""Rows where none was found: the greatest ones."""

_CAPTION = (
    "Missed: share of the images with the attribute that the model denies it. False alarms: share of those without it "
    "that the model gives it. A row per attribute and division, with the error that differs most clearly. The interval "
    "of the difference holds for its size, whichever group was chosen as the worse one, and is over people where the "
    "data names them. p-values are Holm-corrected over all attributes, divisions and the three errors: {size}."
)


@dataclass(frozen=True)
class Difference:
    """The largest gap of one error of one attribute by one division.

    Attributes:
        entry: The comparison in the summary's slices.
        groups: The estimates by group.
        test: Its test, with Holm's p.
    """

    entry: Mapping[str, Any]
    groups: Mapping[str, Estimate]
    test: Mapping[str, Any]

    @property
    def gap(self) -> Estimate:
        """The largest gap."""
        return Estimate.from_json(self.entry["largest_gap"])

    @property
    def p(self) -> float:
        """Holm's p; infinite where it was not tested, so that it sorts last."""
        p = self.test.get("holm")
        return math.inf if p is None else float(p)

    @property
    def found(self) -> bool:
        """True if the test found it."""
        return bool(self.test.get("finding"))


def people_part(
    arms: Sequence[Arm], attributes: Sequence[str], anchors: Mapping[str, str], contrast: Contrast | None = None
) -> PeoplePart | None:
    """Compare the errors between groups of people.

    Args:
        arms: The audited models.
        attributes: Attributes on the page.
        anchors: Attribute to the id of its card.
        contrast: The comparison of two models, with the differences between their gaps.

    Returns:
        None where no audit was divided by groups.
    """
    sentences: list[str] = []
    notes: list[str] = []
    rows: list[list[Cell]] = []
    sizes = []
    several = len(arms) > 1
    for arm in arms:
        if not any(entry["attribute"] in attributes for entry in arm.summary.get("slices") or ()):
            continue
        family = arm.family(FAMILY)
        if family is None:
            whose = f" of {arm.phrase}" if several else ""
            notes.append(
                f"Groups{whose} are not compared, because an earlier version wrote the summary; 'bincam summarise' "
                "compares them."
            )
            continue
        sizes.append(counted(family["size"], "test") + (f" ({arm.name})" if several else ""))
        differences = _differences(arm, family, attributes)
        by_column: dict[str, list[Difference]] = {}
        for one in differences:
            by_column.setdefault(one.entry["column"], []).append(one)
        sentences += _sentences(by_column, f" ({arm.name})" if several else "")
        notes += [note for column, here in by_column.items() for note in _too_few(column, here)]
        rows += [_row(arm, one, anchors, several) for one in _chosen(differences)]
    if not sentences and not notes:
        return None
    heads = ["Attribute", *(["Model"] if several else []), "Greater among", "Smaller among", "Difference", "Finding"]
    table = Table("", _CAPTION.format(size=", ".join(sizes)), heads, rows) if rows else None
    unchanged, changes = gap_changes(contrast, anchors) if contrast else ([], None)
    return PeoplePart([*sentences, *unchanged], table, list(dict.fromkeys(notes)), changes)


def _differences(arm: Arm, family: Mapping[str, Any], attributes: Sequence[str]) -> list[Difference]:
    tests = {(test["attribute"], test["column"], test["measure"]): test for test in family["tests"]}
    groups: dict[tuple[str, str, str], dict[str, Estimate]] = {}
    compared = []
    for entry in arm.summary["slices"]:
        key = (entry["attribute"], entry["column"], entry["measure"])
        if entry["attribute"] not in attributes or entry["measure"] not in TESTED:
            continue
        if "value" in entry:
            groups.setdefault(key, {})[entry["value"]] = Estimate.from_json(entry["estimate"])
        elif "largest_gap" in entry:
            compared.append((key, entry))
    return [Difference(entry, groups.get(key, {}), tests.get(key, {})) for key, entry in compared]


def _chosen(differences: Sequence[Difference]) -> list[Difference]:
    """The differences to show: of each attribute and division the greatest that was found, else the least likely."""
    ranked = sorted(
        (one for one in differences if one.gap.defined),
        key=lambda one: (not one.found, 0.0 if one.found else one.p, -one.gap.value),
    )
    first: dict[tuple[str, str], Difference] = {}
    for one in ranked:
        first.setdefault((one.entry["attribute"], one.entry["column"]), one)
    found = [one for one in first.values() if one.found]
    return found[:MOST_ROWS] or list(first.values())[:UNFOUND_ROWS]


def _sentences(by_column: Mapping[str, Sequence[Difference]], whose: str) -> list[str]:
    """State what was found by each division; those without a finding together."""
    tested = {column: [one for one in here if math.isfinite(one.p)] for column, here in by_column.items()}
    found = {column: [one for one in here if one.found] for column, here in tested.items()}
    sentences = [_finding(column, found[column], tested[column], whose) for column in tested if found[column]]
    if without := [column for column in tested if tested[column] and not found[column]]:
        missed = undecided([one.test for column in without for one in tested[column]], "points")
        sentences.append(
            f"By {listed(list(map(division_name, without)))}{whose}: no difference in errors was found"
            f"{f'; {missed}' if missed else ''}."
        )
    if untested := [column for column in tested if not tested[column]]:
        names = listed(list(map(division_name, untested)))
        sentences.append(
            f"By {names}{whose}: in no attribute do two groups have enough images and people to be compared."
        )
    return sentences


def _finding(column: str, found: Sequence[Difference], tested: Sequence[Difference], whose: str) -> str:
    """State for how many attributes errors differ, and the greatest difference."""
    number, audited = (len({one.entry["attribute"] for one in part}) for part in (found, tested))
    worst = _chosen(found)[0]
    rates = [
        f"{percent(worst.groups[value].value)} among {group_name(column, value)}" for value in worst.entry["between"]
    ]
    size = shown(worst.gap, "points").lstrip("+")
    return (
        f"By {division_name(column)}{whose}: errors differ for {number} of {counted(audited, 'attribute')}. Most: "
        f"{worst.entry['attribute']}, {ERRORS[worst.entry['measure']]} {listed(rates)}, a difference of {size} "
        f"{interval(worst.gap, 'points')} ({basis(worst.gap)})."
    )


def _too_few(column: str, here: Sequence[Difference]) -> list[str]:
    """State for how many attributes each group has too few images or people."""
    small: dict[str, set[str]] = {}
    for one in here:
        for group in one.entry["few"]:
            small.setdefault(group["value"], set()).add(one.entry["attribute"])
    if not small:
        return []
    audited = len({one.entry["attribute"] for one in here})
    groups = [f"{group_name(column, value)}{f' in {len(of)}' if audited > 1 else ''}" for value, of in small.items()]
    of_all = f" of {audited} attributes" if audited > 1 else ""
    return [f"Too few images or people to compare an error: {listed(groups)}{of_all}."]


def _row(arm: Arm, one: Difference, anchors: Mapping[str, str], several: bool) -> list[Cell]:
    attribute, column = one.entry["attribute"], one.entry["column"]
    finding = "not tested"
    if math.isfinite(one.p):
        finding = f"{'differs' if one.found else 'not shown'}, {p_stated(one.p)}"
    link = f"#{anchors[attribute]}-by-group" if attribute in anchors else ""
    return [
        Cell(f"{attribute}: {ERRORS[one.entry['measure']]}", None, link=link),
        *([Cell(arm.name, None)] if several else []),
        *(_group_cell(column, value, one.groups[value]) for value in one.entry["between"]),
        Cell(shown(one.gap, "points"), None, interval(one.gap, "points"), one.gap.small, basis(one.gap)),
        Cell(finding, None),
    ]


def _group_cell(column: str, value: str, rate: Estimate) -> Cell:
    text = f"{group_name(column, value)} {shown(rate, 'percent')}"
    return Cell(text, None, f"{interval(rate, 'percent')} of {images(rate)}", rate.small, basis(rate))
