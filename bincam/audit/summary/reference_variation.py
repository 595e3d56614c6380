"""Intervals of ledger figures with a reference that varies: it is an estimate too, from other images.

A bootstrap over the audited images holds the reference fixed, so it is too narrow where the reference rests on few
people. The variance that the reference adds is that of a delete-a-group jackknife (Kott 2001, Journal of Official
Statistics 17): with m_g the figure against the reference without group g of G, V = (G - 1)/G Σ (m_g - mean m)². It is
added as in MOVER: the ends of the interval move away from the value m to m ± √(d² + t²V), with d their distance from m
and t the quantile of Student's distribution with G - 1 degrees of freedom. *Ours.* The images of the reference are
taken as independent of the audited ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.references import FITTED
from bincam.stats.estimate import LEVEL, MIN_IDENTITIES, MIN_IMAGES
from bincam.stats.formatting import counted
from bincam.stats.outcomes import BASIC, GROUPS, MEMBERSHIP, basic_name

if TYPE_CHECKING:
    from bincam.audit.folder.manifest import ReferenceData

Entry = dict[str, Any]
Variation = Mapping[str, NDArray[np.float64]]

METHOD = ", reference varied"
"""End of the name of an interval's method, where the reference's variation is in it."""

SHARES = ("bias_share", "empty")
"""Columns whose figures are between 0 and 1."""


def jackknife_error(means: NDArray[np.floating], level: float = LEVEL) -> float:
    """Compute t·√V of a figure from its values without each group, ``(G,)``; NaN where one of these is undefined.

    >>> round(jackknife_error(np.array([0.5, 0.6, 0.4, 0.5])), 3)  # t = 3.18, V = 3/4 · 0.02
    0.39
    """
    from scipy import stats

    G = len(means)
    if G < 2 or not np.isfinite(means).all():
        return math.nan
    variance = (G - 1) / G * float(((means - means.mean()) ** 2).sum())
    return float(stats.t.ppf((1 + level) / 2, G - 1)) * math.sqrt(variance)


def widen(entry: Entry, error: float, *, share: bool) -> None:
    """Move the ends of an estimate's interval apart by the reference's error; NaN removes the interval.

    Args:
        entry: The estimate as JSON, which is changed.
        error: t·√V, see ``jackknife_error``.
        share: True for a figure between 0 and 1, whose interval is cut there.
    """
    value, low, high = (entry[key] for key in ("value", "low", "high"))
    if value is None or METHOD in entry["method"]:
        return
    if math.isnan(error):
        entry |= {"low": None, "high": None, "status": "small"}
    elif low is not None and high is not None:
        low, high = value - math.hypot(value - low, error), value + math.hypot(high - value, error)
        entry |= {"low": max(low, 0.0) if share else low, "high": min(high, 1.0) if share else high}
    entry["method"] += METHOD


def group_means(variation: Variation, column: str, a: int) -> NDArray[np.float64] | None:
    """Return the means of a column against every replicate, ``(len(BASIC), G)``; None where they were not measured."""
    kind, _, term = column.partition(".")
    name = f"{'midpoint' if kind == 'balanced_mean' else kind}.{term}.without"
    if kind not in FITTED or f"{name}.sum" not in variation:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        means: NDArray[np.float64] = (MEMBERSHIP @ variation[f"{name}.sum"][a]) / (
            MEMBERSHIP @ variation[f"{name}.count"][a]
        )
    return means


def vary_references(
    summary: Entry,
    variation: Variation,
    fitted_on: ReferenceData | None,
    minority: Sequence[int],
    level: float = LEVEL,
) -> None:
    """Let the references vary in the intervals of a summary's ledger figures, and mark those of too few images.

    Args:
        summary: Its content, which is changed: measures of attributes and means over attributes. The slices by groups
            get the error of all images of the attribute.
        variation: See ``Audit.variation``.
        fitted_on: Numbers of images and people that the references rest on, by attribute and class.
        minority: The minority of each attribute, +1 or -1.
        level: Confidence level.
    """
    attributes: Mapping[str, Entry] = summary["attributes"]
    over_attributes: dict[str, list[NDArray[np.float64]]] = {}
    few = {name for name in attributes if fitted_on is not None and is_few(fitted_on, name)}
    for a, (name, entry) in enumerate(attributes.items()):
        for column, groups in _ledger_columns(entry["measures"]):
            means = group_means(variation, column, a)
            for group, estimate in groups.items():
                drawn = None if means is None else means[BASIC.index(basic_name(group, minority[a]))]
                _mend(estimate, drawn, column, few=name in few, level=level)
            if means is not None:
                ordered = [BASIC.index(basic_name(group, minority[a])) for group in GROUPS]
                defined = [groups[group]["value"] is not None for group in GROUPS]
                over_attributes.setdefault(column, []).append(
                    np.where(np.array(defined)[:, None], means[ordered], np.nan)
                )
    for column, groups in _ledger_columns((summary.get("overall") or {}).get("measures") or {}):
        stacked = over_attributes.get(column)
        for g, group in enumerate(GROUPS):
            estimate = groups[group]
            drawn = None
            if stacked is not None:
                defined = [means[g] for means in stacked if not np.isnan(means[g]).all()]
                drawn = np.mean(defined, 0) if defined else None
            newly = [name for name in few if attributes[name]["measures"][column][group]["value"] is not None]
            _mend(estimate, drawn, column, few=bool(newly), level=level)
            if newly and "small_attributes" in estimate:
                small = [e["measures"][column][group] for e in attributes.values()]
                estimate["small_attributes"] = sum(e["status"] == "small" for e in small)
    order = {name: a for a, name in enumerate(attributes)}
    for entry in summary.get("slices") or ():
        if entry["measure"] == "bias_share" and "estimate" in entry:
            means = group_means(variation, "midpoint.bias_share", order[entry["attribute"]])
            drawn = None if means is None else means[BASIC.index("all")]
            few_here = entry["attribute"] in few
            _mend(entry["estimate"], drawn, "midpoint.bias_share", few=few_here, level=level)


def is_few(fitted_on: ReferenceData, attribute: str) -> bool:
    """Return True where a class of the attribute has too few images or people for a reference to rest on."""
    images, people = fitted_on.counts.get(attribute), fitted_on.people.get(attribute)
    return (images is not None and min(images) < MIN_IMAGES) or (people is not None and min(people) < MIN_IDENTITIES)


def reference_name(fitted_on: ReferenceData | None) -> str:
    """Name the reference of bias shares, with the images and people that it was fitted on."""
    if fitted_on is None:
        return "the midpoint reference"
    people = "" if fitted_on.identities is None else f" of {counted(fitted_on.identities, 'person', 'people')}"
    return f"the midpoint reference (fitted on {counted(fitted_on.images, 'image')}{people})"


def _ledger_columns(measures: Mapping[str, Mapping[str, Entry]]) -> Iterator[tuple[str, Mapping[str, Entry]]]:
    return ((column, groups) for column, groups in measures.items() if column.partition(".")[0] in FITTED)


def _mend(estimate: Entry, drawn: NDArray[np.float64] | None, column: str, *, few: bool, level: float) -> None:
    if drawn is not None:
        widen(estimate, jackknife_error(drawn, level), share=column.rpartition(".")[2] in SHARES)
    if few and estimate["value"] is not None:
        estimate["status"] = "small"
