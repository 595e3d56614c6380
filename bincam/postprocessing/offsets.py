"""Offsets of the raw scores of a set, with which each output is predicted as often as it is true.

They answer for a set what a threshold answers for a yes-or-no attribute: would the same scores, decided otherwise, do?
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.one_of import true_outputs

Floats = NDArray[np.float64]
_SWEEPS = 50


def match_frequencies(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """Fit offsets b so that the argmax of r + b predicts every output as often as it is true.

    The offsets minimise the convex function f(b) = Σ_i max_a (r_ia + b_a) - Σ_a n_a b_a, whose slope is the number of
    predictions of each output less n_a, that of its images: the dual of assigning the images to the outputs with the
    largest total score. It is minimised along one coordinate after the other, where the best offset is the midpoint of
    the interval that gives output a exactly n_a images, for at most 50 rounds. The offsets with the smallest sum of
    differences are kept; ties between images, such as equal scores, may leave some. *Ours*, after the dual of optimal
    transport.

    Args:
        scores: ``(N, K)`` raw scores; rows with one that is not finite are left out.
        labels: ``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout; unknown rows are left out.

    Returns:
        ``(K,)`` with mean 0, in the units of the scores. NaN where an output has no image, because no offset gives a
        frequency of 0 that would hold for other images.

    Raises:
        InputError: The shapes differ, or a row has no true label or several.

    Example:
        The second output is predicted once, but true twice:

        >>> scores = np.array([[2.0, 0.0], [1.0, 0.0], [0.5, 0.0], [0.0, 1.0]])
        >>> labels = np.eye(2)[[0, 0, 1, 1]]
        >>> offsets = match_frequencies(scores, labels)
        >>> offsets, (scores + offsets).argmax(1)
        (array([-0.375,  0.375]), array([0, 0, 1, 1]))
    """
    values = np.asarray(scores, np.float64)
    if values.shape != np.shape(labels):
        raise InputError(f"expected scores and labels of one shape (N, K), got {values.shape} and {np.shape(labels)}")
    true = true_outputs(labels)
    usable = (true >= 0) & np.isfinite(values).all(1)
    r, K = values[usable] - values[usable].mean(1, keepdims=True), values.shape[1]
    wanted = np.bincount(true[usable], minlength=K)
    if not wanted.all():
        return np.full(K, np.nan)
    best = _swept(r, wanted)
    return np.asarray(best - best.mean(), np.float64)


def differences(scores: Floats, wanted: NDArray[np.integer]) -> int:
    """Count the predictions too many and too few: Σ_a |predictions of a - wanted_a|.

    >>> differences(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1, 1]))
    2
    """
    return int(np.abs(np.bincount(scores.argmax(1), minlength=scores.shape[1]) - wanted).sum())


def _swept(r: Floats, wanted: NDArray[np.integer]) -> Floats:
    """Set one offset after the other to the midpoint that gives its output the wanted number of images."""
    b = np.zeros(r.shape[1])
    best = b.copy()
    least = differences(r + b, wanted)
    for _ in range(_SWEEPS):
        if not least:
            break
        before = b.copy()
        for a in range(r.shape[1]):
            moved = r + b
            moved[:, a] = -np.inf
            needed = np.sort(moved.max(1) - r[:, a])  # a is predicted where its offset exceeds this
            n = int(wanted[a])
            b[a] = needed[-1] + 1 if n == len(r) else (needed[n - 1] + needed[n]) / 2
        if (left := differences(r + b, wanted)) < least:
            least, best = left, b.copy()
        if np.array_equal(b, before):
            break
    return best
