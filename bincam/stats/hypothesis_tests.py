"""Tests of differences between groups and between models, corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES

LEVEL = 0.05
EXACT_CLUSTERS = 200
"""McNemar's test is exact up to this many clusters in which the models differ."""


@dataclass(frozen=True)
class Test:
    """The result of a test of no difference.

    Attributes:
        difference: In the measure's units.
        statistic: Student's t, F or a count, according to the method.
        p: NaN where it cannot be tested.
        images: Number of images.
        identities: Number of clusters, or None.
        method: Name of the test.
    """

    __test__ = False  # not one of pytest's

    difference: float
    statistic: float
    p: float
    images: int
    identities: int | None
    method: str


def difference_test(
    values: NDArray[np.floating], group: NDArray[np.integer], clusters: Clusters, *, greater: bool = False
) -> Test:
    """Test if two or more groups of images have the same mean, by a score test that is robust to clusters.

    With u_kg = Σ_{i in cluster k, group g} (x_i - x̄)/n_g, whose residuals assume the hypothesis that all means are x̄,
    the differences from the last group have the covariance of the clusters' sums (Liang and Zeger 1986): Student's t
    for two groups, F for more. The degrees of freedom are the effective number of clusters, (Σu²)²/Σu⁴, at most K - 2,
    so a difference that rests on a few people is not taken as certain. For independent images of two large groups this
    is the two-proportion z-test.

    Args:
        values: ``(N,)``, NaN is left out.
        group: ``(N,)``: 0 ... G-1; negative is left out. The difference is group 0 minus the last group.
        clusters: Clusters of the N images.
        greater: Test two groups one-sidedly: the mean of group 0 is greater.

    Returns:
        The test; p is NaN where a group is small (see ``estimate``), or all values are equal and there is no spread.

    Example:
        >>> from bincam.stats import Clusters
        >>> wrong = np.repeat([1.0, 0.0, 1.0, 0.0], [30, 70, 10, 90])  # errors: 30 % and 10 %
        >>> test = difference_test(wrong, np.repeat([0, 1], 100), Clusters.of([""] * 200))
        >>> round(test.difference, 2), round(test.statistic, 2), round(test.p, 4), test.method
        (0.2, 3.53, 0.0008, 'score test')
    """
    from scipy import stats

    kept = np.flatnonzero(np.isfinite(values) & (group >= 0))
    x, g, k = np.asarray(values[kept], float), group[kept], clusters.codes[kept]
    G = int(group.max(initial=-1)) + 1
    images = np.bincount(g, minlength=G)
    people = [len(np.unique(k[g == number])) for number in range(G)]
    total = len(np.unique(k)) if clusters.known else None
    method = "score test, one-sided" if greater else "score test"
    small = G < 2 or min(images) < MIN_IMAGES or (clusters.known and min(people) < MIN_IDENTITIES)
    means = np.bincount(g, x, G) / np.maximum(images, 1)
    difference = float(means[0] - means[-1]) if G >= 2 and images[0] and images[-1] else math.nan
    if small:
        return Test(difference, math.nan, math.nan, len(kept), total, method)
    residual = (x - x.mean()) / images[g]
    _, position = np.unique(k, return_inverse=True)
    K = int(position.max()) + 1
    per_group = np.zeros((K, G))
    np.add.at(per_group, (position, g), residual)
    u = per_group[:, :-1] - per_group[:, -1:]  # (K, G-1)
    covariance = u.T @ u * K / (K - 1)
    d = means[:-1] - means[-1]
    if not np.isfinite(np.linalg.cond(covariance)) or np.linalg.cond(covariance) > 1e12:
        return Test(difference, math.nan, math.nan, len(kept), total, method)
    distance = float(d @ np.linalg.solve(covariance, d))
    weight = np.einsum("kg,gh,kh->k", u, np.linalg.inv(covariance), u)  # each cluster's share of the spread
    df = float(np.clip(weight.sum() ** 2 / (weight**2).sum(), 1, max(K - 2, 1)))
    if G > 2:
        return Test(
            difference, distance / (G - 1), float(stats.f.sf(distance / (G - 1), G - 1, df)), len(kept), total, method
        )
    t = math.copysign(math.sqrt(distance), difference)
    p = float(stats.t.sf(t, df)) if greater else float(2 * stats.t.sf(abs(t), df))
    return Test(difference, t, p, len(kept), total, method)


def paired_test(values: NDArray[np.floating], clusters: Clusters) -> Test:
    """Test if the mean of paired differences is 0: Student's t over sums u of clusters, (Σu²)²/Σu⁴ degrees of freedom.

    Args:
        values: ``(N,)``: differences; NaN is left out.
        clusters: Clusters of the N images.

    Returns:
        The test; p is NaN for a small cell, and 1 where all differences are 0.

    Example:
        >>> from bincam.stats import Clusters
        >>> gains = np.random.default_rng(0).normal(0.1, 0.3, 60)
        >>> test = paired_test(gains, Clusters(np.repeat(np.arange(20), 3), known=True))
        >>> round(test.difference, 3), round(test.p, 3), test.images, test.identities
        (0.123, 0.033, 60, 20)
    """
    from scipy import stats

    kept = np.flatnonzero(np.isfinite(values))
    x = np.asarray(values[kept], float)
    sums = np.bincount(clusters.codes[kept], x) if len(kept) else np.zeros(0)
    present = np.unique(clusters.codes[kept])
    method, total = "paired t over clusters", len(present) if clusters.known else None
    mean = float(x.mean()) if len(x) else math.nan
    if len(x) < MIN_IMAGES or (clusters.known and len(present) < MIN_IDENTITIES):
        return Test(mean, math.nan, math.nan, len(x), total, method)
    u = sums[present]
    spread = float((u**2).sum())
    if spread == 0:
        return Test(mean, 0.0, 1.0, len(x), total, method)
    # Under the hypothesis the sums are residuals themselves; |t| is at most the square root of their number.
    t = float(u.sum()) / math.sqrt(spread)
    df = float(np.clip(spread**2 / (u**4).sum(), 1, len(present) - 1))
    return Test(mean, t, float(2 * stats.t.sf(abs(t), df)), len(x), total, method)


def mcnemar(first: NDArray[np.floating], second: NDArray[np.floating], clusters: Clusters) -> Test:
    """Test if two models misclassify equally often on the same images, by McNemar's test over clusters.

    D_k is the number of the first model's errors in a cluster minus the second's; without a difference between the
    models either sign is equally likely. Up to ``EXACT_CLUSTERS`` clusters with D_k ≠ 0 the distribution of |ΣD_k| is
    counted exactly; above, (ΣD)²/ΣD² is chi-squared with one degree of freedom. With one image per cluster, these are
    McNemar's exact and uncorrected tests.

    Args:
        first: ``(N,)``: 1 where the first model is wrong, 0 where right, NaN where unknown.
        second: The same of the second model.
        clusters: Clusters of the N images.

    Returns:
        The test; p is NaN for a small cell.

    Example:
        Of 100 images the first model alone misclassifies 12, the second alone 3:

        >>> from bincam.stats import Clusters
        >>> first, second = np.zeros(100), np.zeros(100)
        >>> first[:12], second[12:15] = 1, 1
        >>> test = mcnemar(first, second, Clusters.of([""] * 100))
        >>> round(test.difference, 2), round(test.p, 4), test.method
        (0.09, 0.0352, 'McNemar, exact')
    """
    from scipy import stats

    kept = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    d = (first[kept] - second[kept]).astype(int)
    codes = clusters.codes[kept]
    people = len(np.unique(codes)) if clusters.known else None
    mean = float(d.mean()) if len(d) else math.nan
    sums = np.bincount(codes, d).astype(int) if len(d) else np.zeros(0, int)
    sizes = np.abs(sums[sums != 0])
    if len(d) < MIN_IMAGES or (people is not None and people < MIN_IDENTITIES):
        return Test(mean, math.nan, math.nan, len(d), people, "McNemar")
    observed = abs(int(sums.sum()))
    if len(sizes) <= EXACT_CLUSTERS:
        return Test(mean, float(observed), _sign_flips(sizes, observed), len(d), people, "McNemar, exact")
    chi2 = observed**2 / float((sizes.astype(float) ** 2).sum())
    return Test(mean, chi2, float(stats.chi2.sf(chi2, 1)), len(d), people, "McNemar, chi-squared")


def _sign_flips(sizes: NDArray[np.integer], observed: int) -> float:
    """Compute P(|Σ ±size| ≥ observed) over all equally likely signs, by convolution."""
    chance = np.ones(1)
    for size in sizes:
        step = np.zeros(2 * int(size) + 1)
        step[0] = step[-1] = 0.5
        chance = np.convolve(chance, step)
    middle = len(chance) // 2
    return float(min(1.0, chance[np.abs(np.arange(len(chance)) - middle) >= observed].sum()))


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
        undefined) and ``finding``.

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


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
