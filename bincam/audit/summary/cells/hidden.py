"""What the other cells say with the object hidden, from the measures of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL

BEFORE = "before"
FILLS = ("mean_colour", "imputed")
"""How an object is hidden: by the mean colour of the rest of the image; by noisy linear imputation, as in ROAD."""


def hidden_figures(
    hidden: Mapping[str, Any],
    names: Sequence[str],
    clusters_of: Mapping[int, tuple[int, bool]],
    level: float = LEVEL,
) -> dict[str, Any]:
    """Estimate the share of the background's cells that say yes, before and after the object is hidden.

    Args:
        hidden: Of ``sample.json``: ``rows``, and values of each by attribute.
        names: The attributes, whose images are joined.
        clusters_of: Row of an image to its cluster, and whether that is a person.
        level: Confidence level.

    Returns:
        ``before``; and by fill ``after`` and the paired ``difference``, before less after: what the background saw of
        the object itself.
    """
    rows = [row for _ in names for row in hidden["rows"]]
    own = {name: hidden["attributes"].get(name) or {} for name in names}

    def values(part: str) -> np.ndarray:
        every = [own[name].get(part) or [None] * len(hidden["rows"]) for name in names]
        return np.array([np.nan if value is None else value for of_name in every for value in of_name], float)

    codes = np.unique([clusters_of[row][0] for row in rows], return_inverse=True)[1].astype(np.int64)
    known = any(clusters_of[row][1] for row in rows) or len(names) > 1
    clusters = Clusters(codes, known)
    before, result = values(BEFORE), {}
    one = np.zeros(len(rows), np.int64), np.ones((1, 1))
    for fill in FILLS:
        after = values(fill)
        start = np.where(np.isfinite(after), before, np.nan)
        limits = np.array([0.0, 0.0, -1.0]), np.ones(3)
        means = group_means(np.stack([start, after, start - after], 1), *one, clusters, limits, level)
        result[fill] = {name: means.estimate(0, c).to_json() for c, name in enumerate((BEFORE, "after", "difference"))}
    return result
