"""Slices: figures within each value of a group column or an attribute, and the worst value against the best."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.bounds import WRONG, bounds
from bincam.audit.summary.panel import Panel
from bincam.errors import InputError, nearest
from bincam.stats.bootstrap import shares
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, MIN_IDENTITIES, MIN_IMAGES, Estimate
from bincam.stats.hypothesis_tests import difference_test, family
from bincam.stats.intervals import gap, ratio
from bincam.stats.outcomes import BASIC, ERROR_RATES, MEMBERSHIP, basic_name

USUAL = ("Male", "Young")
"""Attributes to slice by where the audit has them."""

MOST_VALUES = 20
"""Greatest number of values of a column to slice by."""
WORSE_IF_LOWER = ("gain",)
"""Measures of which the lowest value is the worst."""


@dataclass(frozen=True)
class Slicing:
    """A division of images by the values of a column.

    Attributes:
        column: A group column or an attribute.
        values: Its values.
        codes: ``(N,)``: index of the value; -1 where it is unknown.
    """

    column: str
    values: tuple[str, ...]
    codes: NDArray[np.int64]

    def sound(self, measure: NDArray[np.floating], clusters: Clusters) -> NDArray[np.int64]:
        """Renumber the codes ``(N,)`` of the values that are not small for a measure ``(N,)``; -1 for the others."""
        result = np.full(len(self.codes), -1, np.int64)
        number = 0
        for code in range(len(self.values)):
            here = (self.codes == code) & np.isfinite(measure)
            people = clusters.identities(here)
            if here.sum() >= MIN_IMAGES and (people is None or people >= MIN_IDENTITIES):
                result[here] = number
                number += 1
        return result


def comparable(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Select the values whose estimates are neither small nor undefined."""
    return {value: figure for value, figure in estimates.items() if figure.status == "ok"}


def slicings(panel: Panel, by: Sequence[str] | None = None) -> tuple[list[Slicing], list[dict[str, str]]]:
    """Choose the divisions of the images.

    Args:
        panel: The records, with the groups of their images.
        by: Group columns (``sex`` or ``group.sex``) or attributes; all group columns and the ``USUAL`` attributes
            by default.

    Returns:
        The divisions, and the defaults that were left out, with the reason.

    Raises:
        InputError: A column of ``by`` is unknown, has one value, or more than ``MOST_VALUES``.
    """
    groups = list(panel.groups)
    requested = by is not None
    wanted = list(by) if by is not None else [*groups, *(name for name in USUAL if name in panel.attributes)]
    divisions: list[Slicing] = []
    left_out: list[dict[str, str]] = []
    for name in wanted:
        if name in groups or f"group.{name}" in groups:
            column = name if name in groups else f"group.{name}"
            of_images = panel.groups[column]
            values = tuple(sorted(set(of_images) - {""}))
            codes = (
                np.array([values.index(v) if v else -1 for v in of_images], np.int64)
                if len(values) <= MOST_VALUES
                else (np.zeros(0, np.int64))
            )
        elif name in panel.attributes:
            label = panel.label[:, panel.attributes.index(name)]
            column, here = name, {text for sign, text in ((1, "positive"), (0, "negative")) if (label == sign).any()}
            values = tuple(text for text in ("positive", "negative") if text in here)
            codes = np.full(len(label), -1, np.int64)
            for number, text in enumerate(values):
                codes[label == (1 if text == "positive" else 0)] = number
        else:
            candidates = [*(g.removeprefix("group.") for g in groups), *panel.attributes]
            raise InputError(f"cannot slice by {name!r}{nearest(name, candidates)}")
        reason = indivisible(column, values)
        if reason and requested:
            raise InputError(f"cannot slice: {reason}")
        if reason:
            left_out.append({"column": column, "reason": reason})
        else:
            divisions.append(Slicing(column, values, codes))
    return divisions, left_out


def indivisible(column: str, values: Collection[str], where: str = "") -> str:
    """Give the reason why a column with these values divides nothing; empty where it does."""
    if len(values) > MOST_VALUES:
        return f"{column} has {len(values)} values, more than {MOST_VALUES}; choose a column with fewer values"
    if len(values) < 2:
        what = f"only the value {next(iter(values))!r}" if values else "no value"
        return f"{column} has {what}{where}, so there is nothing to compare"
    return ""


def slice_panel(
    panel: Panel,
    slicing: Slicing,
    columns: Mapping[str, str],
    level: float = LEVEL,
) -> list[dict[str, Any]]:
    """Estimate the figures of every attribute within each value, and compare the worst value with the best.

    Args:
        panel: The records.
        slicing: The division; an attribute is not divided by itself.
        columns: Measure to column, for those of ``gain``, ``empty`` and ``bias_share`` that the audit has.
        level: Confidence level.

    Returns:
        Entries ``{attribute, measure, column, value, estimate}``, and per measure one
        ``{attribute, measure, column, worst, best, gap, ratio}``. Small cells are listed but not compared. The worst
        and best values are selected on the same data, so a gap between many values is biased upwards.
    """
    proportions = _rates(panel, slicing, level) | _empty(panel, slicing, columns, level)
    entries: list[dict[str, Any]] = []
    for a, attribute in enumerate(panel.attributes):
        if attribute == slicing.column:
            continue
        for measure, within in _within(panel, slicing, columns, a, level).items():
            about = {"attribute": attribute, "measure": measure, "column": slicing.column}
            row = proportions[measure][a] if measure in proportions else within.estimates
            estimates = dict(zip(slicing.values, row, strict=True))
            entries += [{**about, "value": value, "estimate": figure.to_json()} for value, figure in estimates.items()]
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
        if name != slicing.column
    ]
    return family(f"error differs by {slicing.column}", tests)
