"""The decision rule: a logit at or above its threshold is positive.

Rooms that may not import one another (``cam``, ``stats``, ``postprocessing``) all decide by it, so it is below them.
The functions use operators alone, and take numpy arrays, torch tensors and numbers alike without importing torch.
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
    """Find the logits that can be decided: neither NaN nor infinite. Takes what ``is_positive`` takes."""
    return abs(logit) < math.inf


def check_scores(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read logits and labels ``(N, A)`` as float64.

    Raises:
        InputError: They are not of one such shape, or a label is not 0, 1 or NaN.
    """
    z, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    if z.ndim != 2 or z.shape != y.shape:
        raise InputError(f"expected logits and labels of one shape (N, A), got {z.shape} and {y.shape}")
    illegal = (y != 0) & (y != 1) & ~np.isnan(y)
    if illegal.any():
        row, attribute = (int(i[0]) for i in np.nonzero(illegal))
        raise InputError(
            f"label of row {row}, attribute {attribute} is {y[row, attribute]:g}; expected 0, 1 or NaN (unknown)"
        )
    return z, y


def count_by_score(
    scores: NDArray[np.floating], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]:
    """Count positives and negatives at every distinct score.

    Args:
        scores: ``(n,)``, not NaN.
        positive: ``(n,)``.

    Returns:
        The distinct scores in rising order, and how many positives and how many negatives have each.
    """
    distinct, place = np.unique(scores, return_inverse=True)
    images = np.bincount(place, minlength=len(distinct))
    positives = np.bincount(place[positive], minlength=len(distinct))
    return distinct, positives, images - positives
