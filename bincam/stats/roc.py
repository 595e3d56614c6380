"""Area under the ROC curve and average precision of scores, with intervals.

``ranking`` gives the figures of audits, ``auroc_and_precision`` those of training (``stats.classification`` says why
there are two summations).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bincam.decision import count_by_score
from bincam.stats.clustered.delong import auroc_contributions, precision_contributions, ranking_interval
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.outcomes import is_usable


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
    return of_ordered_counts(positives, negatives)


def of_ordered_counts(positives: NDArray[np.integer], negatives: NDArray[np.integer]) -> tuple[float, float]:
    """Compute AUROC and average precision of numbers of images at each score, ``(m,)``, from the lowest score up.

    Returns:
        NaN, NaN where one class has no image.

    >>> of_ordered_counts(np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0]))
    (0.75, 0.8333333333333333)
    """
    shown = (positives + negatives) > 0
    positives, negatives = positives[shown], negatives[shown]
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
    level: float = LEVEL,
) -> tuple[Estimate, Estimate]:
    """Estimate AUROC and average precision of one attribute, with intervals on the logit scale over clusters.

    Values are scikit-learn's to the last digit; see ``clustered.delong`` for the intervals.

    Args:
        scores: ``(N,)``; those that are not finite are left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
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
        >>> auroc, precision = ranking(scores, labels, clusters)
        >>> [round(x, 2) for x in (auroc.value, auroc.low, auroc.high)], auroc.identities
        ([0.75, 0.67, 0.83], 100)
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    kept = np.flatnonzero(is_usable(labels, scores))
    y = labels[kept] > 0
    prefix = "clustered " if clusters.known else ""
    methods = f"logit, {prefix}DeLong", f"logit, {prefix}linearisation"
    counts = [int((~y).sum()), int(y.sum())]
    people = clusters.identities(np.isin(np.arange(len(scores)), kept))
    total = None if people is None else int(people)
    if min(counts) == 0:
        return undefined(methods[0], len(kept), total), undefined(methods[1], len(kept), total)
    smaller = kept[y] if counts[1] < counts[0] else kept[~y]
    few = clusters.identities(np.isin(np.arange(len(scores)), smaller))
    s, codes = np.asarray(scores[kept]), clusters.codes[kept]
    figures = (
        (float(roc_auc_score(y, s)), auroc_contributions(s, y), methods[0]),
        (float(average_precision_score(y, s)), precision_contributions(s, y), methods[1]),
    )
    estimates = []
    for place, (value, contributions, method) in enumerate(figures):
        low, high = ranking_interval(value, contributions, y, codes, clusters, level, bounded=place == 0)
        of_smaller = estimate(value, low, high, min(counts), None if few is None else int(few), method)
        estimates.append(replace(of_smaller, images=len(kept), identities=total))
    return estimates[0], estimates[1]
