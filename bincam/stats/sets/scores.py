"""Raw scores of a set of outputs: their log-odds, and the rank of the true output among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.one_of import true_outputs

Floats = NDArray[np.float64]


def check_set(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Read the scores and the true outputs of a set.

    Args:
        scores: ``(N, K)``.
        labels: ``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout.

    Returns:
        Scores as float64, and ``(N,)`` true outputs, -1 where unknown.

    Raises:
        InputError: The shapes differ, or a row has no true label or several.

    >>> check_set([[0.5, 2.0]], [[0, 1]])[1]
    array([1])
    """
    values = np.asarray(scores, np.float64)
    if values.shape != np.shape(labels):
        raise InputError(f"expected scores and labels of one shape (N, K), got {values.shape} and {np.shape(labels)}")
    return values, true_outputs(labels)


def log_odds(scores: ArrayLike) -> Floats:
    """Compute the log-odds of each output against the others: z_a = r_a - log Σ_{b≠a} exp r_b.

    The logistic function of z_a is the softmax probability of a. The greatest score of a row is subtracted first, so
    rows that differ by a constant have equal log-odds. The sum without the greatest output is never a difference, which
    would lose its digits.

    Args:
        scores: ``(N, K)``.

    Returns:
        ``(N, K)``; NaN in rows with a score that is not finite.

    >>> log_odds([[0.0, np.log(3.0)], [7.0, 7.0]]).round(3)
    array([[-1.099,  1.099],
           [ 0.   ,  0.   ]])
    """
    values = np.asarray(scores, np.float64)
    finite = np.asarray(np.isfinite(values).all(1))
    values = np.where(finite[:, None], values, 0.0)
    is_greatest = np.arange(values.shape[1]) == values.argmax(1)[:, None]
    below = values - values.max(1, keepdims=True)
    without = np.where(is_greatest, -np.inf, below)
    second = without.max(1, keepdims=True)  # subtracted too, so that the sum without the greatest does not underflow
    rest_of_greatest = np.exp(without - second).sum(1, keepdims=True)
    rest_of_others = 1.0 + np.exp(second) * rest_of_greatest - np.exp(without)  # at least 1
    z = np.where(is_greatest, 0.0 - second - np.log(rest_of_greatest), below - np.log(rest_of_others))
    return np.where(finite[:, None], z, np.nan)


def true_rank(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """Compute the rank of the true output: 0 if it is predicted; of equal scores the first output comes first.

    Args:
        scores: ``(N, K)``.
        labels: ``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout.

    Returns:
        ``(N,)``; NaN where the label is unknown or a score is not finite.

    Raises:
        InputError: The shapes differ, or a row has no true label or several.

    >>> true_rank([[0.1, 0.5, 0.5], [0.1, 0.5, 0.5]], [[0, 1, 0], [0, 0, 1]])
    array([0., 1.])
    """
    values, true = check_set(scores, labels)
    usable = (true >= 0) & np.isfinite(values).all(1)
    at = np.where(usable, true, 0)
    own = values[np.arange(len(values)), at][:, None]
    before = np.arange(values.shape[1]) < at[:, None]
    rank = ((values > own) | ((values == own) & before)).sum(1)
    return np.where(usable, rank, np.nan)


def is_in_top(scores: ArrayLike, labels: ArrayLike, k: int) -> Floats:
    """Find the images whose true output is among the k with the greatest scores.

    Args:
        scores: ``(N, K)``.
        labels: ``(N, K)``, as in ``true_rank``.
        k: From 1 to K; 1 is the predicted output.

    Returns:
        ``(N,)``: 1 or 0, NaN where undefined; its mean is the top-k accuracy.

    Raises:
        InputError: k is not from 1 to K, or as for ``true_rank``.

    >>> is_in_top([[0.1, 0.5, 0.3], [np.nan, 0.5, 0.3]], [[0, 0, 1], [0, 0, 1]], 2)
    array([ 1., nan])
    """
    rank = true_rank(scores, labels)
    outputs = np.shape(scores)[1]
    if not 1 <= k <= outputs:
        raise InputError(f"top-k accuracy of {outputs} outputs: k is 1 to {outputs}, got {k}")
    return np.where(np.isnan(rank), np.nan, rank < k)
