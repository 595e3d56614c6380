"""The errors on sets of outputs of which every model on the page is most certain, as labels to check."""

from __future__ import annotations

from typing import Any

import numpy as np

from bincam.audit.summary.panel import read_panel
from bincam.audit.summary.sets.records import SetRecords, read_sets
from bincam.report.reading.audited_model import Arm
from bincam.report.sections.context import Drawing
from bincam.report.sections.relabel import IN_FILE, Suspect


def set_suspects(drawing: Drawing, count: int = IN_FILE) -> dict[str, list[Suspect]]:
    """Find the most certain errors that all models share, of every set that they have; ties in the order of the data.

    Args:
        drawing: The models, and the contrast of two of them.
        count: Greatest number of errors of a set.

    Returns:
        Name of a set to its errors. How certain a model is of one is how far the score of the predicted output exceeds
        that of the labelled one.
    """
    contrast = drawing.contrast
    if contrast is None:
        called: list[tuple[str, ...]] = [(name,) for name in drawing.arms[0].audit.one_of]
    else:
        sets: dict[str, dict[str, Any]] = contrast.document.get("sets") or {}
        called = [(name, entry.get("name_in_second", name)) for name, entry in sets.items()]
    if not called:
        return {}
    of_arms = [_errors_by_set(arm) for arm in drawing.arms]
    result: dict[str, list[Suspect]] = {}
    for names in called:
        first, *others = (errors[name] for errors, name in zip(of_arms, names, strict=True))
        shared = [
            Suspect(row, suspect.label, min([suspect.margin, *(other[row].margin for other in others)]))
            for row, suspect in first.items()
            if all(row in other for other in others)
        ]
        result[names[0]] = sorted(shared, key=lambda suspect: (-suspect.margin, suspect.row))[:count]
    return result


def _errors_by_set(arm: Arm) -> dict[str, dict[int, Suspect]]:
    """Find a model's errors: name of a set to row of an image to the error."""
    panel = read_panel(arm.sample, [])
    return {records.name: _errors(records, panel.rows) for records in read_sets(arm.sample, panel)}


def _errors(records: SetRecords, rows: np.ndarray[Any, np.dtype[np.int64]]) -> dict[int, Suspect]:
    at = np.flatnonzero(records.wrong == 1)
    true, scores = records.true[at], records.scores[at].astype(float)
    margins = scores[np.arange(len(at)), records.predicted[at]] - scores[np.arange(len(at)), true]
    return {
        row: Suspect(row, records.outputs[k], margin)
        for row, k, margin in zip(rows[at].tolist(), true.tolist(), margins.tolist(), strict=True)
    }
