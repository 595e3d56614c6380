"""Answers of a model to one question at V views of N images, and which of them are right.

A question is a yes-or-no attribute, with the answers 0 (no) and 1 (yes), or a set of K outputs of which one is true. A
view without a decision has no answer, -1, and is neither right nor wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.one_of import true_outputs
from bincam.stats.clusters import Clusters

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Bools = NDArray[np.bool_]


def attribute_answers(positive: ArrayLike, undefined: ArrayLike, labels: ArrayLike) -> tuple[Codes, Ints]:
    """Read the answers of a yes-or-no attribute.

    Args:
        positive: ``(N, V)`` decisions.
        undefined: ``(N, V)``: views without one.
        labels: ``(N,)``: 1, 0 or NaN.

    Returns:
        Answers ``(N, V)`` and true answers ``(N,)``: 0, 1, or -1 where there is none.

    Raises:
        InputError: Shapes differ, or a label is not 0, 1 or NaN.

    >>> answers, true = attribute_answers([[True, False]], [[False, True]], [1.0])
    >>> answers.tolist(), true.tolist()
    ([[1, -1]], [1])
    """
    y = np.asarray(labels, np.float64)
    if y.ndim != 1 or not (np.isnan(y) | (y == 0) | (y == 1)).all():
        raise InputError("expected labels (N,) of 0, 1 or NaN (unknown)")
    answers = np.where(undefined, -1, np.asarray(positive, bool)).astype(np.int32)
    return check_answers(answers, np.where(np.isnan(y), -1, y).astype(np.int64), 2)


def set_answers(positive: ArrayLike, undefined: ArrayLike, labels: ArrayLike) -> tuple[Codes, Ints]:
    """Read the answers of a set of K outputs.

    Args:
        positive: ``(N, V, K)`` decisions: of every view that has one, exactly one output.
        undefined: ``(N, V, K)``: views without one.
        labels: ``(N, K)``: in every row one 1 and otherwise 0, or NaN throughout.

    Returns:
        Answers ``(N, V)`` and true outputs ``(N,)``, from 0 to K - 1, or -1 where there is none.

    Raises:
        InputError: Shapes differ, a row has no true label or several, or a view has several predicted outputs.

    >>> answers, true = set_answers([[[False, True], [False, False]]], [[[False] * 2, [True] * 2]], [[0.0, 1.0]])
    >>> answers.tolist(), true.tolist()
    ([[1, -1]], [1])
    """
    said = np.asarray(positive, bool) & ~np.asarray(undefined, bool)
    true = true_outputs(labels)
    if said.ndim != 3 or said.shape[2] != np.asarray(labels).shape[1]:
        raise InputError(f"expected decisions (N, V, K) of the labels' outputs, got shape {said.shape}")
    if (said.sum(-1) > 1).any():
        raise InputError("a view has several predicted outputs of a set; of a set exactly one is predicted")
    answers = np.where(said.any(-1), said.argmax(-1), -1).astype(np.int32)
    return check_answers(answers, true, said.shape[2])


def check_answers(answers: ArrayLike, true: ArrayLike, count: int) -> tuple[Codes, Ints]:
    """Check answers ``(N, V)`` and true answers ``(N,)`` of a question with ``count`` possible answers.

    Raises:
        InputError: Shapes differ, there are no views, or an answer is not from -1 to ``count`` - 1.
    """
    given, known = np.asarray(answers), np.asarray(true)
    if given.ndim != 2 or known.shape != given.shape[:1] or given.shape[1] == 0:
        raise InputError(
            f"expected answers (N, V) of at least one view and true answers (N,), got {given.shape}, {known.shape}"
        )
    if given.size and (min(given.min(), known.min()) < -1 or max(given.max(), known.max()) >= count):
        raise InputError(f"answers are from 0 to {count - 1}, or -1 for none, of a question with {count} answers")
    return given.astype(np.int32), known.astype(np.int64)


def rightness(answers: ArrayLike, true: ArrayLike) -> NDArray[np.float32]:
    """Compute ``right``, which every figure of framing rests on.

    Args:
        answers: ``(N, V)``, or ``(N,)`` of one view.
        true: ``(N,)``.

    Returns:
        The shape of the answers: 1 right, 0 wrong, NaN where there is no answer or no true answer.

    >>> rightness([[1, 0, -1]], [1])
    array([[ 1.,  0., nan]], dtype=float32)
    """
    given, known = np.asarray(answers), np.asarray(true)
    known = known.reshape(known.shape + (1,) * (given.ndim - 1))
    return np.where((given < 0) | (known < 0), np.nan, given == known).astype(np.float32)


def said(answers: ArrayLike, count: int) -> Bools:
    """Find the answers that some view gives: ``(N, V)`` to ``(N, count)``.

    >>> said([[1, 1, -1], [0, 1, 1]], 2).tolist()
    [[False, True], [True, True]]
    """
    given = np.asarray(answers)
    result = np.zeros((len(given), count + 1), bool)
    result[np.arange(len(given))[:, None], given] = True  # no answer, -1, is the last column
    return result[:, :count]


def halves(clusters: Clusters, seed: int = 0) -> Bools:
    """Draw half of the images, to fit on; images of one person are in the same half.

    Args:
        clusters: Clusters of the N images.
        seed: Seed of the draw.

    Returns:
        ``(N,)``: True in the half that is fitted on.

    >>> first = halves(Clusters.of(["ann", "ann", "bob", "bob"]))
    >>> bool(first[0] == first[1] and first[2] == first[3] and first[0] != first[2])
    True
    """
    order = np.random.default_rng(seed).permutation(clusters.count)
    in_first = np.zeros(clusters.count, bool)
    in_first[order[: clusters.count // 2]] = True
    return np.asarray(in_first[clusters.codes])
