"""Measures of prediction grids in rules: an audit has them if it was made with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bincam.audit.folder.schema import CELL_COLUMNS, CELL_SHORT
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
