"""Figures within the values of a division: means with what each person contributes to them, and shares of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.bounds import WRONG, bounds
from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.panel import Panel
from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import Estimate
from bincam.stats.outcomes import BASIC, ERROR_RATES, MEMBERSHIP, basic_name
from bincam.stats.proportions import shares


@dataclass(frozen=True)
class Within:
    """A measure of one attribute in each of V values.

    Attributes:
        values: ``(N,)``, NaN for images that are not counted.
        codes: ``(N,)``: index of the value; -1 where unknown.
        estimates: The means, V of them.
        contributions: ``(V, K)``: what each cluster contributes to their errors.
    """

    values: NDArray[np.float32]
    codes: NDArray[np.int64]
    estimates: list[Estimate]
    contributions: NDArray[np.float32]

    def people(self, values: Sequence[int], clusters: Clusters) -> int | None:
        """Count the people with an image in one of several values, by position; None where the data names none."""
        count = clusters.identities(np.isin(self.codes, values) & np.isfinite(self.values))
        return None if count is None else int(count)


def within_values(
    panel: Panel, slicing: Slicing, columns: Mapping[str, str], a: int, level: float
) -> dict[str, Within]:
    """Compute every measure of attribute ``a`` within each value.

    Args:
        panel: The records.
        slicing: The division.
        columns: Measure to column, besides the error rates.
        a: The attribute's position.
        level: Confidence level.

    Returns:
        By error rate and measure.
    """
    cell, V = panel.cell[:, a].astype(np.int64), len(slicing.values)
    minority = int(panel.minority[a])
    place = {name: (basic_name(group, minority), 0) for name, group in ERROR_RATES.items()}
    place |= {name: ("all", c) for c, name in enumerate(columns, start=1)}
    groups = list(dict.fromkeys(group for group, _ in place.values()))
    values = np.stack([panel.wrong[:, a], *(panel.column(name)[:, a] for name in columns.values())], -1)
    in_a_cell = (cell >= 0) & (slicing.codes >= 0)
    of_group = MEMBERSHIP[[BASIC.index(group) for group in groups]]
    means = group_means(
        values,
        np.where(in_a_cell, cell * V + slicing.codes, -1),
        np.kron(of_group, np.eye(V, dtype=np.float32)),  # (groups · V, CELLS · V)
        panel.clusters,
        bounds([WRONG, *columns.values()]),
        level,
    )
    result = {}
    for name, (group, c) in place.items():
        g = groups.index(group)
        rows = range(g * V, (g + 1) * V)
        inside = in_a_cell & (np.append(of_group[g], 0)[cell] > 0)
        result[name] = Within(
            np.where(inside, values[:, c], np.float32(np.nan)),
            slicing.codes,
            [means.estimate(row, c) for row in rows],
            means.contributions[rows.start : rows.stop, :, c],
        )
    return result


def error_shares(panel: Panel, slicing: Slicing, level: float) -> dict[str, list[list[Estimate]]]:
    """Estimate every error rate by attribute and value, with Wilson's interval."""
    within = slicing.codes[:, None] == np.arange(len(slicing.values))  # (N, V)
    result = {}
    for measure, group in ERROR_RATES.items():
        member = panel.member(group)[:, :, None] & within[:, None, :]  # (N, A, V)
        wrong = np.broadcast_to(panel.wrong[:, :, None], member.shape)
        result[measure] = _estimates(wrong, member, panel, level)
    return result


def empty_shares(
    panel: Panel, slicing: Slicing, columns: Mapping[str, str], level: float
) -> dict[str, list[list[Estimate]]]:
    """Estimate the share of maps without positive evidence by attribute and value, where it was measured."""
    if "empty" not in columns:
        return {}
    within = slicing.codes[:, None] == np.arange(len(slicing.values))
    member = (panel.cell >= 0)[:, :, None] & within[:, None, :]
    empty = np.broadcast_to(panel.column(columns["empty"])[:, :, None], member.shape)
    return {"empty": _estimates(empty, member, panel, level)}


def _estimates(
    values: NDArray[np.floating], member: NDArray[np.bool_], panel: Panel, level: float
) -> list[list[Estimate]]:
    share = shares(values, member, panel.clusters, level)
    A, V = share.value.shape
    return [[share.estimate(a, v) for v in range(V)] for a in range(A)]
