"""Means over the outputs of a set, of rates of disjoint images and of one-against-rest AUROCs, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.contributions import Spread, corrected
from bincam.stats.clustered.delong import auroc_contributions, cluster_totals, total_interval
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate, is_small, undefined
from bincam.stats.intervals import effective_number, wilson
from bincam.stats.roc import auroc_and_precision

MEAN_RATE = "wilson, mean over outputs"


def mean_rate(
    wrong: NDArray[np.floating],
    true: NDArray[np.integer],
    outputs: Sequence[int],
    clusters: Clusters,
    level: float = LEVEL,
) -> Estimate:
    """Estimate the mean over outputs of the share of their images that is wrong, such as the mean miss rate.

    Every output has the same weight, however few its images. Outputs without an image are left out. The interval is
    Wilson's, of the number of images that would give one proportion the variance of the mean. The variance adds up what
    each cluster contributes over all outputs, with the correction CR2, and is at least that of independent images, in
    which the rate of an output with x of n images wrong counts as (x + 1)/(n + 2): a rate of 0 in ten images is no
    certainty. Where no image or every image is wrong, the number is the effective one by size, the harmonic mean over
    outputs times their number. *Ours*, after ``effective_number``.

    Args:
        wrong: ``(N,)``: 1 or 0; NaN where undefined.
        true: ``(N,)``: index of the true output; negative where unknown.
        outputs: The outputs to average.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        The mean; undefined if no output has an image, small if one of them has too few images or clusters.

    Example:
        >>> from bincam.stats import Clusters
        >>> true, wrong = np.repeat([0, 1], [900, 100]), np.repeat([0.0, 1.0, 0.0, 1.0], [810, 90, 50, 50])
        >>> mean = mean_rate(wrong, true, [0, 1], Clusters.of([""] * 1000))
        >>> round(mean.value, 2), round(mean.low, 2), round(mean.high, 2), mean.method
        (0.3, 0.25, 0.35, 'wilson, mean over outputs')
    """
    usable = np.isfinite(wrong) & np.isin(true, np.asarray(list(outputs), np.int64))
    members = [a for a in outputs if (usable & (true == a)).any()]
    people = clusters.identities(usable)
    identities, images = None if people is None else int(people), int(usable.sum())
    if not members:
        return undefined(MEAN_RATE, images, identities)
    count = clusters.count
    total, value, simple, per_image, per_cluster, per_kish = np.zeros(count), 0.0, 0.0, 0.0, 0.0, 0.0
    small = False
    for a in members:
        own = np.flatnonzero(usable & (true == a))
        sizes = np.bincount(clusters.codes[own], minlength=count).astype(float)
        hits = np.bincount(clusters.codes[own], wrong[own], count)
        n, present = len(own), int((sizes > 0).sum())
        rate, share = float(hits.sum() / n), sizes / n
        value += rate
        total += np.nan_to_num(corrected((hits - rate * sizes) / n, share))
        likely = (hits.sum() + 1) / (n + 2)
        simple += float(likely * (1 - likely)) / n
        per_image, per_cluster = per_image + 1 / n, per_cluster + 1 / present
        per_kish += float((share**2).sum())
        small |= bool(is_small(n, present if clusters.known else None))
    m = len(members)
    value, simple = min(value / m, 1.0), simple / m**2
    present = len(np.unique(clusters.codes[usable]))
    spread = Spread.of(total / m, present)
    if clusters.known:
        about = m**2 / per_image, m**2 / per_cluster, m**2 / per_kish
        number = effective_number(value, float(spread.error) ** 2, simple, float(spread.freedom), *about, level)
    else:
        number = np.asarray(value * (1 - value) / simple if 0 < value < 1 else m**2 / per_image)
    low, high = wilson(value, number, level)
    result = estimate(value, float(low), float(high), images, identities, MEAN_RATE)
    return replace(result, status="small") if small and result.defined else result


def macro_auroc(
    log_odds: Floats, true: NDArray[np.integer], clusters: Clusters, level: float = LEVEL
) -> tuple[Estimate, list[Estimate]]:
    """Estimate the AUROC of each output's log-odds, one against the rest, and their mean.

    The interval of the mean is that of one AUROC (``clustered.delong``), of the mean of what each cluster contributes
    to the AUROCs of all outputs, because they share the images.

    Args:
        log_odds: ``(N, K)``; NaN where undefined.
        true: ``(N,)``: index of the true output; negative where unknown.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        The mean over the outputs that some images have and others have not, and each output's AUROC.

    Example:
        >>> from bincam.stats import Clusters
        >>> rng = np.random.default_rng(0)
        >>> true = rng.integers(0, 3, 300)
        >>> mean, each = macro_auroc(rng.normal(size=(300, 3)) + np.eye(3)[true], true, Clusters.of([""] * 300))
        >>> round(mean.value, 2), round(mean.low, 2), round(mean.high, 2), len(each)
        (0.73, 0.69, 0.77, 3)
    """
    usable = np.flatnonzero((true >= 0) & np.isfinite(log_odds).all(1))
    z, y, codes = log_odds[usable], true[usable], clusters.codes[usable]
    people = clusters.identities(np.isin(np.arange(len(true)), usable))
    identities, counted = None if people is None else int(people), len(np.unique(codes))
    method = f"logit, {'clustered ' if clusters.known else ''}DeLong"
    each: list[Estimate] = []
    sum_of_totals, least, values = np.zeros(clusters.count), np.inf, []
    for a in range(log_odds.shape[1]):
        positive = y == a
        if not positive.any() or positive.all():
            each.append(undefined(method, len(usable), identities))
            continue
        value = auroc_and_precision(z[:, a], positive)[0]
        total, effective = cluster_totals(
            auroc_contributions(z[:, a], positive), positive, codes, clusters.count, level
        )
        ends = total_interval(value, total, effective, counted, level)
        fewer = positive if 2 * positive.sum() <= len(y) else ~positive
        known = len(np.unique(codes[fewer])) if clusters.known else None
        small = bool(is_small(int(fewer.sum()), known))
        of_output = estimate(value, *ends, len(usable), identities, method)
        each.append(replace(of_output, status="small") if small else of_output)
        values.append(value)
        sum_of_totals, least = sum_of_totals + total, min(least, effective)
    of_mean = f"{method}, mean over outputs"
    if not values:
        return undefined(of_mean, len(usable), identities), each
    ends = total_interval(float(np.mean(values)), sum_of_totals / len(values), least, counted, level)
    mean = estimate(float(np.mean(values)), *ends, len(usable), identities, of_mean)
    return (replace(mean, status="small") if any(auroc.small for auroc in each) else mean), each
