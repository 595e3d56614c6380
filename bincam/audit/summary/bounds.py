"""Least and greatest possible values of the measures of records: an interval of a mean goes no further."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bincam.stats.estimate import Floats

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


def bounds(columns: Sequence[str]) -> tuple[Floats, Floats]:
    """Return the least and the greatest value of each record column, ``(C,)`` each; infinite where there is none.

    >>> bounds(["grad_cam.energy", "grad_cam.gain", "error"])
    (array([  0., -inf,   0.]), array([1., 1., 1.]))
    """
    measures = [name.rpartition(".")[2] for name in columns]
    low = [0.0 if name in (*SHARES, *AMOUNTS, WRONG) else -np.inf for name in measures]
    high = [1.0 if name in (*SHARES, *GAINS, WRONG) else np.inf for name in measures]
    return np.array(low), np.array(high)


def is_proportion(column: str) -> bool:
    """Decide if a column is 1 or 0 per image.

    >>> is_proportion("midpoint.empty"), is_proportion("grad_cam.gain")
    (True, False)
    """
    return column == WRONG or column.rpartition(".")[2] in BINARY
