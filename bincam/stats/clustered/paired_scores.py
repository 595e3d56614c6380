"""Two scores of the same images, such as those of two poolings: which one ranks and decides better."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import is_positive
from bincam.errors import InputError
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clustered.delong import auroc_contributions, cluster_totals, precision_contributions
from bincam.stats.clustered.means import overall_means
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats
from bincam.stats.intervals import MOVER, gap, mean_of_two
from bincam.stats.outcomes import is_usable
from bincam.stats.proportions import shares
from bincam.stats.roc import ranking


@dataclass(frozen=True)
class ScoreComparison:
    """Figures of a second score of the same images, and what they are more than those of the first.

    Attributes:
        auroc: Of the second score.
        precision: Its average precision.
        balanced_error: Its mean of the two classes' error rates, at its threshold.
        auroc_gain: Second less first, paired.
        precision_gain: Likewise.
        balanced_error_gain: First less second, so that more is better here too.
    """

    auroc: Estimate
    precision: Estimate
    balanced_error: Estimate
    auroc_gain: Estimate
    precision_gain: Estimate
    balanced_error_gain: Estimate


def compare_scores(
    first: ArrayLike,
    second: ArrayLike,
    labels: ArrayLike,
    clusters: Clusters,
    *,
    thresholds: tuple[float, float],
    level: float = LEVEL,
) -> ScoreComparison:
    """Compare two scores of the same images, with paired intervals over clusters.

    Differences of AUROC and average precision have MOVER intervals with the correlation of what the clusters contribute
    to the two errors; those of the classes' error rates are of ``paired_shares``, joined in the same way. Scores that
    rank all images alike have no interval of their differences, because nothing says how often others differ.

    Args:
        first: ``(N,)``; images where a score is not finite are left out.
        second: ``(N,)``.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        thresholds: Of the first and the second score; a score of at least its threshold is positive.
        level: Confidence level.

    Raises:
        InputError: The shapes differ.

    Example:
        >>> from bincam.stats import Clusters
        >>> random = np.random.default_rng(0)
        >>> labels = np.repeat([1.0, 0.0], [60, 140])
        >>> noise = random.normal(size=200)
        >>> poor, good = labels + noise, labels + 0.5 * noise
        >>> result = compare_scores(poor, good, labels, Clusters.of([""] * 200), thresholds=(0.5, 0.5))
        >>> result.auroc_gain.value > 0, result.auroc_gain.low > 0, result.balanced_error_gain.low > 0
        (True, True, True)
    """
    one, other, y = (np.asarray(values, np.float64) for values in (first, second, labels))
    if not one.shape == other.shape == y.shape == clusters.codes.shape:
        shapes = ", ".join(str(values.shape) for values in (one, other, y, clusters.codes))
        raise InputError(f"expected two scores, labels and clusters of one shape (N,), got {shapes}")
    usable = is_usable(y, one) & is_usable(y, other)
    y = np.where(usable, y, np.nan)
    rankings = [ranking(score, y, clusters, level) for score in (one, other)]
    gains = [_ranking_gain(rankings, figure, (one, other), y, clusters, level) for figure in (0, 1)]
    wrong = [
        np.where(usable, is_positive(s, t) != (y > 0), np.nan) for s, t in zip((one, other), thresholds, strict=True)
    ]
    return ScoreComparison(
        auroc=rankings[1][0],
        precision=rankings[1][1],
        balanced_error=_balanced_error(wrong[1], y, clusters, level),
        auroc_gain=gains[0],
        precision_gain=gains[1],
        balanced_error_gain=_balanced_gain(wrong[0], wrong[1], y, clusters, level),
    )


def _ranking_gain(
    rankings: list[tuple[Estimate, Estimate]],
    figure: int,
    scores: tuple[Floats, Floats],
    labels: Floats,
    clusters: Clusters,
    level: float,
) -> Estimate:
    """The second score's AUROC (0) or average precision (1) less the first's."""
    first, second = rankings[0][figure], rankings[1][figure]
    if not (first.defined and second.defined):
        return replace(second, method=MOVER)
    kept = np.isfinite(labels)
    positive, codes = labels[kept] > 0, clusters.codes[kept]
    contributions = (auroc_contributions, precision_contributions)[figure]
    totals = [
        cluster_totals(contributions(s[kept], positive), positive, codes, clusters.count, level)[0] for s in scores
    ]
    joint = correlation(*totals)
    difference = gap(second, first, correlation=joint, identities=second.identities)
    difference = replace(difference, images=second.images)
    if np.allclose(totals[0], totals[1], rtol=0, atol=1e-12):
        return replace(difference, low=np.nan, high=np.nan, status="small")
    return difference


def _balanced_error(wrong: NDArray[np.floating], labels: Floats, clusters: Clusters, level: float) -> Estimate:
    """Half the sum of the two classes' shares of errors, between 0 and 1."""
    of_class = _by_class(wrong, labels)
    parts = shares(of_class, np.ones(of_class.shape, bool), clusters, level)
    return _of_both((parts.estimate(0), parts.estimate(1)), of_class, labels, clusters, level)


def _balanced_gain(
    first: NDArray[np.floating], second: NDArray[np.floating], labels: Floats, clusters: Clusters, level: float
) -> Estimate:
    """Half the sum of the two classes' differences of errors, first less second."""
    one, other = _by_class(first, labels), _by_class(second, labels)
    positive, negative = (paired_shares(one[:, k], other[:, k], clusters, level) for k in (0, 1))
    return _of_both((positive, negative), one - other, labels, clusters, level)


def _by_class(values: NDArray[np.floating], labels: Floats) -> Floats:
    """Values ``(N,)`` as columns of the positives and the negatives, ``(N, 2)``, NaN for the other class."""
    return np.stack([np.where(labels == label, values, np.nan) for label in (1.0, 0.0)], 1)


def _of_both(
    parts: tuple[Estimate, Estimate], of_class: Floats, labels: Floats, clusters: Clusters, level: float
) -> Estimate:
    """Half the sum of a figure of positives and of negatives, whose errors are correlated as their means are."""
    totals = overall_means(of_class, clusters, level=level).contributions[0]
    people = clusters.identities(np.isfinite(labels))
    identities = None if people is None else int(people)
    return mean_of_two(*parts, correlation=correlation(*totals.T), identities=identities)
