"""Decision thresholds that suit a purpose, found on validation data."""

from __future__ import annotations

import warnings
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import BincamWarning, InputError, nearest

Criterion = Literal["balanced_error", "error", "f1", "prevalence"]


def tune(logits: ArrayLike, labels: ArrayLike, criterion: Criterion = "balanced_error") -> NDArray[np.float64]:
    """The threshold of each attribute that is best on these data, exactly.

    Thresholds halfway between neighbouring scores are tried, the least score (everything is called positive), and the
    number above the greatest (everything negative). Among equally good ones the one nearest to 0 is taken, and of two
    equally near the lower.

    Args:
        logits: ``(N, A)``; NaN is left out.
        labels: ``(N, A)``: 1, 0 or NaN.
        criterion: What is made small (``balanced_error``, ``error``) or large (``f1``); ``prevalence`` brings the share
            that is called positive as near as can be to the share of positives.

    Returns:
        ``(A,)`` in logit units; z >= t is positive. 0, with a warning, where a class has no labelled image: nothing can
        be tuned there.

    Raises:
        InputError: Shapes differ, a label is not 0, 1 or NaN, a logit is infinite, or an unknown criterion.
    """
    z, y = paired(logits, labels)
    if np.isinf(z).any():
        raise InputError(f"{np.isinf(z).sum()} of {z.size} logits are infinite; no threshold lies beyond them")
    if criterion not in get_args(Criterion):
        raise InputError(f"unknown criterion {criterion!r}{nearest(criterion, get_args(Criterion))}")
    known = ~np.isnan(z) & ~np.isnan(y)
    lacking = [a for a in range(z.shape[1]) for value in (0, 1) if not np.any(known[:, a] & (y[:, a] == value))]
    if lacking:
        text = ", ".join(str(a) for a in sorted(set(lacking)))
        warnings.warn(
            f"no images of one class, so the thresholds of attributes {text} (counted from 0) are left at 0",
            BincamWarning,
            stacklevel=2,
        )
    return np.array([_best(z[known[:, a], a], y[known[:, a], a], criterion) for a in range(z.shape[1])])


def paired(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logits and labels ``(N, A)`` as float64.

    Raises:
        InputError: They are not of one such shape, or a label is not 0, 1 or NaN.
    """
    z, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    if z.ndim != 2 or z.shape != y.shape:
        raise InputError(f"expected logits and labels (N, A) of one shape, got {z.shape} and {y.shape}")
    illegal = (y != 0) & (y != 1) & ~np.isnan(y)
    if illegal.any():
        row, attribute = (int(i[0]) for i in np.nonzero(illegal))
        raise InputError(
            f"label of row {row}, attribute {attribute} is {y[row, attribute]:g}; expected 0, 1 or NaN (unknown)"
        )
    return z, y


def by_score(
    scores: NDArray[np.float64], labels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct scores, rising, and how many positives and negatives have each; labels are 0 or 1."""
    distinct, place = np.unique(scores, return_inverse=True)
    of_all = np.bincount(place, minlength=len(distinct))
    of_positives = np.bincount(place[labels == 1], minlength=len(distinct))
    return distinct, of_positives, of_all - of_positives


def _best(scores: NDArray[np.float64], labels: NDArray[np.float64], criterion: Criterion) -> float:
    positives = labels.sum()
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return 0.0
    distinct, of_positives, of_negatives = by_score(scores, labels)
    # Threshold k calls the scores before distinct[k] negative.
    fn, tn = (np.concatenate([[0], held.cumsum()]) for held in (of_positives, of_negatives))
    fp, tp = negatives - tn, positives - fn
    cost = {
        "balanced_error": fn * negatives + fp * positives,  # whole numbers, so that equally good ones compare equal
        "error": fn + fp,
        "f1": -2 * tp / (2 * tp + fp + fn),
        "prevalence": np.abs(fp - fn),  # called positive, less positives
    }[criterion]
    middles = distinct[:-1] / 2 + distinct[1:] / 2
    middles = np.where(middles > distinct[:-1], middles, distinct[1:])  # neighbours with no number in between
    thresholds = np.concatenate([distinct[:1], middles, [np.nextafter(distinct[-1], np.inf)]])
    best = np.flatnonzero(cost == cost.min())
    return float(thresholds[best[np.abs(thresholds[best]).argmin()]])
