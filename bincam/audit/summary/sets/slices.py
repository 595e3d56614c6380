"""Slices of sets of outputs: accuracy, minority and majority error within groups, and tests of the accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.groups.gaps import largest_gap, level_of_pairs
from bincam.audit.summary.groups.slices import comparable
from bincam.audit.summary.sets.records import SetRecords
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.means import group_means
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.hypotheses.hypothesis_tests import Test, difference_test, family
from bincam.stats.intervals import gap, ratio
from bincam.stats.proportions import shares
from bincam.stats.sets.mean_rates import mean_rate


def is_of_set(slicing: Slicing, records: SetRecords) -> bool:
    """Return True if a division is by the set itself or by one of its outputs, which do not divide it."""
    return bool({records.name, *records.outputs} & set(slicing.columns))


def slice_set(records: SetRecords, slicing: Slicing, level: float = LEVEL) -> list[dict[str, Any]]:
    """Estimate the error of a set, of its minority and of its majority, within each value.

    Args:
        records: Of the set.
        slicing: The division.
        level: Confidence level.

    Returns:
        Entries as those of ``slice_panel``, whose ``attribute`` is the set. The worst value is compared with the best
        by ``error``, the complement of the accuracy; the mean rates are listed without a comparison.
    """
    wrong, V = records.wrong, len(slicing.values)
    within = slicing.codes[:, None] == np.arange(V)
    share = shares(np.broadcast_to(wrong[:, None], within.shape), within, records.clusters, level)
    rare = np.flatnonzero(records.rare).tolist()
    common = np.flatnonzero(~records.rare).tolist()
    figures: dict[str, dict[str, Estimate]] = {"error": {}, "minority_error": {}, "majority_error": {}}
    for v, value in enumerate(slicing.values):
        here = np.where(within[:, v], wrong, np.nan)
        figures["error"][value] = share.estimate(v)
        figures["minority_error"][value] = mean_rate(here, records.true, rare, records.clusters, level)
        figures["majority_error"][value] = mean_rate(here, records.true, common, records.clusters, level)
    entries: list[dict[str, Any]] = []
    for measure, estimates in figures.items():
        about = {"attribute": records.name, "measure": measure, **slicing.to_json()}
        entries += [
            {**about, **slicing.value_to_json(value), "estimate": figure.to_json()}
            for value, figure in estimates.items()
        ]
    compared = _compared(records, slicing, figures["error"], level)
    entries.append(
        {
            "attribute": records.name,
            "measure": "error",
            **slicing.to_json(),
            **compared,
            **_largest(records, slicing, level),
        }
    )
    return entries


def _compared(records: SetRecords, slicing: Slicing, estimates: dict[str, Estimate], level: float) -> dict[str, Any]:
    sound = comparable(estimates)
    if len(sound) < 2:
        return {"worst": None, "best": None, "gap": None, "ratio": None}
    ranked = sorted(sound, key=lambda value: sound[value].value, reverse=True)
    both = [slicing.values.index(value) for value in (ranked[0], ranked[-1])]
    wrong = records.wrong
    means = group_means(wrong[:, None], slicing.codes, np.eye(len(slicing.values)), records.clusters, (0.0, 1.0), level)
    people = records.clusters.identities(np.isin(slicing.codes, both) & np.isfinite(wrong))
    about: dict[str, Any] = {
        "correlation": correlation(*means.contributions[both, :, 0]),
        "identities": None if people is None else int(people),
    }
    worst, best = sound[ranked[0]], sound[ranked[-1]]
    return {
        "worst": ranked[0],
        "best": ranked[-1],
        "gap": gap(worst, best, **about).to_json(),
        "ratio": ratio(worst, best, **about).to_json(),
    }


def _largest(records: SetRecords, slicing: Slicing, level: float) -> dict[str, Any]:
    """The largest gap of the error of a set, see ``largest_gap``."""
    wrong, V = records.wrong, len(slicing.values)
    within = slicing.codes[:, None] == np.arange(V)
    corrected = level_of_pairs(V, level)
    share = shares(np.broadcast_to(wrong[:, None], within.shape), within, records.clusters, corrected)
    means = group_means(wrong[:, None], slicing.codes, np.eye(V), records.clusters, (0.0, 1.0), level)

    def people(values: Sequence[int]) -> int | None:
        count = records.clusters.identities(np.isin(slicing.codes, values) & np.isfinite(wrong))
        return None if count is None else int(count)

    estimates = {value: share.estimate(v) for v, value in enumerate(slicing.values)}
    return largest_gap(estimates, means.contributions[..., 0], people)


def set_family(sets: Sequence[SetRecords], slicing: Slicing) -> dict[str, Any] | None:
    """Test for every set if its error differs between the values, corrected over all sets; None without any set."""
    tests: list[tuple[dict[str, str], Test]] = [
        (
            {"attribute": records.name},
            difference_test(records.wrong, slicing.sound(records.wrong, records.clusters), records.clusters),
        )
        for records in sets
        if not is_of_set(slicing, records)
    ]
    return family(f"error of sets differs by {slicing.column}", tests) if tests else None
