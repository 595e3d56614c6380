"""Conformal thresholds of a score: sets that miss the true label in at most a share α of new images.

Average-K fixes the size of sets and tells their coverage; these fix the coverage and tell the size. All hold on average
over calibration splits and new images that are exchangeable with them, and say nothing of one image or one slice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.postprocessing.calibration_split import (
    ROUNDING,
    CalibrationSplit,
    People,
    calibration_split,
    check_alpha,
    check_enough,
    conformal_rank,
    known_people,
    one_of_calibration,
)
from bincam.postprocessing.label_sets import Floats, LabelSets, as_scores, at_least, check_names, check_outputs


@dataclass(frozen=True, eq=False)
class ConformalThresholds:
    """Thresholds of scores that were calibrated to a coverage.

    Attributes:
        rule: ``lac``, ``class_conditional``, ``per_attribute`` or ``risk_control``.
        alpha: α; the coverage is at least 1 - α.
        thresholds: ``(K,)``: a label is in the set if its score is at least its threshold; -inf keeps it always.
        images: ``(K,)``: the calibration images that each threshold rests on.
        always_kept: Names of the outputs with too few of them, which are in every set.
        calibration: The images of the split that were used, and those that were not.
        names: Names of the outputs; empty if none were given.

    Example:
        >>> fitted = lac([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]], [0, 0, 1], alpha=0.3)
        >>> fitted.thresholds, fitted.sets([[0.65, 0.35], [0.5, 0.5]]).sizes
        (array([0.6, 0.6]), array([1, 0]))
    """

    rule: str
    alpha: float
    thresholds: NDArray[np.float64]
    images: NDArray[np.int64]
    always_kept: tuple[str, ...]
    calibration: CalibrationSplit
    names: tuple[str, ...] = ()

    def sets(self, scores: ArrayLike, *, names: Sequence[str] | None = None) -> LabelSets:
        """Return the sets of other images; scores that equal their threshold are kept, as the guarantee needs.

        Args:
            scores: ``(N, K)`` as those of the calibration; rows with one that is not finite have no set.
            names: Names of the outputs, to be compared with those of the calibration.

        Raises:
            InputError: The outputs are others.
        """
        p = as_scores(scores)
        check_outputs(p, len(self.thresholds), self.names, names)
        return at_least(p, self.thresholds)


def lac(
    scores: ArrayLike,
    true: ArrayLike,
    alpha: float,
    *,
    identities: People | None = None,
    seed: int = 0,
    names: Sequence[str] = (),
) -> ConformalThresholds:
    """Calibrate one threshold for all outputs of a set: the least ambiguous set-valued classifier.

    Sadinle, Lei and Wasserman 2019, arXiv 1609.00451, calibrated on a split: a label is kept if p ≥ 1 - q, where q is
    the ⌈(n + 1)(1 - α)⌉-th smallest of 1 - p of the true labels. It is taken as the score of that rank itself, by
    partition, and no difference from 1 is formed, so that nothing is rounded. Sets may be empty.

    Args:
        scores: ``(N, K)`` probabilities; rows with one that is not finite are left out.
        true: ``(N,)`` indices of the true outputs, -1 where unknown.
        alpha: α, between 0 and 1.
        identities: N names of people, '' where unknown, or numbers of ``person_codes``: then one image of each is used.
            Without them the result says that the guarantee depends on it.
        seed: Of this choice.
        names: Names of the outputs, for ``ConformalThresholds.sets`` to compare.

    Raises:
        InputError: α is out of range, a true output is none of the K, or fewer than (1 - α)/α images are left.

    Example:
        The same person nine times is one image:

        >>> p, true = [[0.9, 0.1]] * 12, [0] * 12
        >>> lac(p, true, alpha=0.2, identities=["ann"] * 9 + ["bob", "cat", "dan"]).calibration.images
        4
        >>> lac(p, true, alpha=0.1, identities=["ann"] * 9 + ["bob", "cat", "dan"])
        Traceback (most recent call last):
        bincam.errors.InputError: 4 images to calibrate on; a coverage of 0.9 needs 9 at least, (1 - alpha)/alpha; take a larger split or a larger alpha
    """  # noqa: E501
    p, y, known, of, split = one_of_calibration(scores, true, alpha, identities=identities, seed=seed, names=names)
    value = _ranked(p[split.rows, y[split.rows]], known)
    K = p.shape[1]
    return ConformalThresholds("lac", known, np.full(K, value), np.full(K, split.images), (), split, of)


def class_conditional(
    scores: ArrayLike,
    true: ArrayLike,
    alpha: float,
    *,
    identities: People | None = None,
    seed: int = 0,
    names: Sequence[str] = (),
) -> ConformalThresholds:
    """Calibrate one threshold per output on the images of that output: Mondrian or class-conditional LAC.

    Vovk, Gammerman and Shafer 2005, section 4.5, with the score of ``lac``: every class has the coverage, also a rare
    one. A class with fewer than (1 - α)/α images is in every set, and named; ``always_kept``.

    Args:
        scores: ``(N, K)``, as for ``lac``.
        true: ``(N,)``.
        alpha: α.
        identities: As for ``lac``; here one image of each person and class is used.
        seed: Of this choice.
        names: Names of the outputs.

    Raises:
        InputError: As for ``lac``.

    Example:
        >>> p = [[0.9, 0.1]] * 8 + [[0.8, 0.2], [0.7, 0.3]]
        >>> fitted = class_conditional(p, [0] * 8 + [1, 1], alpha=0.2, names=["frequent", "rare"])
        >>> fitted.thresholds, fitted.images, fitted.always_kept
        (array([ 0.9, -inf]), array([8, 2]), ('rare',))
    """
    p, y, known, of, split = one_of_calibration(
        scores, true, alpha, identities=identities, seed=seed, names=names, per_class=True
    )
    classes = [split.rows[y[split.rows] == a] for a in range(p.shape[1])]
    return _each("class_conditional", known, [p[rows, a] for a, rows in enumerate(classes)], split, of)


def per_attribute(
    scores: ArrayLike,
    labels: ArrayLike,
    alpha: float,
    *,
    identities: People | None = None,
    seed: int = 0,
    names: Sequence[str] = (),
) -> ConformalThresholds:
    """Calibrate one threshold per attribute on its positive images: each attribute's recall is at least 1 - α.

    ``class_conditional`` for attributes, of which an image may have several or none. An attribute with fewer than
    (1 - α)/α positive images is in every set, and named.

    Args:
        scores: ``(N, A)``; rows with one that is not finite are left out.
        labels: ``(N, A)``: 1, 0 or NaN.
        alpha: α.
        identities: As for ``lac``; here one image of each person is used per attribute, among its positive ones.
        seed: Of this choice.
        names: Names of the attributes.

    Raises:
        InputError: Shapes differ, a label is not 0, 1 or NaN, α is out of range, or no attribute has enough positives.

    Example:
        >>> fitted = per_attribute([[0.9, 0.2], [0.6, 0.4], [0.1, 0.3]], [[1, 0], [1, 1], [0, 0]], alpha=0.4)
        >>> fitted.thresholds, fitted.always_kept
        (array([ 0.6, -inf]), ('1',))
    """
    p, y, known, of = _attributes(scores, labels, alpha, names)
    people = known_people(identities, len(p))
    parts = [calibration_split(p, y[:, a] == 1, people, seed) for a in range(p.shape[1])]
    if all(conformal_rank(part.images, known) > part.images for part in parts):
        check_enough(max(part.images for part in parts), known)
    split = calibration_split(p, _labelled(y), None, seed)
    rows = np.unique(np.concatenate([part.rows for part in parts]))
    further = None if people is None else int(((y[split.rows] == 1).any(1)).sum()) - len(rows)
    split = replace(split, rows=rows, further=further)
    return _each("per_attribute", known, [p[part.rows, a] for a, part in enumerate(parts)], split, of)


def risk_control(
    scores: ArrayLike,
    labels: ArrayLike,
    alpha: float,
    *,
    identities: People | None = None,
    seed: int = 0,
    names: Sequence[str] = (),
) -> ConformalThresholds:
    """Calibrate one threshold for all attributes so that the expected false negative rate is at most α.

    Angelopoulos, Bates, Fisch, Lei and Schuster 2022, arXiv 2208.02814: λ is the largest calibration score with
    n/(n + 1)·R(λ) + 1/(n + 1) ≤ α, where R(λ) is the mean over images of the share of their true labels with p < λ.
    Deviations: λ is sought among the scores themselves instead of on a grid, and an image without a true label has the
    loss 0 and is counted (``calibration.without_true``). With many such images the rate of the others may exceed α.

    The rate is a mean over images: frequent attributes decide it. ``per_attribute`` bounds each.

    Args:
        scores: ``(N, A)``; rows with one that is not finite are left out.
        labels: ``(N, A)``: 1, 0 or NaN; unknown ones count as not true, rows of only these are left out.
        alpha: α.
        identities: As for ``lac``.
        seed: Of the choice of one image per person.
        names: Names of the attributes.

    Raises:
        InputError: Shapes differ, a label is not 0, 1 or NaN, α is out of range, fewer than (1 - α)/α images are left
            (no λ could qualify), or none of them has a true label.

    Example:
        Of four images one may lose half of its labels: 4/5·1/8 + 1/5 ≤ .3.

        >>> p = [[0.9, 0.2], [0.8, 0.7], [0.6, 0.1], [0.3, 0.5]]
        >>> labels = [[1, 1], [1, 0], [1, 0], [0, 1]]
        >>> fitted = risk_control(p, labels, alpha=0.3)
        >>> fitted.thresholds, fitted.sets(p).members.astype(int).tolist()
        (array([0.5, 0.5]), [[1, 0], [1, 1], [1, 0], [0, 1]])
    """
    p, y, known, of = _attributes(scores, labels, alpha, names)
    split = calibration_split(p, _labelled(y), known_people(identities, len(p)), seed)
    check_enough(split.images, known)
    is_true = y[split.rows] == 1
    each = is_true.sum(1)
    if not each.any():
        raise InputError(
            f"none of {split.images} images has a true label, so none can be missed; calibrate on images that have some"
        )
    split = replace(split, without_true=int((each == 0).sum()))
    image, attribute = np.nonzero(is_true)
    own, loss = p[split.rows[image], attribute], 1 / each[image]
    order = np.argsort(own, kind="stable")
    # All true labels with less than λ are missed; the first whose own loss would exceed the budget is λ.
    missed = np.cumsum(loss[order])
    budget = known * (split.images + 1) - 1
    first = int(np.searchsorted(missed, budget + ROUNDING, side="right"))
    value = float(own[order[first]]) if first < len(own) else float(p[split.rows].max())
    A = p.shape[1]
    return ConformalThresholds("risk_control", known, np.full(A, value), np.full(A, split.images), (), split, of)


def _each(
    rule: str, alpha: float, own: list[Floats], split: CalibrationSplit, names: tuple[str, ...]
) -> ConformalThresholds:
    """Take the threshold of each output from the scores of its own images."""
    values = np.array([_ranked(scores, alpha) for scores in own])
    kept = tuple(names[a] if names else str(a) for a in np.flatnonzero(np.isneginf(values)))
    return ConformalThresholds(rule, alpha, values, np.array([len(scores) for scores in own]), kept, split, names)


def _ranked(own: Floats, alpha: float) -> float:
    """Return the score that ⌈(n + 1)(1 - α)⌉ of the n true labels reach; -inf where there are too few."""
    n = len(own)
    rank = conformal_rank(n, alpha)
    if rank > n:
        return -math.inf
    return float(np.partition(own, n - rank)[n - rank])


def _labelled(labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the rows in which some label is known."""
    return np.asarray((~np.isnan(labels)).any(1))


def _attributes(
    scores: ArrayLike, labels: ArrayLike, alpha: float, names: Sequence[str]
) -> tuple[Floats, NDArray[np.float64], float, tuple[str, ...]]:
    p, y = as_scores(scores), np.asarray(labels, np.float64)
    if p.shape != y.shape:
        raise InputError(f"expected scores and labels of one shape (N, A), got {p.shape} and {y.shape}")
    wrong = np.argwhere((y != 0) & (y != 1) & ~np.isnan(y))
    if len(wrong):
        row, attribute = wrong[0]
        raise InputError(f"label of row {row}, attribute {attribute} is {y[row, attribute]:g}; expected 0, 1 or NaN")
    return p, y, check_alpha(alpha), check_names(names, p.shape[1])
