"""Tests of differences between groups and between models, by the signs of clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters, different
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES
from bincam.stats.hypotheses.families import LEVEL, Test, adjust_by_holm, family
from bincam.stats.hypotheses.sign_flips import LARGEST, effective_clusters, joint_tail, tail

__all__ = [
    "EXACT_CLUSTERS",
    "LEVEL",
    "Test",
    "adjust_by_holm",
    "difference_test",
    "family",
    "mcnemar",
    "paired_test",
]

EXACT_CLUSTERS = 200
"""McNemar's test is exact up to this many clusters in which the models differ."""


def difference_test(
    values: NDArray[np.floating], group: NDArray[np.integer], clusters: Clusters, *, greater: bool = False
) -> Test:
    """Test if two or more groups of images have the same mean, by a score test over the signs of clusters.

    u_kg = Σ_{i in cluster k, group g} (x_i - x̄)/n_g are residuals under the hypothesis that all means are x̄, and their
    sums over clusters are the groups' differences from x̄. Without a difference a cluster's residuals are as likely
    positive as negative, so that p is the share of all choices of signs whose sum is as far from 0 as the observed one
    (the score form of the wild cluster bootstrap, Kline and Santos 2012; Cameron, Gelbach and Miller 2008).

    The clusters' residuals estimate a variance, Σu². Where a group has few and rare errors it is too small, because
    most such samples have none. The variance of images that correlate equally within every cluster, estimated over all
    groups together, is not; the larger of the two counts (ours). For independent images of two large groups this is
    the two-proportion z-test.

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
        (0.2, 3.53, 0.0003, 'score test')
        >>> round(test.detectable(), 2)  # found in 8 of 10 such audits
        0.18
    """
    kept = np.flatnonzero(np.isfinite(values) & (group >= 0))
    x, g, k = np.asarray(values[kept], float), group[kept], clusters.codes[kept]
    G = int(group.max(initial=-1)) + 1
    images = np.bincount(g, minlength=G)
    people = [different(k[g == number]) for number in range(G)]
    total = different(k) if clusters.known else None
    means = np.asarray(np.bincount(g, x, G) / np.maximum(images, 1), float)
    if _too_small(images, people if clusters.known else None) or np.ptp(x) == 0:
        return _untested(means, images, total, greater=greater)
    _, position = np.unique(k, return_inverse=True)
    cells = position * G + g
    K = int(position.max()) + 1
    counts = np.bincount(cells, minlength=K * G).reshape(K, G)
    residuals = np.bincount(cells, x - x.mean(), K * G).reshape(K, G).astype(float)
    spread = float(((x - x.mean()) ** 2).sum())
    proportion = np.isin(x, (0.0, 1.0)).all()
    return _tested(means, counts, residuals, spread, float(x.mean()) if proportion else None, total, greater=greater)


def difference_test_of_totals(
    sums: NDArray[np.float64],
    counts: NDArray[np.float64],
    squares: float,
    *,
    known: bool,
    proportion: bool,
    greater: bool = False,
) -> Test:
    """Test as ``difference_test`` does, from what each cluster has of values and of images in each group.

    Args:
        sums: ``(K, G)``: sums of the values.
        counts: ``(K, G)``: number of images.
        squares: Sum of the squared values of all images.
        known: True if clusters are people; else they are groups of images that are independent of one another.
        proportion: True if values are 0 or 1.
        greater: As for ``difference_test``.

    >>> sums, counts = np.zeros((200, 2)), np.zeros((200, 2))
    >>> counts[:100, 0] = counts[100:, 1] = 1
    >>> sums[:30, 0] = sums[100:110, 1] = 1
    >>> test = difference_test_of_totals(sums, counts, 40.0, known=False, proportion=True)
    >>> round(test.difference, 2), round(test.statistic, 2), round(test.p, 4)
    (0.2, 3.53, 0.0003)
    """
    present = counts.sum(1) > 0
    sums, counts = sums[present], counts[present]
    images = counts.sum(0).astype(np.int64)
    people = (counts > 0).sum(0).tolist() if known else None
    means = np.asarray(sums.sum(0) / np.maximum(images, 1), float)
    total = len(counts) if known else None
    n = int(images.sum())
    mean = float(sums.sum()) / max(n, 1)
    spread = max(squares - n * mean**2, 0.0)
    equal = spread <= 1e-12 * max(squares, 1e-300)
    if _too_small(images, people) or equal or len(counts) < 2:
        return _untested(means, images, total, greater=greater)
    about = mean if proportion else None
    residuals = sums - mean * counts
    return _tested(means, counts, residuals, spread, about, total, greater=greater, independent=not known)


def _too_small(images: NDArray[np.integer], people: Sequence[int] | None) -> bool:
    few = people is not None and min(people, default=0) < MIN_IDENTITIES
    return bool(len(images) < 2 or min(images) < MIN_IMAGES or few)


def _method(*, greater: bool) -> str:
    return "score test, one-sided" if greater else "score test"


def _difference(means: NDArray[np.float64], images: NDArray[np.integer]) -> float:
    return float(means[0] - means[-1]) if len(images) >= 2 and images[0] and images[-1] else math.nan


def _untested(means: NDArray[np.float64], images: NDArray[np.integer], people: int | None, *, greater: bool) -> Test:
    difference = _difference(means, images)
    return Test(difference, math.nan, math.nan, int(images.sum()), people, _method(greater=greater))


def _tested(
    means: NDArray[np.float64],
    counts: NDArray[Any],
    residuals: NDArray[np.float64],
    spread: float,
    share: float | None,
    total: int | None,
    *,
    greater: bool,
    independent: bool = False,
) -> Test:
    """Test from residuals ``(K, G)`` and numbers of images; ``share`` is the mean of proportions, else None."""
    images, G, n = counts.sum(0), counts.shape[1], int(counts.sum())
    method, difference = _method(greater=greater), _difference(means, images)
    u = _from_last(residuals / images)  # (K, G - 1)
    robust = u.T @ u
    exchangeable, per_variance = _exchangeable_variance(spread, counts, residuals, independent=independent)
    d = _from_last(means)
    if np.linalg.cond(robust) > 1e12 or np.linalg.cond(exchangeable) > 1e12:
        return Test(difference, math.nan, math.nan, n, total, method)
    distances = [float(d @ np.linalg.solve(variance, d)) for variance in (robust, exchangeable)]
    distance = min(distances)
    weight = np.einsum("kg,gh,kh->k", u, np.linalg.inv(robust), u)  # each cluster's share of the spread
    effective = effective_clusters(np.sqrt(weight))
    error = math.sqrt(max(_widest(robust), _widest(exchangeable)))
    about: dict[str, Any] = {
        "error": error,
        "effective": effective,
        "sides": 1 if greater else 2,
        "groups": G,
        # A rate p + d has a greater variance than p: by about d(1 - 2p), of a proportion in the smallest group.
        "unit": 0.0 if share is None else per_variance * abs(1 - 2 * share),
    }
    if G > 2:
        p = _joint_p(u, distance, effective)
        return Test(difference, distance / (G - 1), p, n, total, method, **about)
    # The observed sum in the units of the robust error, made smaller where the other error is larger.
    observed = math.copysign(math.sqrt(distance * float(robust[0, 0])), difference)
    p = tail(u[:, 0], observed, greater=greater)
    return Test(difference, math.copysign(math.sqrt(distance), difference), p, n, total, method, **about)


def _from_last(per_group: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(per_group[..., :-1] - per_group[..., -1:])


def _exchangeable_variance(
    spread: float, counts: NDArray[Any], residuals: NDArray[np.float64], *, independent: bool = False
) -> tuple[NDArray[np.float64], float]:
    """Compute the covariance of the groups' differences if all pairs of images of a cluster correlate equally.

    The correlation is the mean over all such pairs, at least 0, as under the hypothesis: between groups, too.

    Returns:
        The covariance ``(G - 1, G - 1)``, and the variance of the least precise group's mean per variance of an image.
    """
    K, N = len(counts), int(counts.sum())
    size = counts.sum(1)
    pairs = 0.0 if independent else float((size * (size - 1.0)).sum())
    together = float((residuals.sum(1) ** 2).sum()) * K / (K - 1) - spread
    variance = spread / (N - 1)
    correlation = float(np.clip(together / (variance * pairs), 0, 1)) if pairs else 0.0
    images = counts.sum(0).astype(float)
    shares = counts / images
    alone = np.diag(1 / images[:-1]) + 1 / images[-1]
    between = _from_last(shares)
    covariance = variance * ((1 - correlation) * alone + correlation * between.T @ between)
    of_means = (1 - correlation) / images + correlation * (shares**2).sum(0)
    return np.asarray(covariance), float(of_means.max())


def _widest(covariance: NDArray[np.float64]) -> float:
    """Return the greatest variance of a difference between two groups, from that of differences from the last."""
    full = np.zeros((len(covariance) + 1,) * 2)
    full[:-1, :-1] = covariance
    spread = np.diag(full)
    return float((spread[:, None] + spread - 2 * full).max())


def _joint_p(u: NDArray[np.float64], distance: float, effective: float) -> float:
    from scipy import stats

    if (u != 0).any(1).sum() <= LARGEST:
        return joint_tail(u, distance)
    return float(stats.f.sf(distance / u.shape[1], u.shape[1], effective))


def paired_test(values: NDArray[np.floating], clusters: Clusters) -> Test:
    """Test if the mean of paired differences is 0, over the signs of the clusters' sums.

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
        (0.123, 0.007, 60, 20)
    """
    kept = np.flatnonzero(np.isfinite(values))
    x = np.asarray(values[kept], float)
    sums = np.bincount(clusters.codes[kept], x) if len(kept) else np.zeros(0)
    present = np.flatnonzero(np.bincount(clusters.codes[kept]))
    method, total = "paired t over clusters", len(present) if clusters.known else None
    mean = float(x.mean()) if len(x) else math.nan
    if len(x) < MIN_IMAGES or (clusters.known and len(present) < MIN_IDENTITIES):
        return Test(mean, math.nan, math.nan, len(x), total, method)
    u = sums[present].astype(float)
    spread = math.sqrt(float((u**2).sum()))
    if spread == 0:
        return Test(mean, 0.0, 1.0, len(x), total, method)
    about: dict[str, Any] = {"error": spread / len(x), "effective": effective_clusters(u)}
    return Test(mean, float(u.sum()) / spread, tail(u, float(u.sum())), len(x), total, method, **about)


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
    people = different(codes) if clusters.known else None
    mean = float(d.mean()) if len(d) else math.nan
    sums = np.bincount(codes, d).astype(int) if len(d) else np.zeros(0, int)
    sizes = np.abs(sums[sums != 0])
    # A difference adds images on which the models differ, which add to the variance.
    about: dict[str, Any] = {
        "error": math.sqrt(float((sizes.astype(float) ** 2).sum())) / max(len(d), 1),
        "effective": float(different(codes)),
        "unit": (float(sizes.mean()) if len(sizes) else 1.0) / max(len(d), 1),
    }
    if len(d) < MIN_IMAGES or (people is not None and people < MIN_IDENTITIES):
        return Test(mean, math.nan, math.nan, len(d), people, "McNemar")
    observed = abs(int(sums.sum()))
    if len(sizes) <= EXACT_CLUSTERS:
        p = _sign_flips(sizes, observed)
        return Test(mean, float(observed), p, len(d), people, "McNemar, exact", **about)
    chi2 = observed**2 / float((sizes.astype(float) ** 2).sum())
    return Test(mean, chi2, float(stats.chi2.sf(chi2, 1)), len(d), people, "McNemar, chi-squared", **about)


def _sign_flips(sizes: NDArray[np.integer], observed: int) -> float:
    """Compute P(|Σ ±size| ≥ observed) over all equally likely signs, by convolution."""
    chance = np.ones(1)
    for size in sizes:
        step = np.zeros(2 * int(size) + 1)
        step[0] = step[-1] = 0.5
        chance = np.convolve(chance, step)
    middle = len(chance) // 2
    return float(min(1.0, chance[np.abs(np.arange(len(chance)) - middle) >= observed].sum()))
