"""Measures of prediction grids in rules: an audit has them if it was made with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bincam.audit.folder.schema import AGAINST_MIDPOINT, CELL_COLUMNS, CELL_SHORT, PREFIX
from bincam.errors import InputError

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit


def has_cells(audit: Audit) -> bool:
    """Return True if the audit's records have the measures of prediction grids."""
    manifest = getattr(audit, "manifest", None)
    return manifest is not None and manifest.cells is not None


def refuse_without_cells(measure: str, measured: bool, where: str) -> None:
    """Refuse a measure of prediction grids where none was measured.

    Args:
        measure: The measure, with what follows it.
        measured: Whether the audit has prediction grids.
        where: Start of the message.

    Raises:
        InputError: It is such a measure, and the audit has none.

    >>> refuse_without_cells("recovery", False, "--rule: 'recovery>=0.5'")
    Traceback (most recent call last):
    bincam.errors.InputError: --rule: 'recovery>=0.5': recovery is a measure of the prediction grid, which this audit has not; make one with 'bincam audit --grid'
    """  # noqa: E501
    name = measure.partition("@")[0]
    if not measured and name in (*CELL_SHORT, *CELL_COLUMNS):
        raise InputError(
            f"{where}: {name} is a measure of the prediction grid, which this audit has not; make one with 'bincam "
            "audit --grid'"
        )


def nothing_missed(measure: str, entry: Mapping[str, Any]) -> str:
    """Say why there are no errors to recover evidence of; empty for other measures, and where images are missed.

    Args:
        measure: Of a rule.
        entry: Of the attribute or output in the summary.

    >>> nothing_missed("recoverable", {"cells": {"missed": 0}}), nothing_missed("recovery", {"cells": {"missed": 0}})
    ('no image is missed, so no evidence was lost', '')
    """
    name = measure.removeprefix(f"{PREFIX}.").removeprefix(AGAINST_MIDPOINT)
    if name != "recoverable" or (entry.get("cells") or {}).get("missed") != 0:
        return ""
    return "no image is missed, so no evidence was lost"
