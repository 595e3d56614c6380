"""How well scores order images: area under the ROC curve and average precision, with resampled intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.intervals import quantiles

BLOCK = 4_000_000
"""Weights looked at together, so that many images with many resamples need no more memory."""


def ranking(
    scores: NDArray[np.floating],
    labels: NDArray[np.floating],
    clusters: Clusters,
    weights: NDArray[np.float32],
    level: float = LEVEL,
) -> tuple[Estimate, Estimate]:
    """AUROC and average precision (scikit-learn's) of one attribute, with percentile intervals over clusters.

    Args:
        scores: ``(N,)``; NaN is left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Of the N images.
        weights: ``(K, R)``, of ``Clusters.weights``.
        level: Of confidence.

    Returns:
        Both undefined where only one class is there; small where a class has too few images or people.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    kept = np.flatnonzero(np.isfinite(scores) & np.isfinite(labels))
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
    found = []
    for value, drawn in zip(exact, samples, strict=True):
        low, high = quantiles(drawn[None].copy(), level)
        one = estimate(value, low[0], high[0], min(counts), None if few is None else int(few), method)
        found.append(Estimate(one.value, one.low, one.high, len(kept), total, one.status, method))
    return found[0], found[1]


def resampled_ranking(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    codes: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUROC and average precision with every column of weights.

    Args:
        scores: ``(n,)``, finite; equal ones count as half ordered.
        positive: ``(n,)``.
        codes: ``(n,)``: rows of ``weights``.
        weights: ``(K, R)``.

    Returns:
        ``(R,)`` each; NaN where a resample holds one class alone.
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
