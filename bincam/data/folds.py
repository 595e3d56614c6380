"""Cross-validation folds that keep each identity in one fold and, where possible, every class in every fold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError


def assign(labels: NDArray[np.float32], groups: NDArray[np.str_], k: int, *, seed: int = 0) -> NDArray[np.intp]:
    """Assign every row to a fold such that no group is in two folds.

    Greedy iterative stratification (Sechidis et al. 2011) of groups instead of rows: of the classes (two per attribute)
    take the one that the fewest unassigned groups contain, and assign the group with most rows of that class to the
    fold that lacks most of it; ties go to the fold that lacks most rows.

    Args:
        labels: ``(N, A)``: 1, 0, or NaN, which belongs to no class.
        groups: ``(N,)``; ``""`` means unknown, and such a row forms a group of its own.
        k: Number of folds.
        seed: Seed of the order of groups that are otherwise equal.

    Returns:
        ``(N,)`` folds 0 to k - 1.

    Raises:
        InputError: k is below 2 or above the number of groups.

    Example:
        >>> import numpy as np
        >>> from bincam.data.folds import assign
        >>> fold = assign(np.eye(6, 1), np.array(["ann", "ann", "ben", "ben", "cy", "cy"]), 3)
        >>> bool((fold[::2] == fold[1::2]).all()), np.bincount(fold).tolist()
        (True, [2, 2, 2])
    """
    alone = np.char.add("\0", np.arange(len(groups)).astype(np.str_))
    _, group = np.unique(np.where(groups == "", alone, groups), return_inverse=True)
    n_groups = int(group.max()) + 1 if len(group) else 0
    if not 2 <= k <= n_groups:
        raise InputError(f"the number of folds of {n_groups} identities is 2 to {n_groups}, got {k}")
    # Columns: positives per attribute, negatives per attribute, rows.
    classes = np.concatenate([labels == 1, labels == 0, np.ones((len(labels), 1), bool)], axis=1)
    counts = np.zeros((n_groups, classes.shape[1]), np.int64)
    np.add.at(counts, group, classes.astype(np.int64))
    counts = counts[rank := np.random.default_rng(seed).permutation(n_groups)]

    lacking = np.repeat(counts.sum(axis=0, keepdims=True) / k, k, axis=0)  # (k, classes)
    fold = np.full(n_groups, -1, np.intp)
    carriers = np.count_nonzero(counts, axis=0)  # unassigned groups per class
    while (fold < 0).any():
        rarest = int(np.argmin(np.where(carriers > 0, carriers, n_groups + 1)))
        candidates = np.flatnonzero((fold < 0) & (counts[:, rarest] > 0))
        chosen = candidates[np.argmax(counts[candidates, rarest])]
        target = max(range(k), key=lambda f: (lacking[f, rarest], lacking[f, -1], -f))
        fold[chosen] = target
        lacking[target] -= counts[chosen]
        carriers -= counts[chosen] > 0
    result = np.empty(n_groups, np.intp)
    result[rank] = fold
    return result[group]
