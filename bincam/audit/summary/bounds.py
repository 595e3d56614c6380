"""Measures of records: their short names, and their least and greatest possible values, which bound intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bincam.audit.folder.schema import AGAINST_MIDPOINT, CELL_SHORT
from bincam.stats.estimate import Floats

CELL_SHARES = (
    *("auroc", "null_auroc", "inside", "outside", "recovery", "chance", "independent_chance"),
    *("false_alarm", "absent_alarm", "foreground", "fallback"),
)
"""Measures of prediction grids between 0 and 1."""

CELL_BINARY = ("recovery", "false_alarm", "absent_alarm", "fallback")
"""Those that are 1 or 0 per image."""

CELL_DIFFERENCES = ("auroc_gain", "contrast", "recovery_gain", "recoverable")
"""Differences of two shares of the same image."""

SHARES = (
    *("bias_share", "energy", "published_energy", "relevance_rank", "pointing", "area", "object_energy"),
    *("influence_energy", "empty", "concentration", "peak_x", "peak_y"),
)
"""Measures between 0 and 1."""

AMOUNTS = ("support", "opposition", "lift", "mass")
"""Measures that are not negative."""

GAINS = ("gain", "object_gain", "influence_gain")
"""Measures of at most 1."""

BINARY = ("empty", "pointing")
"""Measures that are 1 or 0 per image: their means are proportions."""

WRONG = "error"
"""The name that errors have among the measures."""


SHORT = {"bias_share": "midpoint.bias_share", **CELL_SHORT}
"""Short names of measures that are not the primary method's."""


def column_of(name: str, methods: Sequence[str]) -> str:
    """Return the record column that a measure's name stands for; a short name is the primary method's.

    >>> column_of("gain", ["grad_cam"]), column_of("bias_share", ["grad_cam"])
    ('grad_cam.gain', 'midpoint.bias_share')
    """
    return name if "." in name else SHORT.get(name, f"{methods[0]}.{name}")


def bounds(columns: Sequence[str]) -> tuple[Floats, Floats]:
    """Return the least and the greatest value of each record column, ``(C,)`` each; infinite where there is none.

    >>> bounds(["grad_cam.energy", "grad_cam.gain", "error"])
    (array([  0., -inf,   0.]), array([1., 1., 1.]))
    """
    measures = [name.rpartition(".")[2] for name in columns]
    measures = [name.removeprefix(AGAINST_MIDPOINT) for name in measures]
    shares = (*SHARES, *CELL_SHARES, WRONG)
    low = [0.0 if n in (*shares, *AMOUNTS) else -1.0 if n in CELL_DIFFERENCES else -np.inf for n in measures]
    high = [1.0 if n in (*shares, *GAINS, *CELL_DIFFERENCES) else np.inf for n in measures]
    return np.array(low), np.array(high)


def is_proportion(column: str) -> bool:
    """Decide if a column is 1 or 0 per image.

    >>> is_proportion("midpoint.empty"), is_proportion("grad_cam.gain")
    (True, False)
    """
    measure = column.rpartition(".")[2].removeprefix(AGAINST_MIDPOINT)
    return column == WRONG or measure in (*BINARY, *CELL_BINARY)
