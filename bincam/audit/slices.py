"""Figures within the values of a group column or of an attribute: the worst group, and how far the others are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.bootstrap import resampled_means, shares
from bincam.audit.families import difference_test, family
from bincam.audit.groups import ERROR_RATES, Panel, images_of
from bincam.audit.intervals import LEVEL, MIN_IDENTITIES, MIN_IMAGES, Estimate, estimate, gap, quantiles, ratio
from bincam.errors import InputError, nearest

if TYPE_CHECKING:
    from bincam.audit.store import Audit

USUAL = ("Male", "Young")
"""Attributes by which every other is sliced where the audit has them."""

MOST_VALUES = 20
WORSE_IF_LOWER = ("gain",)


@dataclass(frozen=True)
class Slicing:
    """A way to divide images.

    Attributes:
        column: A group column or an attribute.
        values: What they are divided into.
        codes: ``(N,)``: index of the value; -1 where it is unknown.
    """

    column: str
    values: tuple[str, ...]
    codes: NDArray[np.int64]


def slicings(audit: Audit, panel: Panel, by: Sequence[str] | None = None) -> tuple[list[Slicing], list[dict[str, str]]]:
    """The divisions that were asked for.

    Args:
        audit: Whose images.
        panel: Its records.
        by: Group columns (``sex`` or ``group.sex``) or attributes; all group columns and the ``USUAL`` attributes
            by default.

    Returns:
        Divisions, and of those that were not asked for by name, which were left out and why.

    Raises:
        InputError: A column that was asked for is unknown, has one value, or more than ``MOST_VALUES``.
    """
    images = images_of(audit, panel.rows)
    groups = [name for name in images.columns if name.startswith("group.")]
    asked = by is not None
    wanted = list(by) if by is not None else [*groups, *(name for name in USUAL if name in panel.attributes)]
    found: list[Slicing] = []
    left_out: list[dict[str, str]] = []
    for name in wanted:
        if name in groups or f"group.{name}" in groups:
            column = name if name in groups else f"group.{name}"
            held = images[column].astype(str).to_numpy()
            values = tuple(sorted(set(held) - {""}))
            codes = (
                np.array([values.index(v) if v else -1 for v in held], np.int64)
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
            known = [*(g.removeprefix("group.") for g in groups), *panel.attributes]
            raise InputError(f"{audit.folder}: cannot slice by {name!r}{nearest(name, known)}")
        reason = ""
        if len(values) < 2:
            what = f"only the value {values[0]!r}" if values else "no value"
            reason = f"{column} has {what}, so there is nothing to compare"
        elif len(values) > MOST_VALUES:
            reason = f"{column} has {len(values)} values, more than {MOST_VALUES}; give a column of fewer groups"
        if reason and asked:
            raise InputError(f"{audit.folder}: cannot slice: {reason}")
        if reason:
            left_out.append({"column": column, "reason": reason})
        else:
            found.append(Slicing(column, values, codes))
    return found, left_out


def slice_panel(
    panel: Panel,
    slicing: Slicing,
    columns: Mapping[str, str],
    weights: NDArray[np.float32],
    level: float = LEVEL,
) -> list[dict[str, Any]]:
    """Figures of every attribute within each value, then the worst value against the best.

    Args:
        panel: The records.
        slicing: The division; an attribute is not divided by itself.
        columns: Measure to column: ``gain``, ``empty`` and ``bias_share``, those that the audit has.
        weights: ``(K, R)``.
        level: Of confidence.

    Returns:
        Entries ``{attribute, measure, column, value, estimate}``, and per measure one
        ``{attribute, measure, column, worst, best, gap, ratio}``. Small cells are shown and not compared. Which value
        is worst is read off the same data, so a gap between many values is larger than it would be on other images.
    """
    within = slicing.codes[:, None] == np.arange(len(slicing.values))  # (N, V)
    tables = _rates(panel, within, level) | _means(panel, slicing, columns, weights, level)
    entries: list[dict[str, Any]] = []
    for a, attribute in enumerate(panel.attributes):
        if attribute == slicing.column:
            continue
        for measure, table in tables.items():
            about = {"attribute": attribute, "measure": measure, "column": slicing.column}
            found = dict(zip(slicing.values, table[a], strict=True))
            entries += [{**about, "value": value, "estimate": one.to_json()} for value, one in found.items()]
            entries.append({**about, **_compared(measure, found)})
    return entries


def _rates(panel: Panel, within: NDArray[np.bool_], level: float) -> dict[str, list[list[Estimate]]]:
    result = {}
    for measure, group in ERROR_RATES.items():
        member = panel.member(group)[:, :, None] & within[:, None, :]  # (N, A, V)
        wrong = np.broadcast_to(panel.wrong[:, :, None], member.shape)
        result[measure] = _estimates(wrong, member, panel, level)
    return result


def _means(
    panel: Panel, slicing: Slicing, columns: Mapping[str, str], weights: NDArray[np.float32], level: float
) -> dict[str, list[list[Estimate]]]:
    result: dict[str, list[list[Estimate]]] = {}
    read = panel.cell >= 0
    for measure in [name for name in columns if name == "empty"]:
        member = read[:, :, None] & (slicing.codes[:, None, None] == np.arange(len(slicing.values)))
        held = np.broadcast_to(panel.column(columns[measure])[:, :, None], member.shape)
        result[measure] = _estimates(held, member, panel, level)
    rest = [name for name in columns if name != "empty"]
    if not rest:
        return result
    values = np.stack([panel.column(columns[name]) for name in rest], -1)
    cell = np.where(read, slicing.codes[:, None], -1)
    method = panel.clusters.bootstrap
    V = len(slicing.values)
    found = list(resampled_means(values, cell, np.eye(V, dtype=np.float32), panel.clusters, weights))
    ends = [quantiles(one.samples, level) for one in found]
    for c, name in enumerate(rest):
        result[name] = [
            [
                estimate(
                    one.value[v, c],
                    low[v, c],
                    high[v, c],
                    one.images[v, c],
                    None if one.identities is None else one.identities[v, c],
                    method,
                )
                for v in range(V)
            ]
            for one, (low, high) in zip(found, ends, strict=True)
        ]
    return result


def _estimates(
    values: NDArray[np.floating], member: NDArray[np.bool_], panel: Panel, level: float
) -> list[list[Estimate]]:
    got = shares(values, member, panel.clusters, level)
    A, V = got.value.shape
    return [
        [
            estimate(
                got.value[a, v],
                got.low[a, v],
                got.high[a, v],
                got.images[a, v],
                None if got.identities is None else got.identities[a, v],
                got.method,
            )
            for v in range(V)
        ]
        for a in range(A)
    ]


def _compared(measure: str, found: Mapping[str, Estimate]) -> dict[str, Any]:
    sound = {value: one for value, one in found.items() if one.status == "ok"}
    if len(sound) < 2:
        return {"worst": None, "best": None, "gap": None, "ratio": None}
    ranked = sorted(sound, key=lambda value: sound[value].value, reverse=measure not in WORSE_IF_LOWER)
    worst, best = ranked[0], ranked[-1]
    high, low = (best, worst) if measure in WORSE_IF_LOWER else (worst, best)
    return {
        "worst": worst,
        "best": best,
        "gap": gap(sound[high], sound[low]).to_json(),
        "ratio": ratio(sound[high], sound[low]).to_json(),
    }


def slice_family(panel: Panel, slicing: Slicing) -> dict[str, Any]:
    """Does the error of an attribute differ between the values? Tested for every attribute, corrected over all.

    Values with too few images or people for an attribute are left out of its test.
    """
    tests = [
        ({"attribute": name}, difference_test(panel.wrong[:, a], _sound(panel, a, slicing.codes), panel.clusters))
        for a, name in enumerate(panel.attributes)
        if name != slicing.column
    ]
    return family(f"error differs by {slicing.column}", tests)


def _sound(panel: Panel, a: int, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(N,)``: the codes of values that are not small for an attribute, numbered anew."""
    result = np.full(len(codes), -1, np.int64)
    number = 0
    for code in range(int(codes.max(initial=-1)) + 1):
        here = (codes == code) & np.isfinite(panel.wrong[:, a])
        people = panel.clusters.identities(here)
        if here.sum() >= MIN_IMAGES and (people is None or people >= MIN_IDENTITIES):
            result[here] = number
            number += 1
    return result
