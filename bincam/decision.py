"""The decision rule: a logit at or above its threshold is positive.

It is below all rooms, because ``cam``, ``stats`` and ``postprocessing`` use it and may not import one another. The
functions use operators only, so they take numpy arrays, torch tensors and numbers without importing torch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError


def is_positive(logit: Any, threshold: Any) -> Any:
    """Decide ``z >= t``.

    Args:
        logit: z: an array, a tensor or a number.
        threshold: t, in logit units; it is broadcast against the logits.

    Returns:
        Booleans of the broadcast shape; False where either is NaN.

    >>> is_positive(np.array([-1.0, 0.5, 2.0]), 0.5).tolist()
    [False, True, True]
    """
    return logit >= threshold


def is_finite(logit: Any) -> Any:
    """Find the logits that can be decided: neither NaN nor infinite. Takes the types that ``is_positive`` takes.

    >>> is_finite(np.array([0.5, np.nan, -np.inf])).tolist()
    [True, False, False]
    """
    return abs(logit) < math.inf


def check_scores(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read logits and labels ``(N, A)`` as float64.

    Raises:
        InputError: Their shapes differ or are not two-dimensional, or a label is not 0, 1 or NaN.
    """
    z, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    if z.ndim != 2 or z.shape != y.shape:
        raise InputError(f"expected logits and labels of one shape (N, A), got {z.shape} and {y.shape}")
    check_labels(y)
    return z, y


def check_labels(labels: ArrayLike) -> NDArray[np.float64]:
    """Read labels ``(N,)`` or ``(N, A)`` as float64.

    Raises:
        InputError: A label is not 0, 1 or NaN.

    >>> check_labels([0, 1]).tolist()
    [0.0, 1.0]
    """
    y = np.asarray(labels, np.float64)
    invalid = (y != 0) & (y != 1) & ~np.isnan(y)
    if invalid.any():
        row, *attribute = (int(i[0]) for i in np.nonzero(invalid))
        of = f", attribute {attribute[0]}" if attribute else ""
        raise InputError(f"label of row {row}{of} is {y[invalid][0]:g}; expected 0, 1 or NaN (unknown)")
    return y


def count_by_score(
    scores: NDArray[np.floating], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]:
    """Count positives and negatives at every distinct score.

    Args:
        scores: ``(n,)``, not NaN.
        positive: ``(n,)``.

    Returns:
        The distinct scores in ascending order, and the numbers of positives and of negatives with each.

    >>> count_by_score(np.array([0.2, 0.7, 0.2]), np.array([True, True, False]))
    (array([0.2, 0.7]), array([1, 1]), array([1, 0]))
    """
    distinct, place = np.unique(scores, return_inverse=True)
    images = np.bincount(place, minlength=len(distinct))
    positives = np.bincount(place[positive], minlength=len(distinct))
    return distinct, positives, images - positives
