"""Figures within the values of a group column or of an attribute: the worst group, and how far the others are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.panel import Panel
from bincam.errors import InputError, nearest
from bincam.stats.bootstrap import resampled_means, shares
from bincam.stats.estimate import LEVEL, MIN_IDENTITIES, MIN_IMAGES, Estimate, Floats, estimate
from bincam.stats.hypothesis_tests import difference_test, family
from bincam.stats.intervals import gap, quantiles, ratio
from bincam.stats.outcomes import BASIC, ERROR_RATES, MEMBERSHIP, basic_name

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


def slicings(panel: Panel, by: Sequence[str] | None = None) -> tuple[list[Slicing], list[dict[str, str]]]:
    """The divisions that were asked for.

    Args:
        panel: The records, with the groups of their images.
        by: Group columns (``sex`` or ``group.sex``) or attributes; all group columns and the ``USUAL`` attributes
            by default.

    Returns:
        Divisions, and of those that were not asked for by name, which were left out and why.

    Raises:
        InputError: A column that was asked for is unknown, has one value, or more than ``MOST_VALUES``.
    """
    groups = list(panel.groups)
    asked = by is not None
    wanted = list(by) if by is not None else [*groups, *(name for name in USUAL if name in panel.attributes)]
    found: list[Slicing] = []
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
            known = [*(g.removeprefix("group.") for g in groups), *panel.attributes]
            raise InputError(f"cannot slice by {name!r}{nearest(name, known)}")
        reason = indivisible(column, values)
        if reason and asked:
            raise InputError(f"cannot slice: {reason}")
        if reason:
            left_out.append({"column": column, "reason": reason})
        else:
            found.append(Slicing(column, values, codes))
    return found, left_out


def indivisible(column: str, values: Collection[str], where: str = "") -> str:
    """Why nothing can be sliced by a column with these values; empty where it can."""
    if len(values) > MOST_VALUES:
        return f"{column} has {len(values)} values, more than {MOST_VALUES}; give a column of fewer groups"
    if len(values) < 2:
        what = f"only the value {next(iter(values))!r}" if values else "no value"
        return f"{column} has {what}{where}, so there is nothing to compare"
    return ""


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
    proportions = _rates(panel, slicing, level) | _empty(panel, slicing, columns, level)
    entries: list[dict[str, Any]] = []
    for a, attribute in enumerate(panel.attributes):
        if attribute == slicing.column:
            continue
        resampled = _resampled(panel, slicing, columns, a, weights)
        for measure, drawn in resampled.items():
            about = {"attribute": attribute, "measure": measure, "column": slicing.column}
            row = proportions[measure][a] if measure in proportions else _means(drawn, panel, level)
            found = dict(zip(slicing.values, row, strict=True))
            entries += [{**about, "value": value, "estimate": one.to_json()} for value, one in found.items()]
            entries.append({**about, **_compared(measure, found, drawn, panel, level)})
    return entries


@dataclass(frozen=True)
class _Drawn:
    """A measure of one attribute in each of V values.

    Attributes:
        values: ``(N,)``, NaN for images that do not count.
        codes: ``(N,)``: of the values; -1 where unknown.
        mean: ``(V,)``.
        images: ``(V,)``.
        identities: ``(V,)``, or None.
        samples: ``(V, R)``: the means in each resample, the same ones for all values.
    """

    values: NDArray[np.float32]
    codes: NDArray[np.int64]
    mean: Floats
    images: NDArray[np.int64]
    identities: NDArray[np.int64] | None
    samples: NDArray[np.float32]


def _resampled(
    panel: Panel, slicing: Slicing, columns: Mapping[str, str], a: int, weights: NDArray[np.float32]
) -> dict[str, _Drawn]:
    """Every measure of attribute ``a``, from one set of resamples."""
    cell, V = panel.cell[:, a].astype(np.int64), len(slicing.values)
    minority = int(panel.minority[a])
    place = {name: (basic_name(group, minority), 0) for name, group in ERROR_RATES.items()}
    place |= {name: ("all", c) for c, name in enumerate(columns, start=1)}
    groups = list(dict.fromkeys(group for group, _ in place.values()))
    values = np.stack([panel.wrong[:, a], *(panel.column(name)[:, a] for name in columns.values())], -1)
    known = (cell >= 0) & (slicing.codes >= 0)
    of_group = MEMBERSHIP[[BASIC.index(group) for group in groups]]
    (found,) = resampled_means(
        values[:, None],
        np.where(known, cell * V + slicing.codes, -1)[:, None],
        np.kron(of_group, np.eye(V, dtype=np.float32)),  # (groups · V, CELLS · V)
        panel.clusters,
        weights,
    )
    result = {}
    for name, (group, c) in place.items():
        g = groups.index(group)
        rows = slice(g * V, (g + 1) * V)
        inside = known & (np.append(of_group[g], 0)[cell] > 0)
        result[name] = _Drawn(
            np.where(inside, values[:, c], np.float32(np.nan)),
            slicing.codes,
            found.value[rows, c],
            found.images[rows, c],
            None if found.identities is None else found.identities[rows, c],
            found.samples[rows, c],
        )
    return result


def _means(drawn: _Drawn, panel: Panel, level: float) -> list[Estimate]:
    low, high = quantiles(drawn.samples.copy(), level)
    return [
        estimate(
            drawn.mean[v],
            low[v],
            high[v],
            drawn.images[v],
            None if drawn.identities is None else drawn.identities[v],
            panel.clusters.bootstrap,
        )
        for v in range(len(drawn.mean))
    ]


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
    held = np.broadcast_to(panel.column(columns["empty"])[:, :, None], member.shape)
    return {"empty": _estimates(held, member, panel, level)}


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


def _compared(measure: str, found: Mapping[str, Estimate], drawn: _Drawn, panel: Panel, level: float) -> dict[str, Any]:
    sound = {value: one for value, one in found.items() if one.status == "ok"}
    if len(sound) < 2:
        return {"worst": None, "best": None, "gap": None, "ratio": None}
    ranked = sorted(sound, key=lambda value: sound[value].value, reverse=measure not in WORSE_IF_LOWER)
    worst, best = ranked[0], ranked[-1]
    high, low = (best, worst) if measure in WORSE_IF_LOWER else (worst, best)
    names = list(found)
    both = [names.index(high), names.index(low)]
    people = panel.clusters.identities(np.isin(drawn.codes, both) & np.isfinite(drawn.values))
    about: dict[str, Any] = {
        "drawn": drawn.samples[both],
        "identities": None if people is None else int(people),
        "method": panel.clusters.bootstrap,
        "level": level,
    }
    return {
        "worst": worst,
        "best": best,
        "gap": gap(sound[high], sound[low], **about).to_json(),
        "ratio": ratio(sound[high], sound[low], **about).to_json(),
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
