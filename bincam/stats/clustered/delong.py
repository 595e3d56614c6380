"""What each image contributes to the error of AUROC and average precision, and their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.contributions import Spread, corrected, logistic
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Floats
from bincam.stats.intervals import effective_number, wilson


def auroc_contributions(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Floats:
    """Compute each image's contribution to the error of AUROC from its placement value (DeLong et al. 1988).

    The placement of a positive is the share of negatives with a lower score, ties counting half; that of a negative the
    share of positives with a higher one. Both have the mean AUROC.

    Args:
        scores: ``(n,)``, finite.
        positive: ``(n,)``, both classes.

    Returns:
        ``(n,)``: (placement - AUROC) divided by the number of images of the class; they sum to 0.

    >>> auroc_contributions(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    array([ 0.125, -0.125, -0.125,  0.125])
    """
    result = np.empty(len(scores))
    for own, sign in ((positive, 1), (~positive, -1)):
        others = np.sort(sign * scores[~own])
        below = np.searchsorted(others, sign * scores[own], "left")
        up_to = np.searchsorted(others, sign * scores[own], "right")
        placement = (below + up_to) / (2 * len(others))
        result[own] = (placement - placement.mean()) / len(placement)
    return result


def precision_contributions(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Floats:
    """Compute each image's contribution to the error of average precision: its derivative by the image's weight.

    With weights w, AP = Σ_i w_i y_i P(s_i) / Σ_i w_i y_i, where P(s) is the weighted share of positives among images
    with a score of at least s. A positive contributes its own precision and raises that of the positives below it; a
    negative lowers that of the positives below it. *Ours*, as an influence function (Hampel 1974).

    Args:
        scores: ``(n,)``, finite.
        positive: ``(n,)``, with at least one positive.

    Returns:
        ``(n,)``; they sum to 0.

    >>> precision_contributions(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])).round(3)
    array([-0.   , -0.111, -0.028,  0.139])
    """
    distinct, at = np.unique(-scores, return_inverse=True)  # from the highest score down
    y = positive.astype(float)
    hits = np.bincount(at, y, len(distinct))
    shown, tp = np.bincount(at, minlength=len(distinct)).cumsum(), hits.cumsum()
    precision = tp / shown
    m = y.sum()
    value = float((hits * precision).sum() / m)
    raising = (hits / shown)[::-1].cumsum()[::-1]  # Σ over positives at or below: 1/N
    lowering = (hits * tp / shown**2)[::-1].cumsum()[::-1]  # the same: TP/N²
    result: Floats = (y * (precision[at] - value + raising[at]) - lowering[at]) / m
    return result


def ranking_interval(
    value: float,
    contributions: Floats,
    positive: NDArray[np.bool_],
    codes: NDArray[np.int64],
    clusters: Clusters,
    level: float = LEVEL,
    *,
    bounded: bool = False,
) -> tuple[float, float]:
    """Compute the interval of AUROC or average precision over clusters, on the logit scale.

    A cluster's contribution is the sum of its images' (Obuchowski 1997 for AUROC: people may have images of both
    classes), with the correction CR2 by its share of each class, and Student's quantile with the effective number of
    clusters that decide as degrees of freedom. Where nothing varies, such as for an AUROC of 1, it is Wilson's interval
    of as many images as the class with fewer clusters has, effectively.

    Args:
        value: The figure.
        contributions: ``(n,)``.
        positive: ``(n,)``.
        codes: ``(n,)``: the images' clusters.
        clusters: All clusters, for their number.
        level: Confidence level.
        bounded: See ``total_interval``; True for AUROC.

    Returns:
        Lower and upper ends; NaN if all images belong to one cluster.
    """
    total, effective = cluster_totals(contributions, positive, codes, clusters.count, level)
    return total_interval(value, total, effective, len(np.unique(codes)), level, bounded=bounded)


def cluster_totals(
    contributions: Floats, positive: NDArray[np.bool_], codes: NDArray[np.int64], count: int, level: float = LEVEL
) -> tuple[Floats, float]:
    """Add up the contributions of images over clusters, with the correction CR2 by each cluster's share of each class.

    Args:
        contributions: ``(n,)``.
        positive: ``(n,)``, both classes.
        codes: ``(n,)``: the images' clusters.
        count: K.
        level: Confidence level of the interval that they are for.

    Returns:
        ``(K,)``, and the effective number of images of the class with fewer clusters.

    >>> contributions = auroc_contributions(np.array([0.1, 0.4, 0.35, 0.8]), positive := np.array([0, 0, 1, 1], bool))
    >>> cluster_totals(contributions, positive, np.arange(4), 4)[0].round(3)
    array([ 0.177, -0.177, -0.177,  0.177])
    """
    classes = [
        (
            np.bincount(codes[own], contributions[own], count).astype(float),
            np.bincount(codes[own], minlength=count).astype(float),
        )
        for own in (positive, ~positive)
    ]
    return class_totals(classes, level)


def class_totals(
    classes: Sequence[tuple[Floats, Floats]], level: float = LEVEL, *, independent: bool = False
) -> tuple[Floats, float]:
    """Join what clusters contribute in each of the two classes, as ``cluster_totals`` does.

    Args:
        classes: Of positives and of negatives: sums of contributions ``(K,)``, and numbers of images ``(K,)``.
        level: Confidence level of the interval that they are for.
        independent: True if clusters are groups of images that are independent of one another, so that the effective
            number is that of the images.

    Returns:
        As ``cluster_totals``.

    >>> one = np.ones(4)
    >>> class_totals([(np.array([0.1, -0.1, 0, 0]), one), (np.zeros(4), one)])[0].round(3)
    array([ 0.115, -0.115,  0.   ,  0.   ])
    """
    total, effective = np.zeros(len(classes[0][0])), np.inf
    for summed, sizes in classes:
        images = int(sizes.sum())
        share = sizes / max(images, 1)
        total += corrected(summed, share)
        people, kish = int((share > 0).sum()), 1 / float((share**2).sum())
        if independent:
            people, kish = images, float(images)
        fewer = effective_number(1.0, 0.0, 0.0, np.nan, images, people, kish, level)
        effective = min(effective, float(np.nan_to_num(fewer, nan=1.0)))
    return total, effective


def total_interval(
    value: float, total: Floats, effective: float, counted: int, level: float = LEVEL, *, bounded: bool = False
) -> tuple[float, float]:
    """Compute the interval of a ranking's figure from its clusters' contributions; see ``ranking_interval``.

    Args:
        value: The figure.
        total: ``(K,)``: of ``cluster_totals``, or a mean of such.
        effective: Effective number of images, for a figure that does not vary.
        counted: Number of clusters with an image.
        level: Confidence level.
        bounded: True for AUROC, whose variance is at most A(1 - A) over the number of images of the smaller class
            (Birnbaum and Klose 1957): its interval is never wider than Wilson's of that number. Where nearly all pairs
            are in order, a variance that was estimated from one or two clusters tells less than this bound.

    Returns:
        Lower and upper ends; NaN for fewer than two clusters.

    >>> [round(end, 2) for end in total_interval(0.9, np.array([0.05, -0.05, 0.03, -0.03]), 4, 4)]
    [0.33, 0.99]
    >>> [round(end, 2) for end in total_interval(0.99, np.array([0.02, -0.02, 0, 0]), 40, 4, bounded=True)]
    [0.89, 1.0]
    """
    if counted < 2:
        return np.nan, np.nan
    spread = Spread.of(total, counted)
    if not 0 < value < 1 or float(spread.error) < 1e-9:
        low, high = wilson(value, effective, level)
    else:
        low, high = logistic(np.asarray(value), spread, level)
        if bounded:
            least, most = wilson(value, effective, level)
            low, high = np.fmax(low, least), np.fmin(high, most)
    return float(low), float(high)
