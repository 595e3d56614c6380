"""Differences between groups over all attributes: equalised odds and demographic parity."""

from __future__ import annotations

from typing import Any

import numpy as np

from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.panel import Panel
from bincam.stats.estimate import LEVEL
from bincam.stats.hypotheses.hypothesis_tests import Test, family
from bincam.stats.proportions import RESAMPLES
from bincam.stats.rates.equalised_odds import demographic_parity_difference, equalised_odds_difference

DIFFERENCES = ("equalised_odds_difference", "demographic_parity_difference")


def group_differences(
    panel: Panel, slicing: Slicing, *, level: float = LEVEL, permutations: int = RESAMPLES, seed: int = 0
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Estimate the differences of every attribute between the groups of a division.

    Args:
        panel: The records.
        slicing: The division; an attribute is not divided by itself.
        level: Confidence level.
        permutations: Number of permutations of the groups.
        seed: Seed of the permutations.

    Returns:
        An entry ``{attribute, column, measure, ...}`` per attribute and measure of ``DIFFERENCES``, and the family of
        tests of equalised odds. Demographic parity is not tested: groups whose labels differ have no reason to have it.
    """
    entries: list[dict[str, Any]] = []
    tests: list[tuple[dict[str, str], Test]] = []
    about: dict[str, Any] = {"level": level, "permutations": permutations, "seed": seed}
    groups = (slicing.codes, slicing.values, panel.clusters)
    for a, attribute in enumerate(panel.attributes):
        if attribute in slicing.columns:
            continue
        predicted = np.asarray(panel.predicted[:, a], float)
        odds = equalised_odds_difference(predicted, panel.label[:, a], *groups, **about)
        parity = demographic_parity_difference(predicted, *groups, **about)
        entries += [
            {"attribute": attribute, **slicing.to_json(), **difference.to_json()} for difference in (odds, parity)
        ]
        tests.append(({"attribute": attribute}, odds.test()))
    return entries, family(f"equalised odds differ by {slicing.column}", tests)
