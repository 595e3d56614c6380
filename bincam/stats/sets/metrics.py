"""Metrics of a set of outputs, without intervals: from whole counts and one sort per output. Training uses these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.one_of import predicted_outputs, rarer_than_even
from bincam.stats.roc import auroc_and_precision
from bincam.stats.sets.scores import check_set, log_odds

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SetMetrics:
    """Metrics of a set of K outputs in one split; NaN where undefined.

    Means over outputs leave out those without an image, whose rate is undefined; ``defined`` counts the others.

    Attributes:
        n: Labelled images with finite scores.
        undefined: Labelled images with a score that is not finite; they are left out.
        defined: Outputs with an image.
        confusion: ``(K, K)``: images of the row's output that were predicted to be the column's.
        miss_rate: ``(K,)``: share of an output's images that was predicted to be another.
        false_alarm_rate: ``(K,)``: share of the other images that was predicted to be this output.
        auroc: ``(K,)``: area under the receiver operating characteristic of an output's log-odds, one against the rest.
        accuracy: Share that is predicted correctly.
        balanced_accuracy: One less the mean miss rate.
        macro_auroc: Mean of ``auroc``.
        minority_error: Mean miss rate of the outputs that are rarer than one in K in training.
        majority_error: Mean miss rate of the others.
        majority_baseline: Accuracy of always predicting the output that is most frequent in training.
        baseline_removed: Share of that baseline's error that the model removes; negative where it is worse.

    Example:
        ``evaluate_set`` computes them.

        >>> scores, labels = [[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [3.0, 0.0, 0.0]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        >>> metrics = evaluate_set(scores, labels, train_images=[70, 20, 10])
        >>> metrics.confusion.tolist(), metrics.minority_error, metrics.majority_error
        ([[1, 0, 0], [0, 1, 0], [1, 0, 0]], 0.5, 0.0)
    """

    n: int
    undefined: int
    defined: int
    confusion: Integers
    miss_rate: Floats
    false_alarm_rate: Floats
    auroc: Floats
    accuracy: float
    balanced_accuracy: float
    macro_auroc: float
    minority_error: float
    majority_error: float
    majority_baseline: float
    baseline_removed: float


def confusion_counts(scores: ArrayLike, labels: ArrayLike) -> Integers:
    """Count the images of each true output (rows) by their predicted output (columns).

    Args:
        scores: ``(N, K)``; rows with a score that is not finite are left out.
        labels: ``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout; unknown rows are left out.

    Returns:
        ``(K, K)``.

    Raises:
        InputError: The shapes differ, or a row has no true label or several.

    >>> confusion_counts([[1.0, 1.0], [0.0, 2.0], [np.nan, 2.0]], [[0, 1], [0, 1], [0, 1]])
    array([[0, 0],
           [1, 1]])
    """
    values, true = check_set(scores, labels)
    predicted, K = predicted_outputs(values), values.shape[1]
    usable = (true >= 0) & (predicted >= 0)
    return np.bincount(true[usable] * K + predicted[usable], minlength=K * K).reshape(K, K)


def evaluate_set(scores: ArrayLike, labels: ArrayLike, train_images: ArrayLike) -> SetMetrics:
    """Compute the metrics of a set in one split.

    Args:
        scores: ``(N, K)`` raw scores r; the predicted output is the greatest, the first of equals.
        labels: ``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout.
        train_images: ``(K,)``: training images of each output, which determine the minority: outputs rarer than 1/K.

    Raises:
        InputError: Shapes or numbers of outputs differ, or a row has no true label or several.

    Example:
        >>> labels = np.eye(3)[[0, 0, 1, 2]]
        >>> metrics = evaluate_set(np.zeros((4, 3)), labels, train_images=[2, 1, 1])  # all scores equal: the first
        >>> metrics.accuracy, round(metrics.balanced_accuracy, 3), metrics.macro_auroc
        (0.5, 0.333, 0.5)
    """
    values, true = check_set(scores, labels)
    K = values.shape[1]
    trained = np.asarray(train_images)
    if trained.shape != (K,):
        raise InputError(f"a set of {K} outputs has training counts of shape {(K,)}, got {trained.shape}")
    table = confusion_counts(values, labels)
    images, predicted, hits = table.sum(1), table.sum(0), table.diagonal()
    n = int(images.sum())
    miss_rate = _share(images - hits, images)
    rare = rarer_than_even(trained)
    accuracy = _mean(hits.sum(), n)
    baseline = _mean(images[int(trained.argmax())], n)
    auroc = one_against_rest(values, true)
    return SetMetrics(
        n=n,
        undefined=int((true >= 0).sum()) - n,
        defined=int((images > 0).sum()),
        confusion=table,
        miss_rate=miss_rate,
        false_alarm_rate=_share(predicted - hits, n - images),
        auroc=auroc,
        accuracy=accuracy,
        balanced_accuracy=1 - mean_of_defined(miss_rate),
        macro_auroc=mean_of_defined(auroc),
        minority_error=mean_of_defined(miss_rate[rare]),
        majority_error=mean_of_defined(miss_rate[~rare]),
        majority_baseline=baseline,
        baseline_removed=(accuracy - baseline) / (1 - baseline) if baseline < 1 else np.nan,
    )


def one_against_rest(scores: ArrayLike, true: NDArray[np.int64]) -> Floats:
    """Compute the AUROC of each output's log-odds, one against the rest.

    Raw scores are no ranking of images, because a constant added to all scores of one image changes no probability.

    Args:
        scores: ``(N, K)`` raw scores; rows with one that is not finite are left out.
        true: ``(N,)`` true outputs, -1 where unknown.

    Returns:
        ``(K,)``; NaN for an output that no image or every image has.

    >>> one_against_rest([[9.0, 8.0], [0.0, 1.0], [5.0, 4.0]], np.array([0, 1, 1]))
    array([0.75, 0.75])
    """
    z = log_odds(scores)
    usable = (true >= 0) & np.isfinite(z).all(1)
    return np.array([auroc_and_precision(z[usable, a], true[usable] == a)[0] for a in range(z.shape[1])])


def mean_of_defined(values: Floats) -> float:
    """Compute the mean of the values that are not NaN; NaN if there is none.

    >>> mean_of_defined(np.array([0.2, np.nan, 0.4])).__round__(3)
    0.3
    """
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _share(part: Integers, whole: Integers) -> Floats:
    result: Floats = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=result, where=np.asarray(whole) > 0)
    return result


def _mean(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
