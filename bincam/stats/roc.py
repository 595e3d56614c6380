"""Area under the ROC curve and average precision of scores, with resampled intervals.

``ranking`` gives the figures of audits, ``auroc_and_precision`` those of training (``stats.classification`` says why
there are two summations).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bincam.decision import count_by_score
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.intervals import quantiles
from bincam.stats.outcomes import is_usable

BLOCK = 4_000_000
"""Number of weights processed at once, which limits the memory for many images and many resamples."""


def auroc_and_precision(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Compute AUROC and average precision from one sort, in whole numbers up to the last division.

    They equal scikit-learn's up to rounding, and do not depend on the order of the images.

    Args:
        scores: ``(n,)``, finite; equal scores count as half ordered.
        positive: ``(n,)``.

    Returns:
        NaN, NaN where one class has no image.

    >>> auroc_and_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    (0.75, 0.8333333333333333)
    """
    _, positives, negatives = count_by_score(scores, positive)
    p, n = positives.sum(), negatives.sum()
    if not p or not n:
        return float("nan"), float("nan")
    below = negatives.cumsum() - negatives
    auroc = (positives * (2 * below + negatives)).sum() / (2 * p * n)
    tp, fp = (counts[::-1].cumsum()[::-1] for counts in (positives, negatives))  # with each score as the threshold
    return float(auroc), float((positives * (tp / (tp + fp))).sum() / p)


def ranking(
    scores: NDArray[np.floating],
    labels: NDArray[np.floating],
    clusters: Clusters,
    weights: NDArray[np.float32],
    level: float = LEVEL,
) -> tuple[Estimate, Estimate]:
    """Estimate AUROC and average precision of one attribute, with percentile intervals over clusters.

    Values are scikit-learn's to the last digit.

    Args:
        scores: ``(N,)``; those that are not finite are left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        weights: ``(K, R)``, of ``Clusters.weights``.
        level: Confidence level.

    Returns:
        AUROC and average precision; undefined if there is only one class, small if a class has too few images or
        clusters.

    Example:
        >>> from bincam.stats import Clusters
        >>> rng = np.random.default_rng(0)
        >>> labels = np.repeat([1.0, 0.0], [40, 160])
        >>> scores = rng.normal(labels)
        >>> clusters = Clusters.of([f"person {n}" for n in range(100)] * 2)
        >>> auroc, precision = ranking(scores, labels, clusters, clusters.weights(500, seed=0))
        >>> [round(x, 2) for x in (auroc.value, auroc.low, auroc.high)], auroc.identities
        ([0.75, 0.67, 0.83], 100)
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    kept = np.flatnonzero(is_usable(labels, scores))
    y = labels[kept] > 0
    method = clusters.bootstrap
    counts = [int((~y).sum()), int(y.sum())]
    people = clusters.identities(np.isin(np.arange(len(scores)), kept))
    total = None if people is None else int(people)
    if min(counts) == 0:
        return undefined(method, len(kept), total), undefined(method, len(kept), total)
    smaller = kept[y] if counts[1] < counts[0] else kept[~y]
    few = clusters.identities(np.isin(np.arange(len(scores)), smaller))
    exact = float(roc_auc_score(y, scores[kept])), float(average_precision_score(y, scores[kept]))
    samples = resampled_ranking(scores[kept], y, clusters.codes[kept], weights)
    estimates = []
    for value, drawn in zip(exact, samples, strict=True):
        low, high = quantiles(drawn[None].copy(), level)
        of_smaller = estimate(value, low[0], high[0], min(counts), None if few is None else int(few), method)
        estimates.append(replace(of_smaller, images=len(kept), identities=total))
    return estimates[0], estimates[1]


def resampled_ranking(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    codes: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute AUROC and average precision in every resample.

    Args:
        scores: ``(n,)``, finite; equal scores count as half ordered.
        positive: ``(n,)``.
        codes: ``(n,)``: rows of ``weights``.
        weights: ``(K, R)``: counts of each cluster in each resample.

    Returns:
        ``(R,)`` each; NaN where a resample has one class only.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    first = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))  # of each run of ties
    y = positive[order].astype(np.float32)[:, None]
    R = weights.shape[1]
    auroc, precision = np.empty(R), np.empty(R)
    width = max(1, BLOCK // max(len(order), 1))
    for start in range(0, R, width):
        part = slice(start, min(start + width, R))
        times = weights[:, part][codes[order]]  # (n, r)
        hits, all_ = times * y, times
        if len(first) < len(order):  # per run of ties
            hits, all_ = np.add.reduceat(hits, first, axis=0), np.add.reduceat(all_, first, axis=0)
        tp, shown = np.cumsum(hits, 0), np.cumsum(all_, 0)
        misses = all_ - hits
        fp = shown - tp
        with np.errstate(invalid="ignore", divide="ignore"):
            pairs = tp[-1].astype(float) * fp[-1]
            above = tp - hits / 2  # positives ranked above a run's negatives, ties by half
            auroc[part] = np.einsum("nr,nr->r", misses, above, dtype=float) / pairs
            at = np.where(shown > 0, tp / shown, 0)
            precision[part] = np.einsum("nr,nr->r", hits, at, dtype=float) / np.where(pairs > 0, tp[-1], np.nan)
    return auroc, precision
