"""Columns of the records that measure prediction grids, and their short names in rules."""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "cells"
AGAINST_MIDPOINT = "midpoint_"
"""Before the measures of cells from which the midpoint reference was taken out."""

_COMPARED = ("auroc", "null_auroc", "auroc_gain", "inside", "outside", "contrast")
_RECOVERED = ("recovery", "chance", "recovery_gain", "false_alarm")
CELL_MEASURES = (
    *_COMPARED,
    *_RECOVERED,
    *("recoverable", "independent_chance", "absent_alarm", "foreground", "fallback", "gap"),
    *(f"{AGAINST_MIDPOINT}{name}" for name in (*_COMPARED, *_RECOVERED)),
)
"""Measures of prediction grids, see ``bincam.metrics.localization.cells``; ``*_gain`` are figures less their null."""

CELL_COLUMNS = tuple(f"{PREFIX}.{name}" for name in CELL_MEASURES)
"""Their columns in the records."""

CELL_SHORT: Mapping[str, str] = {
    "cell_auroc": "cells.auroc",
    "cell_auroc_gain": "cells.auroc_gain",
    "cell_contrast": "cells.contrast",
    "recovery": "cells.recovery",
    "recovery_gain": "cells.recovery_gain",
    "false_alarm": "cells.false_alarm",
    "recoverable": "cells.recoverable",
}
"""Short names of these columns in rules."""
