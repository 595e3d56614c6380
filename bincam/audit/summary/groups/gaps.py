"""Gaps: the largest difference in an error between two groups of people, with an interval, and its tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.groups.divisions import Slicing
from bincam.audit.summary.panel import Panel
from bincam.stats.clustered.contributions import correlation
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.formatting import counted
from bincam.stats.hypotheses.hypothesis_tests import difference_test, family
from bincam.stats.intervals import MOVER, gap
from bincam.stats.outcomes import ERROR_RATES

FAMILY = "errors differ between groups"
"""Name of the tests of all gaps of an audit, in ``families``."""

TESTED = ("error", "fnr", "fpr")
"""Errors whose gaps are tested: all images, the missed positives, and the false alarms."""


def level_of_pairs(values: int, level: float = LEVEL) -> float:
    """Return the level of each pair's interval at which all pairs together have the level (Bonferroni).

    Args:
        values: Number of groups, of which every two are compared.
        level: Of all pairs together.

    >>> level_of_pairs(2), round(level_of_pairs(3), 4)
    (0.95, 0.9833)
    """
    return 1 - (1 - level) / max(comb(values, 2), 1)


def largest_gap(
    estimates: Mapping[str, Estimate],
    contributions: NDArray[np.floating],
    people: Callable[[Sequence[int]], int | None],
) -> dict[str, Any]:
    """Estimate the largest absolute difference between two of V groups.

    Every two groups are compared with the interval of their difference [l, h] (MOVER, correlated as the people who
    have images in both make it). That of |difference| is [max(0, l), max(h, -l)]. With the intervals of all pairs at a
    level that holds for all of them at once (``level_of_pairs``), the largest difference is at least the greatest lower
    end and at most the greatest upper end, so that choosing the worst and the best group on the same images costs no
    coverage. Groups with too few images or people are not compared, but listed.

    Args:
        estimates: Of each group, in order; their intervals have the level of pairs.
        contributions: ``(V, K)``: what each cluster contributes to the errors of the estimates.
        people: Function that counts the people of some groups, by position; None where the data names none.

    Returns:
        ``largest_gap``: an estimate whose images and people are those of the two groups that differ most; undefined,
        with those of all groups, where fewer than two can be compared. ``between``: their names, the greater error
        first, else None. ``few``: ``{value, images, identities}`` of every group that is too small, or has no image of
        this class.

    Example:
        >>> from bincam.stats.estimate import estimate
        >>> from bincam.stats.intervals import wilson
        >>> groups = {name: estimate(p, *wilson(p, 100), 100, None, "wilson") for name, p in (("f", 0.1), ("m", 0.3))}
        >>> found = largest_gap(groups, np.zeros((2, 1)), lambda _: None)
        >>> found["between"], [round(found["largest_gap"][key], 2) for key in ("value", "low", "high")]
        (['m', 'f'], [0.2, 0.09, 0.3])
    """
    names = list(estimates)
    sound = [v for v, name in enumerate(names) if estimates[name].status == "ok"]
    few = [
        {"value": name, "images": one.images, "identities": one.identities}
        for name, one in estimates.items()
        if one.status != "ok"
    ]
    differences: list[tuple[tuple[str, str], Estimate]] = []
    for v, w in combinations(sound, 2):
        worse, better = (v, w) if estimates[names[v]].value >= estimates[names[w]].value else (w, v)
        about: dict[str, Any] = {
            "correlation": correlation(*contributions[[worse, better]]),
            "identities": people((worse, better)),
        }
        between = names[worse], names[better]
        differences.append((between, gap(estimates[between[0]], estimates[between[1]], **about)))
    if not differences:
        everyone = sum(one.images for one in estimates.values()), people(range(len(names)))
        return {"largest_gap": undefined(MOVER, *everyone).to_json(), "between": None, "few": few}
    between, widest = max(differences, key=lambda pair: pair[1].value)
    low = max(max(0.0, one.low) for _, one in differences)
    high = max(max(one.high, -one.low) for _, one in differences)
    method = f"{MOVER}, absolute"
    if len(differences) > 1:
        method += f", all of {counted(len(differences), 'pair')} at once"
    return {
        "largest_gap": replace(widest, low=low, high=high, method=method).to_json(),
        "between": list(between),
        "few": few,
    }


def gap_family(panel: Panel, divisions: Sequence[Slicing]) -> dict[str, Any]:
    """Test every gap of an audit, corrected over all of them: attributes × divisions × ``TESTED``.

    ``slice_family`` tests the error of all images within one division. That differs also between groups that the model
    treats alike where one has more images of the class that is harder; ``fnr`` and ``fpr`` do not.

    Args:
        panel: The records.
        divisions: By groups; an attribute is not divided by itself, and small groups are left out of its test.
    """
    tests = []
    for slicing in divisions:
        for measure in TESTED:
            members = panel.member(ERROR_RATES[measure])
            for a, attribute in enumerate(panel.attributes):
                if attribute in slicing.columns:
                    continue
                wrong = np.where(members[:, a], panel.wrong[:, a], np.nan)
                tested = difference_test(wrong, slicing.sound(wrong, panel.clusters), panel.clusters)
                tests.append(({"attribute": attribute, **slicing.to_json(), "measure": measure}, tested))
    return family(FAMILY, tests)
