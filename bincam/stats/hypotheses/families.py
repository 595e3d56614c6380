"""Results of tests, and families of them that are corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.stats.estimate import Estimate
from bincam.stats.formatting import Kind, counted, shown
from bincam.stats.hypotheses.sign_flips import detectable

LEVEL = 0.05


@dataclass(frozen=True)
class Test:
    """The result of a test of no difference.

    Attributes:
        difference: In the measure's units.
        statistic: The difference in standard errors, a squared distance per dimension or a count, according to the
            method.
        p: NaN where it cannot be tested.
        images: Number of images.
        identities: Number of clusters, or None.
        method: Name of the test.
        error: Standard error of the difference under the hypothesis, of the least precise pair of several groups.
        effective: Effective number of clusters.
        sides: 1 or 2.
        groups: Number of groups that are compared.
        unit: Variance that a difference of 1 adds, for counts.
    """

    __test__ = False  # not one of pytest's

    difference: float
    statistic: float
    p: float
    images: int
    identities: int | None
    method: str
    error: float = math.nan
    effective: float = math.nan
    sides: int = 2
    groups: int = 2
    unit: float = 0.0

    def detectable(self, level: float = LEVEL) -> float:
        """Compute the smallest true difference that the test would find in 8 of 10 such audits.

        Args:
            level: Level at which p counts as a finding.

        Returns:
            NaN where nothing was tested; infinite where no difference could be found at this level.
        """
        if not math.isfinite(self.p):
            return math.nan
        clusters = self.images if self.identities is None else self.identities
        return detectable(
            self.error, clusters, self.effective, level, sides=self.sides, groups=self.groups, unit=self.unit
        )


def adjust_by_holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values for the family-wise error rate (Holm 1979): the running maximum of (n - rank)·p, at most 1.

    Equal to the bit to statsmodels' ``multipletests(p, method="holm")``, which is not called: version 0.15.0 runs a
    full garbage collection in every call with this method (``statsmodels/stats/multitest.py``), which took nine tenths
    of the time of a whole summary in a process that has loaded torch.

    Args:
        p: ``(n,)``, without NaN.

    >>> adjust_by_holm(np.array([0.04, 0.01, 0.5])).tolist()
    [0.08, 0.03, 0.5]
    """
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def family(name: str, tests: Sequence[tuple[Mapping[str, Any], Test]], level: float = LEVEL) -> dict[str, Any]:
    """Adjust the p-values of a family of tests by Holm (family-wise) and by Benjamini and Hochberg (false discoveries).

    Args:
        name: The family's name.
        tests: Each test with its subject, such as ``{"attribute": "Smiling"}``.
        level: Holm's adjusted p of a finding is at most this.

    Returns:
        ``name``, ``size`` (the number of tests with a p-value, for which p is adjusted), ``undefined`` (of those
        without), ``level``, ``findings`` (their number) and ``tests``, each with ``p``, ``holm``, ``bh`` (None where
        undefined), ``finding``, ``detectable`` and ``undetectable``. A true difference of ``detectable`` would be a
        finding in 8 of 10 such audits, even if it were the only one of the family; it is None, and ``undetectable``
        true, where no difference of any size could become a finding.

    Example:
        >>> tests = [
        ...     ({"attribute": name}, Test(0.1, 2.0, p, 100, None, "score test"))
        ...     for name, p in {"Bald": 0.01, "Young": 0.04, "Smiling": 0.5}.items()
        ... ]
        >>> result = family("errors differ", tests)
        >>> [(test["attribute"], test["holm"], test["finding"]) for test in result["tests"]]
        [('Bald', 0.03, True), ('Young', 0.08, False), ('Smiling', 0.5, False)]
    """
    from statsmodels.stats.multitest import multipletests

    p = np.array([test.p for _, test in tests], float)
    defined = np.isfinite(p)
    holm, bh = np.full(len(p), np.nan), np.full(len(p), np.nan)
    if defined.any():
        holm[defined] = adjust_by_holm(p[defined])
        bh[defined] = multipletests(p[defined], level, "fdr_bh")[1]
    corrected = level / max(int(defined.sum()), 1)
    smallest = [test.detectable(corrected) for _, test in tests]
    entries = [
        {
            **about,
            "difference": _finite(test.difference),
            "statistic": _finite(test.statistic),
            "images": test.images,
            "identities": test.identities,
            "test": test.method,
            "p": _finite(test.p),
            "holm": _finite(holm[n]),
            "bh": _finite(bh[n]),
            "finding": bool(holm[n] <= level),
            "detectable": _finite(smallest[n]),
            "undetectable": math.isinf(smallest[n]),
        }
        for n, (about, test) in enumerate(tests)
    ]
    return {
        "name": name,
        "size": int(defined.sum()),
        "undefined": int((~defined).sum()),
        "level": level,
        "methods": ["holm", "fdr_bh"],
        "findings": sum(entry["finding"] for entry in entries),
        "tests": entries,
    }


def undecided(tests: Sequence[Mapping[str, Any]], kind: Kind) -> str:
    """State which differences the tests that found none would have found; empty where all were found or undefined.

    Args:
        tests: Of ``family``; those of earlier versions state no detectable differences.
        kind: The kind of a difference.

    Example:
        >>> entry = {"p": 0.4, "finding": False, "detectable": 0.14, "undetectable": False}
        >>> undecided([entry], "points")  # the space is U+202F
        'a true difference of 14\u202fpoints would be found in 8 of 10 such audits'
        >>> undecided([entry, {**entry, "detectable": None, "undetectable": True}], "difference")
        'a true difference of 0.14 would be found in 8 of 10 such audits; 1 test has too few clusters to find any'
        >>> undecided([{**entry, "detectable": 1.09}], "points")  # no share differs by 109 points
        '1 test has too few clusters to find any'
    """
    others = [test for test in tests if test["p"] is not None and not test["finding"]]
    sizes = [test["detectable"] for test in others if test.get("detectable") is not None]
    lost = sum(bool(test.get("undetectable")) for test in others)
    if kind == "points":  # shares differ by at most 1
        lost, sizes = lost + sum(size > 1 for size in sizes), [size for size in sizes if size <= 1]
    parts = []
    if sizes:
        ends = [shown(Estimate.of_value(end), kind).lstrip("+") for end in dict.fromkeys((min(sizes), max(sizes)))]
        between = " to ".join(dict.fromkeys(ends))
        which = " (by test)" if len(set(ends)) > 1 else ""
        parts.append(f"a true difference of {between}{which} would be found in 8 of 10 such audits")
    if lost:
        parts.append(f"{counted(lost, 'test')} {'have' if lost > 1 else 'has'} too few clusters to find any")
    return "; ".join(parts)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
