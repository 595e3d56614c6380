"""Estimates of a set of outputs: accuracies, misses, false alarms, AUROC and confusion, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.one_of import predicted_outputs, rarer_than_even
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.proportions import Shares, shares
from bincam.stats.sets.mean_rates import macro_auroc, mean_rate
from bincam.stats.sets.metrics import confusion_counts
from bincam.stats.sets.scores import check_set, is_in_top, log_odds


@dataclass(frozen=True)
class SetEstimates:
    """Estimates of a set of K outputs.

    Attributes:
        accuracy: Share of images whose true output is predicted.
        balanced_accuracy: One less the mean miss rate over outputs.
        macro_auroc: Mean over outputs of ``auroc``.
        minority_error: Mean miss rate of the outputs that are rarer than one in K in training.
        majority_error: Mean miss rate of the others.
        miss_rate: Per output, share of its images that is predicted to be another.
        false_alarm_rate: Per output, share of the other images that is predicted to be it.
        auroc: Per output, area under the ROC curve of its log-odds, one against the rest.
        confusion: ``(K, K)``: images of the row's output that were predicted to be the column's.
        unknown: Images without a label.
        undefined: Labelled images with a score that is not finite; they are left out.
    """

    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_auroc: Estimate
    minority_error: Estimate
    majority_error: Estimate
    miss_rate: tuple[Estimate, ...]
    false_alarm_rate: tuple[Estimate, ...]
    auroc: tuple[Estimate, ...]
    confusion: NDArray[np.int64]
    unknown: int
    undefined: int


def estimate_set(
    scores: ArrayLike,
    labels: ArrayLike,
    train_images: ArrayLike,
    clusters: Clusters,
    level: float = LEVEL,
) -> SetEstimates:
    """Estimate how well a set is predicted, with intervals that account for clusters.

    Proportions have Wilson's interval of the effective number of images, means over outputs that of ``mean_rate``, and
    AUROCs that of ``macro_auroc``. An image with one score that is not finite is left out of everything and counted.

    Args:
        scores: ``(N, K)`` raw scores; the predicted output is the greatest, the first of equals.
        labels: ``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout.
        train_images: ``(K,)``: training images of each output, which determine the minority.
        clusters: Clusters of the N images.
        level: Confidence level.

    Raises:
        InputError: Shapes or numbers of outputs differ, or a row has no true label or several.

    Example:
        >>> from bincam.stats import Clusters
        >>> rng = np.random.default_rng(0)
        >>> true = rng.choice(3, 600, p=[0.7, 0.2, 0.1])
        >>> scores = rng.normal(size=(600, 3)) + 1.5 * np.eye(3)[true] + [1.0, 0.0, 0.0]
        >>> result = estimate_set(scores, np.eye(3)[true], [700, 200, 100], Clusters.of([""] * 600))
        >>> [round(x, 2) for x in (result.accuracy.value, result.balanced_accuracy.value, result.minority_error.value)]
        [0.8, 0.7, 0.4]
    """
    values, true = check_set(scores, labels)
    K = values.shape[1]
    trained = np.asarray(train_images)
    if trained.shape != (K,):
        raise InputError(f"a set of {K} outputs has training counts of shape {(K,)}, got {trained.shape}")
    predicted = predicted_outputs(values)
    usable = (true >= 0) & (predicted >= 0)
    wrong = np.where(usable, predicted != true, np.nan)
    is_true = true[:, None] == np.arange(K)
    is_predicted = np.where(usable[:, None], predicted[:, None] == np.arange(K), np.nan)
    misses = shares(np.where(usable[:, None], 1 - is_predicted, np.nan), is_true & usable[:, None], clusters, level)
    alarms = shares(is_predicted, ~is_true & usable[:, None], clusters, level)
    rare = rarer_than_even(trained)
    macro, each = macro_auroc(log_odds(values), true, clusters, level)
    return SetEstimates(
        accuracy=complement(shares(wrong, usable, clusters, level).estimate()),
        balanced_accuracy=complement(mean_rate(wrong, true, range(K), clusters, level)),
        macro_auroc=macro,
        minority_error=mean_rate(wrong, true, np.flatnonzero(rare).tolist(), clusters, level),
        majority_error=mean_rate(wrong, true, np.flatnonzero(~rare).tolist(), clusters, level),
        miss_rate=tuple(misses.estimate(a) for a in range(K)),
        false_alarm_rate=tuple(alarms.estimate(a) for a in range(K)),
        auroc=tuple(each),
        confusion=confusion_counts(values, labels),
        unknown=int((true < 0).sum()),
        undefined=int(((true >= 0) & ~usable).sum()),
    )


def confusion_shares(scores: ArrayLike, labels: ArrayLike, clusters: Clusters, level: float = LEVEL) -> Shares:
    """Estimate the share of each true output's images that is predicted to be each output.

    Args:
        scores: ``(N, K)``, as for ``estimate_set``.
        labels: ``(N, K)``.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        Arrays ``(K, K)``, rows true and columns predicted; a row sums to 1, or is NaN where an output has no image.

    Raises:
        InputError: The shapes differ, or a row has no true label or several.

    Example:
        >>> from bincam.stats import Clusters
        >>> shown = confusion_shares(np.eye(2)[[0, 1, 1, 1]], np.eye(2)[[0, 0, 1, 1]], Clusters.of([""] * 4))
        >>> shown.value, shown.images
        (array([[0.5, 0.5],
               [0. , 1. ]]), array([[2, 2],
               [2, 2]]))
    """
    values, true = check_set(scores, labels)
    K, predicted = values.shape[1], predicted_outputs(values)
    usable = (true >= 0) & (predicted >= 0)
    is_predicted = np.where(usable[:, None], predicted[:, None] == np.arange(K), np.nan)
    rows = [
        shares(is_predicted, np.repeat((usable & (true == a))[:, None], K, axis=1), clusters, level) for a in range(K)
    ]

    def stacked(name: str) -> NDArray[np.float64]:
        return np.stack([getattr(row, name) for row in rows])

    identities = None if rows[0].identities is None else stacked("identities").astype(np.int64)
    images = stacked("images").astype(np.int64)
    return Shares(stacked("value"), stacked("low"), stacked("high"), images, identities, rows[0].method)


def top_k_accuracy(scores: ArrayLike, labels: ArrayLike, k: int, clusters: Clusters, level: float = LEVEL) -> Estimate:
    """Estimate the share of images whose true output is among the k with the greatest scores.

    Args:
        scores: ``(N, K)``, as for ``estimate_set``.
        labels: ``(N, K)``.
        k: From 1 to K; of equal scores the first outputs count.
        clusters: Clusters of the N images.
        level: Confidence level.

    Raises:
        InputError: k is not from 1 to K, the shapes differ, or a row has no true label or several.

    Example:
        >>> from bincam.stats import Clusters
        >>> top = top_k_accuracy([[3.0, 2.0, 1.0]] * 30, np.eye(3)[np.arange(30) % 3], 2, Clusters.of([""] * 30))
        >>> round(top.value, 2), round(top.low, 2), round(top.high, 2)
        (0.67, 0.49, 0.81)
    """
    hits = is_in_top(scores, labels, k)
    return shares(hits, np.isfinite(hits), clusters, level).estimate()


def complement(error: Estimate) -> Estimate:
    """Return one less an estimate, with its interval.

    >>> complement(Estimate(0.25, 0.1, 0.5, 30, None, "ok", "wilson")).low
    0.5
    """
    return replace(error, value=1 - error.value, low=1 - error.high, high=1 - error.low)
