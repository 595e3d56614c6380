"""Decision thresholds that optimise a criterion on validation data."""

from __future__ import annotations

import warnings
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import check_scores, count_by_score
from bincam.errors import BincamWarning, InputError, nearest

Criterion = Literal["balanced_error", "error", "f1", "prevalence"]


def tune(logits: ArrayLike, labels: ArrayLike, criterion: Criterion = "balanced_error") -> NDArray[np.float64]:
    """Compute the threshold of each attribute that optimises a criterion on these data, exactly.

    Candidates are the midpoints between neighbouring scores, the smallest score (everything is predicted positive), and
    the next number above the largest (everything negative). Of equally good thresholds the one nearest to 0 is taken,
    then the lower one.

    Args:
        logits: ``(N, A)``; NaN is left out.
        labels: ``(N, A)``: 1, 0 or NaN.
        criterion: What is minimised (``balanced_error``, ``error``) or maximised (``f1``); ``prevalence`` matches the
            share of predicted positives to the share of positives as closely as possible.

    Returns:
        ``(A,)`` in logit units; z >= t is predicted positive. 0, with a warning, where a class has no labelled image.

    Raises:
        InputError: The shapes differ, a label is not 0, 1 or NaN, a logit is infinite, or the criterion is unknown.

    Example:
        >>> logits = [[-3.0], [-2.5], [-2.0], [-1.0], [-0.5]]
        >>> labels = [[0], [0], [0], [1], [1]]
        >>> tune(logits, labels)
        array([-1.5])
    """
    z, y = check_scores(logits, labels)
    if np.isinf(z).any():
        raise InputError(f"{np.isinf(z).sum()} of {z.size} logits are infinite; no threshold can exceed them")
    if criterion not in get_args(Criterion):
        raise InputError(f"unknown criterion {criterion!r}{nearest(criterion, get_args(Criterion))}")
    usable = ~np.isnan(z) & ~np.isnan(y)
    lacking = [a for a in range(z.shape[1]) for value in (0, 1) if not np.any(usable[:, a] & (y[:, a] == value))]
    if lacking:
        text = ", ".join(str(a) for a in sorted(set(lacking)))
        warnings.warn(
            f"a class has no images, so the thresholds of attributes {text} (counted from 0) remain 0",
            BincamWarning,
            stacklevel=2,
        )
    return np.array([_best(z[usable[:, a], a], y[usable[:, a], a], criterion) for a in range(z.shape[1])])


def _best(scores: NDArray[np.float64], labels: NDArray[np.float64], criterion: Criterion) -> float:
    positives = labels.sum()
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return 0.0
    distinct, of_positives, of_negatives = count_by_score(scores, labels == 1)
    # Threshold k calls the scores before distinct[k] negative.
    fn, tn = (np.concatenate([[0], counts.cumsum()]) for counts in (of_positives, of_negatives))
    fp, tp = negatives - tn, positives - fn
    cost = {
        "balanced_error": fn * negatives + fp * positives,  # integers, so that ties compare equal
        "error": fn + fp,
        "f1": -2 * tp / (2 * tp + fp + fn),
        "prevalence": np.abs(fp - fn),  # predicted positives minus positives
    }[criterion]
    middles = distinct[:-1] / 2 + distinct[1:] / 2
    middles = np.where(middles > distinct[:-1], middles, distinct[1:])  # neighbours without a number in between
    thresholds = np.concatenate([distinct[:1], middles, [np.nextafter(distinct[-1], np.inf)]])
    best = np.flatnonzero(cost == cost.min())
    return float(thresholds[best[np.abs(thresholds[best]).argmin()]])
