"""The summary of all sets of an audit: what their outputs, slices and tests add to that of its attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.audit.folder.parts.sets import slots
from bincam.audit.summary.calibration import slice_calibration
from bincam.audit.summary.cells.summary import SLICED as CELLS_SLICED
from bincam.audit.summary.cells.summary import sliced_cells
from bincam.audit.summary.groups.differences import group_differences
from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.groups.slices import slice_panel
from bincam.audit.summary.panel import Panel
from bincam.audit.summary.reference_variation import Variation, vary_references
from bincam.audit.summary.sets.doubts import set_doubts
from bincam.audit.summary.sets.entry import estimates_of, output_entry, set_calibration, set_entry
from bincam.audit.summary.sets.records import SetRecords
from bincam.audit.summary.sets.reference_counts import of_rows
from bincam.audit.summary.sets.slices import is_of_set, set_family, slice_set
from bincam.audit.summary.stated import Stated, stated_figures
from bincam.stats.outcomes import BASIC

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import Manifest, ReferenceData

Entry = dict[str, Any]
Entries = Callable[[Panel], Mapping[str, Entry]]
"""Makes the entries of attributes; it is passed, because the module that has it uses this one."""

SLICED = ("fnr", "fpr", "gain", "empty", "bias_share", "signed_calibration_error", "ece_debiased", *CELLS_SLICED)
"""Measures of an output within groups; the others of an attribute speak of its two classes."""


@dataclass
class SetsSummary:
    """What sets add to a summary.

    Attributes:
        sets: Name of a set to its entry.
        doubts: See ``set_doubts``.
        slices: Of sets and of their outputs.
        group_differences: Of the outputs.
        families: Tests of the sets' errors between groups.
    """

    sets: dict[str, Entry] = field(default_factory=dict)
    doubts: list[dict[str, str]] = field(default_factory=list)
    slices: list[Entry] = field(default_factory=list)
    group_differences: list[Entry] = field(default_factory=list)
    families: list[Entry] = field(default_factory=list)


def summarise_sets(
    panel: Panel,
    sets: Sequence[SetRecords],
    manifest: Manifest,
    *,
    entries: Entries,
    divisions: Sequence[Slicing],
    columns: Mapping[str, str],
    variation: Variation,
    stated: Stated,
    level: float,
    permutations: int,
    seed: int,
) -> SetsSummary:
    """Summarise all sets.

    Args:
        panel: All records.
        sets: Scores and true outputs of the sets.
        manifest: The audit's manifest.
        entries: Makes the entries of attributes of a panel.
        divisions: The divisions to slice by.
        columns: Measure to column, as for ``slice_panel``.
        variation: As for ``vary_references``.
        stated: The rates and prevalences at which figures are estimated.
        level: Confidence level.
        permutations: As for ``group_differences``.
        seed: As for ``group_differences``.
    """
    result = SetsSummary()
    for records in sets:
        estimates = estimates_of(records, level)
        entry = set_entry(records, estimates, level)
        result.sets[records.name] = entry
        result.doubts += set_doubts(records, estimates.macro_auroc)
        dividing = [by for by in divisions if not is_of_set(by, records)]
        result.slices += [part for by in dividing for part in slice_set(records, by, level)]
        if records.large:
            entry["rows"] = _rows(panel, records, entries, variation, manifest.references_from, level)
            continue
        part = panel.select(records.outputs)
        measured = {output: dict(of_output) for output, of_output in entries(part).items()}
        for k, output in enumerate(records.outputs):
            rates, measured[output]["calibration"] = set_calibration(records, k, level)
            measured[output]["rates"] = {
                **measured[output]["rates"],
                **{name: rate.to_json() for name, rate in rates.items()},
            }
            measured[output]["stated"] = stated_figures(part, k, stated, level)
        sliced = {**columns, **sliced_cells(part)}
        slices = [
            figure
            for by in dividing
            for figure in (*slice_panel(part, by, sliced, level), *slice_calibration(part, by, "logits", level))
            if figure["measure"] in SLICED
        ]
        places = [panel.attributes.index(output) for output in records.outputs]
        varied = rows_of(variation, places)
        of_outputs = {"attributes": measured, "slices": slices}
        vary_references(of_outputs, varied, manifest.references_from, part.minority.tolist(), level)
        result.slices += slices
        entry["outputs"] = {
            output: output_entry(measured[output], entry["outputs"][output]) for output in records.outputs
        }
        for by in dividing:
            differences, tested = group_differences(part, by, level=level, permutations=permutations, seed=seed)
            result.group_differences += differences
            result.families.append({**tested, "name": f"{tested['name']}, outputs of {records.name}"})
    of_sets = (set_family(sets, by) for by in divisions)
    result.families += [one for one in of_sets if one is not None]
    return result


def _rows(
    panel: Panel,
    records: SetRecords,
    entries: Entries,
    variation: Variation,
    fitted_on: ReferenceData | None,
    level: float,
) -> dict[str, Entry]:
    """Measure the maps of the predicted and of the true outputs of a large set."""
    names = slots(records.name)
    part = panel.select(names)
    measured = {"attributes": {name: dict(entry) for name, entry in entries(part).items()}}
    varied = rows_of(variation, [panel.attributes.index(name) for name in names])
    outputs = dict(zip(names, (records.predicted, records.true), strict=True))
    counted = of_rows(fitted_on, outputs, records.outputs)
    vary_references(measured, varied, counted, part.minority.tolist(), level)
    result = {}
    for row, entry in measured["attributes"].items():
        counts = {name: n for name, n in entry["counts"].items() if name not in ("FN", "TN") or n}
        measures = {
            column: {group: figure for group, figure in groups.items() if group in BASIC}
            for column, groups in entry["measures"].items()
        }
        result[row] = {"counts": counts, "measures": measures}
    return result


def rows_of(variation: Variation, places: Sequence[int]) -> Variation:
    """Select the references' variation of some rows of the records."""
    return {name: np.asarray(values)[list(places)] for name, values in variation.items()}
