"""Decision thresholds that suit a purpose, found on validation data."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError, nearest

Criterion = Literal["balanced_error", "error", "f1"]


def tune(logits: ArrayLike, labels: ArrayLike, criterion: Criterion = "balanced_error") -> NDArray[np.float64]:
    """The threshold of each attribute that is best on these data, exactly.

    Thresholds halfway between neighbouring scores are tried, and those that call everything positive or everything
    negative. Among equally good ones the one nearest to 0 is taken.

    Args:
        logits: ``(N, A)``; NaN is left out.
        labels: ``(N, A)``: 1, 0 or NaN.
        criterion: What is made small (``balanced_error``, ``error``) or large (``f1``).

    Returns:
        ``(A,)`` in logit units; z >= t is positive. 0 where a class has no labelled image: nothing can be tuned there.

    Raises:
        InputError: Shapes differ, or an unknown criterion.
    """
    z, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    if z.ndim != 2 or z.shape != y.shape:
        raise InputError(f"expected logits and labels (N, A) of one shape, got {z.shape} and {y.shape}")
    if criterion not in get_args(Criterion):
        raise InputError(f"unknown criterion {criterion!r}{nearest(criterion, get_args(Criterion))}")
    known = ~np.isnan(z) & ~np.isnan(y)
    return np.array([_best(z[known[:, a], a], y[known[:, a], a], criterion) for a in range(z.shape[1])])


def _best(scores: NDArray[np.float64], labels: NDArray[np.float64], criterion: Criterion) -> float:
    positives = labels.sum()
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return 0.0
    distinct, place = np.unique(scores, return_inverse=True)
    of_positives = np.bincount(place, weights=labels, minlength=len(distinct))
    of_all = np.bincount(place, minlength=len(distinct))
    # Threshold k calls the scores before distinct[k] negative.
    fn = np.concatenate([[0.0], of_positives.cumsum()])
    tn = np.concatenate([[0], of_all.cumsum()]) - fn
    fp, tp = negatives - tn, positives - fn
    cost = {
        "balanced_error": fn * negatives + fp * positives,  # whole numbers, so that equally good ones compare equal
        "error": fn + fp,
        "f1": -2 * tp / (2 * tp + fp + fn),
    }[criterion]
    middles = distinct[:-1] / 2 + distinct[1:] / 2
    middles = np.where(middles > distinct[:-1], middles, distinct[1:])  # neighbours with no number in between
    thresholds = np.concatenate([distinct[:1], middles, [np.nextafter(distinct[-1], np.inf)]])
    best = np.flatnonzero(cost == cost.min())
    return float(thresholds[best[np.abs(thresholds[best]).argmin()]])
