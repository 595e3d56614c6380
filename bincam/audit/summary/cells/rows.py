"""Figures of prediction grids beside their nulls, on the same images wherever both are of the same images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.schema import AGAINST_MIDPOINT, PREFIX
from bincam.audit.summary.bounds import bounds, is_proportion
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.intervals import gap
from bincam.stats.proportions import shares

Column = Callable[[str], NDArray[np.floating]]
"""Gives a column of the records by name, ``(N,)``."""

PAIRS: Mapping[str, tuple[str, str]] = {
    "auroc": ("auroc", "null_auroc"),
    "contrast": ("inside", "outside"),
    "recovery": ("recovery", "chance"),
    "recoverable": ("recovery", "chance"),
    "false_alarm": ("recovery", "false_alarm"),
    "absent_alarm": ("recovery", "absent_alarm"),
}
"""Rows of the table, and the columns of the figure and of its null. ``recoverable`` is of the missed images alone."""
MISSED = "recoverable"


def beside_null(
    figure: str,
    null: str,
    column: Column,
    clusters: Clusters,
    level: float = LEVEL,
    among: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Estimate a figure, its null and their difference.

    Where both are of the same images, those on which one is undefined are left out, so that the difference is paired
    and equals figure less null. The false alarm of a yes-or-no attribute is of other images, so there the two are
    compared by MOVER with the correlation over clusters.

    Args:
        figure: Column of the figure, without its prefix.
        null: Column of its null.
        column: Gives a column.
        clusters: Of the N images.
        level: Confidence level.
        among: ``(N,)``: images that count; None for all.

    Returns:
        ``figure``, ``null`` and ``difference``, estimates as JSON objects; ``paired``.
    """
    own, other = (np.asarray(column(f"{PREFIX}.{name}"), float) for name in (figure, null))
    if among is not None:
        own, other = (np.where(among, values, np.nan) for values in (own, other))
    both = np.isfinite(own) & np.isfinite(other)
    paired = bool(both.any()) or not (np.isfinite(own).any() and np.isfinite(other).any())
    if paired:
        own, other = (np.where(both, values, np.nan) for values in (own, other))
    low, high = bounds([figure, null])
    limits = np.append(low, low[0] - high[1]), np.append(high, high[0] - low[1])
    values = np.stack([own, other, own - other], 1)
    means = group_means(values, np.zeros(len(own), np.int64), np.ones((1, 1)), clusters, limits, level)
    estimates = [
        shares(values[:, c], np.ones(len(own), bool), clusters, level).estimate()
        if is_proportion(name)
        else means.estimate(0, c)
        for c, name in enumerate((figure, null))
    ]
    difference = means.estimate(0, 2)
    if not paired:
        people = clusters.identities(np.isfinite(own) | np.isfinite(other))
        difference = gap(
            *estimates,
            correlation=correlation(means.contributions[0, :, 0], means.contributions[0, :, 1]),
            identities=None if people is None else int(people),
        )
    named = {"figure": estimates[0], "null": estimates[1], "difference": difference}
    return {name: estimate.to_json() for name, estimate in named.items()} | {"paired": paired}


def table_of(
    column: Column, missed: NDArray[np.bool_], clusters: Clusters, level: float = LEVEL
) -> list[dict[str, Any]]:
    """Make the rows of the table: every figure beside its null, as the cells are and against the midpoint.

    Args:
        column: Gives a column.
        missed: ``(N,)``: images with the attribute that the model gets wrong.
        clusters: Of the N images.
        level: Confidence level.

    Returns:
        Entries of ``beside_null`` with ``measure`` (of ``PAIRS``) and ``reference`` (``zero`` or ``midpoint``); without
        those of which neither figure nor null is defined anywhere.
    """
    rows = []
    for reference, prefix in (("zero", ""), ("midpoint", AGAINST_MIDPOINT)):
        for measure, pair in PAIRS.items():
            if prefix and measure == "absent_alarm":
                continue
            among = missed if measure == MISSED else None
            entry = beside_null(f"{prefix}{pair[0]}", f"{prefix}{pair[1]}", column, clusters, level, among)
            if any(Estimate.from_json(entry[name]).defined for name in ("figure", "null")):
                rows.append({"measure": measure, "reference": reference, **entry})
    return rows


def one_mean(
    values: NDArray[np.floating], clusters: Clusters, level: float = LEVEL, *, share: bool = False
) -> Estimate:
    """Estimate the mean of values in [0, 1], ``(N,)``; NaN are left out. ``share``: of values that are 0 or 1."""
    if share:
        return shares(values, np.ones(len(values), bool), clusters, level).estimate()
    one = np.zeros(len(values), np.int64), np.ones((1, 1))
    return group_means(values[:, None], *one, clusters, (0.0, 1.0), level).estimate(0, 0)


def flattened(clusters: Clusters, attributes: int) -> Clusters:
    """Give each of the attributes of an image the image's cluster, in the order of an array ``(N, A)``.

    The attributes of an image are not independent, so images are clusters where the data names no people.
    """
    return Clusters(np.repeat(clusters.codes, attributes), known=True)


def without_people(entry: Any) -> Any:
    """Take the numbers of clusters out of estimates, because they are those of images and not of people."""
    if isinstance(entry, dict):
        kept = {name: without_people(value) for name, value in entry.items()}
        return kept | {"identities": None} if "identities" in kept else kept
    return [without_people(each) for each in entry] if isinstance(entry, list) else entry
