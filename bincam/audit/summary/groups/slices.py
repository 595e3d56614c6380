"""Slices: figures within each value of a group column or an attribute, and the worst value against the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.bounds import WRONG, bounds
from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.panel import Panel
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.hypotheses.hypothesis_tests import difference_test, family
from bincam.stats.intervals import gap, ratio
from bincam.stats.outcomes import BASIC, ERROR_RATES, MEMBERSHIP, basic_name
from bincam.stats.proportions import shares

WORSE_IF_LOWER = ("gain", "cell_auroc_gain", "recovery_gain")
"""Measures of which the lowest value is the worst."""


def comparable(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Select the values whose estimates are neither small nor undefined."""
    return {value: figure for value, figure in estimates.items() if figure.status == "ok"}


def slice_panel(
    panel: Panel,
    slicing: Slicing,
    columns: Mapping[str, str],
    level: float = LEVEL,
) -> list[dict[str, Any]]:
    """Estimate the figures of every attribute within each value, and compare the worst value with the best.

    Args:
        panel: The records.
        slicing: The division; an attribute is not divided by itself, nor by an intersection with itself.
        columns: Measure to column, for those of ``gain``, ``empty`` and ``bias_share`` that the audit has.
        level: Confidence level.

    Returns:
        Entries ``{attribute, measure, column, value, estimate}``, and per measure one
        ``{attribute, measure, column, worst, best, gap, ratio}``; those of an intersection also have ``columns``, and
        ``values`` in their order. Small cells are listed but not compared. The worst and best values are selected on
        the same data, so a gap between many values is biased upwards.
    """
    proportions = _rates(panel, slicing, level) | _empty(panel, slicing, columns, level)
    entries: list[dict[str, Any]] = []
    for a, attribute in enumerate(panel.attributes):
        if attribute in slicing.columns:
            continue
        for measure, within in _within(panel, slicing, columns, a, level).items():
            about = {"attribute": attribute, "measure": measure, **slicing.to_json()}
            row = proportions[measure][a] if measure in proportions else within.estimates
            estimates = dict(zip(slicing.values, row, strict=True))
            entries += [
                {**about, **slicing.value_to_json(value), "estimate": figure.to_json()}
                for value, figure in estimates.items()
            ]
            entries.append({**about, **_compared(measure, estimates, within, panel)})
    return entries


@dataclass(frozen=True)
class _Within:
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


def _within(panel: Panel, slicing: Slicing, columns: Mapping[str, str], a: int, level: float) -> dict[str, _Within]:
    """Compute every measure of attribute ``a`` within each value."""
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
        result[name] = _Within(
            np.where(inside, values[:, c], np.float32(np.nan)),
            slicing.codes,
            [means.estimate(row, c) for row in rows],
            means.contributions[rows.start : rows.stop, :, c],
        )
    return result


def _rates(panel: Panel, slicing: Slicing, level: float) -> dict[str, list[list[Estimate]]]:
    within = slicing.codes[:, None] == np.arange(len(slicing.values))  # (N, V)
    result = {}
    for measure, group in ERROR_RATES.items():
        member = panel.member(group)[:, :, None] & within[:, None, :]  # (N, A, V)
        wrong = np.broadcast_to(panel.wrong[:, :, None], member.shape)
        result[measure] = _estimates(wrong, member, panel, level)
    return result


def _empty(panel: Panel, slicing: Slicing, columns: Mapping[str, str], level: float) -> dict[str, list[list[Estimate]]]:
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


def _compared(measure: str, estimates: Mapping[str, Estimate], within: _Within, panel: Panel) -> dict[str, Any]:
    sound = comparable(estimates)
    if len(sound) < 2:
        return {"worst": None, "best": None, "gap": None, "ratio": None}
    ranked = sorted(sound, key=lambda value: sound[value].value, reverse=measure not in WORSE_IF_LOWER)
    worst, best = ranked[0], ranked[-1]
    high, low = (best, worst) if measure in WORSE_IF_LOWER else (worst, best)
    names = list(estimates)
    both = [names.index(high), names.index(low)]
    people = panel.clusters.identities(np.isin(within.codes, both) & np.isfinite(within.values))
    about: dict[str, Any] = {
        "correlation": correlation(*within.contributions[both]),
        "identities": None if people is None else int(people),
    }
    return {
        "worst": worst,
        "best": best,
        "gap": gap(sound[high], sound[low], **about).to_json(),
        "ratio": ratio(sound[high], sound[low], **about).to_json(),
    }


def slice_family(panel: Panel, slicing: Slicing) -> dict[str, Any]:
    """Test for every attribute if its error differs between the values, corrected over all attributes.

    Values with too few images or clusters for an attribute are left out of its test.
    """
    tests = [
        (
            {"attribute": name},
            difference_test(panel.wrong[:, a], slicing.sound(panel.wrong[:, a], panel.clusters), panel.clusters),
        )
        for a, name in enumerate(panel.attributes)
        if name not in slicing.columns
    ]
    return family(f"error differs by {slicing.column}", tests)
