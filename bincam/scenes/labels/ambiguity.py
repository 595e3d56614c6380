"""How often sets of labels can hold a label of the rule ``one``, in closed form.

A label drawn uniformly among the k shapes of a scene is each of these with probability 1/k. The best sets of K labels
on average take labels in descending order of probability (Lorieul, Joly and Shasha 2021, arXiv 2112.08851): first all
of the scenes with fewest shapes. The best top-K sets take K labels of every scene.

With three, four and five shapes in a third of the scenes each there are on average 1 label with probability 1/3, 4/3
with 1/4, and 5/3 with 1/5, so the best average-K accuracy is

    K/3                          for 0 ≤ K ≤ 1
    1/3 + (K - 1)/4              for 1 ≤ K ≤ 7/3
    2/3 + (K - 7/3)/5            for 7/3 ≤ K ≤ 4
    1                            for K ≥ 4

and the best top-K accuracy (min(K/3, 1) + min(K/4, 1) + min(K/5, 1))/3. At K = 2 these are .583 and .522. Between the
corners, at 1, 7/3 and 4, a part of equally probable labels is kept, at random.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.scenes.labels.subsets import COUNTS


def best_average_k_accuracy(size: float, present: ArrayLike | None = None) -> float:
    """Return the best expected share of scenes whose label is in a set, for sets of a mean size.

    Args:
        size: K, the mean number of labels, not negative.
        present: (N, S) bool: the shapes in each scene; None for the expectation over scenes.

    Raises:
        InputError: The size is negative, or a scene shows nothing.

    Example:
        >>> from bincam import scenes
        >>> [round(scenes.best_average_k_accuracy(size), 3) for size in (1, 1.5, 2, 7 / 3, 3, 4)]
        [0.333, 0.458, 0.583, 0.667, 0.8, 1.0]
    """
    if not size >= 0:
        raise InputError(f"a mean size of {size:g} labels; expected 0 or more")
    counts, shares = _counts(present)
    labels = np.cumsum(counts * shares)  # as many, on average, as the scenes with up to so many shapes have
    return float(np.interp(size, np.concatenate([[0.0], labels]), np.concatenate([[0.0], np.cumsum(shares)])))


def best_top_k_accuracy(k: int, present: ArrayLike | None = None) -> float:
    """Return the best expected share of scenes whose label is among k labels.

    Args:
        k: Not negative.
        present: (N, S) bool, as for ``best_average_k_accuracy``.

    Raises:
        InputError: k is negative or no whole number, or a scene shows nothing.

    Example:
        >>> from bincam import scenes
        >>> [round(scenes.best_top_k_accuracy(k), 3) for k in (1, 2, 3, 4, 5)]
        [0.261, 0.522, 0.783, 0.933, 1.0]
    """
    if not (k >= 0 and k % 1 == 0):
        raise InputError(f"the {k} best labels; expected a whole number that is not negative")
    counts, shares = _counts(present)
    return float((shares * np.minimum(k / counts, 1)).sum())


def _counts(present: ArrayLike | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count shapes: the numbers that occur, ascending, and the share of scenes with each."""
    if present is None:
        return np.array(COUNTS), np.full(len(COUNTS), 1 / len(COUNTS))
    shown = np.asarray(present)
    if shown.ndim != 2 or not len(shown) or not np.isin(shown, (0, 1)).all() or not (shown == 1).any(1).all():
        raise InputError("expected present (N, S) of 0 and 1, of scenes that each show at least one shape")
    counts, scenes = np.unique((shown == 1).sum(1), return_counts=True)
    return counts.astype(np.int64), scenes / scenes.sum()
