"""AUROC and average precision from the numbers of images at each score, with intervals from sums by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.delong import class_totals, total_interval
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate, undefined
from bincam.stats.roc import of_ordered_counts


def binned_contributions(negatives: NDArray[np.integer], positives: NDArray[np.integer]) -> Floats:
    """Compute what an image contributes to the errors of AUROC and average precision, by its class and its bin.

    They are ``auroc_contributions`` and ``precision_contributions`` of scores that are equal within a bin.

    Args:
        negatives: ``(m,)``: number of negatives in each bin, from the lowest score up.
        positives: ``(m,)``: number of positives.

    Returns:
        ``(2, 2, m)``: of AUROC and average precision, of a negative and a positive; 0 where a class is empty.

    >>> found = binned_contributions(np.array([1, 0, 1, 0]), np.array([0, 1, 0, 1]))  # scores .1, .35, .4, .8
    >>> found[0, 0, [0, 2]].tolist(), found[1, 1, [1, 3]].round(3).tolist()
    ([0.125, -0.125], [-0.028, 0.139])
    """
    result = np.zeros((2, 2, len(negatives)))
    n, m = int(negatives.sum()), int(positives.sum())
    if not n or not m:
        return result
    below = (np.cumsum(negatives) - negatives + negatives / 2) / n
    above = (m - np.cumsum(positives) + positives / 2) / m
    area = float((positives * below).sum() / m)
    result[0, 1], result[0, 0] = (below - area) / m, (above - area) / n
    hits, shown = positives[::-1].astype(float), (positives + negatives)[::-1]
    n_at, tp = np.cumsum(shown), np.cumsum(hits)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(tp / n_at)
        raising = np.nan_to_num(hits / n_at)[::-1].cumsum()[::-1]
        lowering = np.nan_to_num(hits * tp / n_at.astype(float) ** 2)[::-1].cumsum()[::-1]
    value = float((hits * precision).sum() / m)
    result[1, 1] = ((precision - value + raising - lowering) / m)[::-1]
    result[1, 0] = (-lowering / m)[::-1]
    return result


def ranking_of_totals(
    counts: tuple[NDArray[np.integer], NDArray[np.integer]],
    contributions: Floats,
    sizes: Floats,
    *,
    known: bool,
    level: float = LEVEL,
) -> tuple[Estimate, Estimate]:
    """Estimate AUROC and average precision as ``roc.ranking`` does, of scores that are equal within a bin.

    Args:
        counts: Numbers of negatives and of positives in each bin, ``(m,)``, from the lowest score up.
        contributions: ``(K, 2, 2)``: sums over the images of each cluster of ``binned_contributions``, by figure and
            class.
        sizes: ``(K, 2)``: number of negatives and positives of each cluster.
        known: True if clusters are people; else they are groups of images that are independent of one another.
        level: Confidence level.

    Returns:
        As ``roc.ranking``.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> score, person = rng.normal(size=400).round(1), rng.integers(0, 50, 400)
        >>> positive = score + rng.normal(size=400) > 0
        >>> values, at = np.unique(score, return_inverse=True)
        >>> counts = [np.bincount(at[positive == side], minlength=len(values)) for side in (False, True)]
        >>> table = binned_contributions(*counts)
        >>> sums, sizes = np.zeros((50, 2, 2)), np.zeros((50, 2))
        >>> np.add.at(sums, person, table[:, positive.astype(int), at].T[:, :, None] * np.eye(2)[positive * 1][:, None])
        >>> np.add.at(sizes, (person, positive.astype(int)), 1)
        >>> binned = ranking_of_totals(counts, sums, sizes, known=True)
        >>> from bincam.stats import Clusters
        >>> from bincam.stats.roc import ranking
        >>> exact = ranking(score, positive.astype(float), Clusters(person, known=True))
        >>> [round(a.low - b.low, 9) == 0 == round(a.value - b.value, 9) for a, b in zip(binned, exact, strict=True)]
        [True, True]
    """
    negatives, positives = counts
    prefix = "clustered " if known else ""
    methods = f"logit, {prefix}DeLong", f"logit, {prefix}linearisation"
    images = [int(negatives.sum()), int(positives.sum())]
    people = int((sizes.sum(1) > 0).sum()) if known else None
    if min(images) == 0:
        return undefined(methods[0], sum(images), people), undefined(methods[1], sum(images), people)
    smaller = int(images[1] < images[0])
    few = int((sizes[:, smaller] > 0).sum()) if known else None
    counted = int((sizes.sum(1) > 0).sum())
    estimates = []
    for place, value in enumerate(of_ordered_counts(positives, negatives)):
        classes = [(contributions[:, place, side], sizes[:, side]) for side in (1, 0)]
        total, effective = class_totals(classes, level, independent=not known)
        low, high = total_interval(value, total, effective, counted, level, bounded=place == 0)
        of_smaller = estimate(value, low, high, min(images), few, methods[place])
        estimates.append(replace(of_smaller, images=sum(images), identities=people))
    return estimates[0], estimates[1]


def in_units(tables: Sequence[Floats] | Floats, bits: int) -> tuple[NDArray[np.int64], Floats]:
    """Express tables as whole numbers, so that sums of their entries do not depend on an order.

    Args:
        tables: Arrays of one shape.
        bits: The greatest entry of each becomes about 2 to this power.

    Returns:
        The tables stacked, and the unit of each.

    >>> whole, unit = in_units([np.array([0.5, -0.25])], 4)
    >>> whole.tolist(), (whole * unit[:, None]).tolist()
    ([[16, -8]], [[0.5, -0.25]])
    """
    most = [float(np.abs(table).max(initial=0.0)) for table in tables]
    units = np.array([2.0 ** (np.ceil(np.log2(one)) - bits) if one > 0 else 1.0 for one in most])
    return np.stack([np.rint(table / unit).astype(np.int64) for table, unit in zip(tables, units, strict=True)]), units
