"""Other images for nulls: scores of the same label, masks for images without one, outputs that are not in the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.decision import check_labels
from bincam.errors import InputError

Indices = NDArray[np.int64]


def partners(labels: ArrayLike, people: Sequence[str] | None = None, *, seed: int = 0) -> Indices:
    """Choose for every image another one with the same label, of another person.

    In a random order of the images with this label, it is the next one of another person; so nearly every image is
    chosen once.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        people: N names, empty where unknown; an image without a name is a person of its own. None if none is known.
        seed: Of the order.

    Returns:
        ``(N, A)``, indices of images; -1 where there is none, and where the label is unknown.

    Raises:
        InputError: The shapes differ.

    Example:
        >>> from bincam.metrics import partners
        >>> partners([[1.0], [0.0], [1.0], [1.0]], ["ann", "bob", "ann", "eve"])[:, 0].tolist()
        [3, -1, 3, 0]
    """
    values, codes = _checked(labels, people)
    result = np.full(values.shape, -1, np.int64)
    random = np.random.default_rng(seed)
    for a in range(values.shape[1]):
        for label in (0, 1):
            rows = random.permutation(np.flatnonzero(values[:, a] == label))
            result[rows, a] = _next_of_another(rows, rows, np.arange(len(rows)) + 1, codes)
    return result


def donors(labels: ArrayLike, masked: ArrayLike, people: Sequence[str] | None = None, *, seed: int = 0) -> Indices:
    """Choose for every image without the attribute one that has it, with a mask, of another person: it lends its mask.

    Args:
        labels: ``(N, A)``: 1, 0 or NaN.
        masked: ``(N, A)``, booleans: where there is a foreground.
        people: N names, empty where unknown; None if none is known.
        seed: Of the choice.

    Returns:
        ``(N, A)``, indices of images; -1 where there is none, and where the label is not 0.

    Raises:
        InputError: The shapes differ.

    Example:
        >>> from bincam.metrics import donors
        >>> donors([[0.0], [1.0], [1.0]], [[False], [False], [True]])[:, 0].tolist()
        [2, -1, -1]
    """
    values, codes = _checked(labels, people)
    with_mask = np.asarray(masked, bool)
    if with_mask.shape != values.shape:
        raise InputError(f"masked has shape {with_mask.shape}, but labels have {values.shape}")
    result = np.full(values.shape, -1, np.int64)
    random = np.random.default_rng(seed)
    for a in range(values.shape[1]):
        rows, pool = np.flatnonzero(values[:, a] == 0), np.flatnonzero((values[:, a] == 1) & with_mask[:, a])
        pool = random.permutation(pool)
        start = random.integers(0, max(len(pool), 1), len(rows))
        result[rows, a] = _next_of_another(rows, pool, start, codes)
    return result


def absent_outputs(true: ArrayLike, count: int, *, present: ArrayLike | None = None, seed: int = 0) -> Indices:
    """Choose for every image an output of a set that is not in it.

    Args:
        true: ``(N,)``: place of the true output; -1 where it is unknown.
        count: K, outputs of the set.
        present: ``(N, K)``, booleans: outputs that are in the image too although they are not its label, where this is
            known; None takes all but the true one to be absent.
        seed: Of the choice.

    Returns:
        ``(N,)``, places within the set; -1 where there is none or the true one is unknown.

    Raises:
        InputError: The shapes differ.

    Example:
        >>> from bincam.metrics import absent_outputs
        >>> absent_outputs([0, 1, -1], 2).tolist()
        [1, 0, -1]
    """
    labels = np.asarray(true, np.int64)
    taken = np.zeros((len(labels), count), bool) if present is None else np.array(present, bool)
    if taken.shape != (len(labels), count):
        raise InputError(f"present has shape {taken.shape}; expected {(len(labels), count)}")
    known = labels >= 0
    taken[np.flatnonzero(known), labels[known]] = True
    drawn = np.where(taken, -1.0, np.random.default_rng(seed).random(taken.shape))
    return np.where(known & ~taken.all(1), drawn.argmax(1), -1)


def _next_of_another(rows: Indices, pool: Indices, start: Indices, codes: Indices) -> Indices:
    """For every row the first entry of the pool, cyclically from a start, that is of another person; -1 if none is."""
    found = np.full(len(rows), -1, np.int64)
    waiting = np.arange(len(rows)) if len(pool) else np.zeros(0, np.int64)
    for step in range(len(pool)):
        candidate = pool[(start[waiting] + step) % len(pool)]
        other = codes[candidate] != codes[rows[waiting]]
        found[waiting[other]] = candidate[other]
        waiting = waiting[~other]
        if not len(waiting):
            break
    return found


def _checked(labels: ArrayLike, people: Sequence[str] | None) -> tuple[NDArray[np.float64], Indices]:
    """Labels, and a number for each person."""
    values = check_labels(labels)
    if values.ndim != 2 or (people is not None and len(people) != len(values)):
        named = "" if people is None else f" and {len(people)} names of people"
        raise InputError(f"expected labels (N, A) of N images, got shape {values.shape}{named}")
    names = [""] * len(values) if people is None else people
    alone = [name or f"\0{number}" for number, name in enumerate(names)]
    return values, np.unique(alone, return_inverse=True)[1].astype(np.int64)
