"""Slices: figures within each value of a group column or an attribute, and the worst value against the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.groups.gaps import largest_gap, level_of_pairs
from bincam.audit.summary.groups.within import empty_shares, error_shares, within_values
from bincam.audit.summary.panel import Panel
from bincam.stats.clustered.contributions import correlation
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.hypotheses.hypothesis_tests import difference_test, family
from bincam.stats.intervals import gap, ratio
from bincam.stats.outcomes import ERROR_RATES

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
        the same data, so a gap between many values is biased upwards; of errors there are also ``largest_gap``, whose
        interval holds for all pairs at once, ``between`` and ``few`` (see there).
    """
    errors = error_shares(panel, slicing, level)
    proportions = errors | empty_shares(panel, slicing, columns, level)
    of_pairs = errors
    if len(slicing.values) > 2:
        of_pairs = error_shares(panel, slicing, level_of_pairs(len(slicing.values), level))
    entries: list[dict[str, Any]] = []
    for a, attribute in enumerate(panel.attributes):
        if attribute in slicing.columns:
            continue
        figures = {
            measure: Sliced(
                proportions[measure][a] if measure in proportions else within.estimates,
                within.contributions,
                partial(within.people, clusters=panel.clusters),
                of_pairs[measure][a] if measure in ERROR_RATES else None,
            )
            for measure, within in within_values(panel, slicing, columns, a, level).items()
        }
        entries += slice_entries(attribute, slicing, figures)
    return entries


@dataclass(frozen=True)
class Sliced:
    """A measure of one attribute in each of V values.

    Attributes:
        estimates: V of them.
        contributions: ``(V, K)``: what each cluster contributes to their errors.
        people: Function that counts the people of some values, by position; None where the data names none.
        of_pairs: Of an error rate: its estimates at the level of ``level_of_pairs``.
    """

    estimates: Sequence[Estimate]
    contributions: NDArray[np.floating]
    people: Callable[[Sequence[int]], int | None]
    of_pairs: Sequence[Estimate] | None = None


def slice_entries(attribute: str, slicing: Slicing, figures: Mapping[str, Sliced]) -> list[dict[str, Any]]:
    """Make the entries of one attribute from its figures by measure; see ``slice_panel``."""
    entries: list[dict[str, Any]] = []
    for measure, sliced in figures.items():
        about = {"attribute": attribute, "measure": measure, **slicing.to_json()}
        estimates = dict(zip(slicing.values, sliced.estimates, strict=True))
        entries += [
            {**about, **slicing.value_to_json(value), "estimate": figure.to_json()}
            for value, figure in estimates.items()
        ]
        compared = _compared(measure, estimates, sliced)
        if sliced.of_pairs is not None:
            by_value = dict(zip(slicing.values, sliced.of_pairs, strict=True))
            compared |= largest_gap(by_value, sliced.contributions, sliced.people)
        entries.append({**about, **compared})
    return entries


def _compared(measure: str, estimates: Mapping[str, Estimate], sliced: Sliced) -> dict[str, Any]:
    sound = comparable(estimates)
    if len(sound) < 2:
        return {"worst": None, "best": None, "gap": None, "ratio": None}
    ranked = sorted(sound, key=lambda value: sound[value].value, reverse=measure not in WORSE_IF_LOWER)
    worst, best = ranked[0], ranked[-1]
    high, low = (best, worst) if measure in WORSE_IF_LOWER else (worst, best)
    names = list(estimates)
    both = [names.index(high), names.index(low)]
    about: dict[str, Any] = {
        "correlation": correlation(*sliced.contributions[both]),
        "identities": sliced.people(both),
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
