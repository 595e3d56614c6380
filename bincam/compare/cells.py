"""Prediction grids of two audits: which of their figures are compared, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit

CELLS_COMPARED = (
    *("cells.auroc", "cells.auroc_gain", "cells.contrast", "cells.recovery", "cells.recovery_gain"),
    *("cells.false_alarm", "cells.midpoint_auroc_gain", "cells.midpoint_recovery_gain"),
)
"""Columns of prediction grids that are compared where both audits have them."""


def same_cells(first: Audit, second: Audit) -> bool:
    """Decide if figures of the two audits' prediction grids can be compared: both are there, with the same masks.

    Grids may differ in size and reading, which the page then states: a cell is what the model pools.
    """
    one, other = first.manifest.cells, second.manifest.cells
    if one is None or other is None:
        return False
    common = set(one.masks) & set(other.masks)
    return all(one.masks[name] == other.masks[name] for name in common)
