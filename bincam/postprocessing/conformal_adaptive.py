"""Adaptive prediction sets, APS and RAPS, in their randomised definition.

Labels are taken in descending order of probability until enough of it is in the set. Unlike sets of a threshold of the
score, these grow where the model is unsure of all labels; regularisation (RAPS) keeps the growth in check.

Libraries differ in three details, and so do their sets in size and coverage: whether the last label is taken at random,
whether calibration uses draws of the same kind as new images, and whether a set may be empty. Here, as in the papers'
definition, every image of both has one uniform draw, and sets may be empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.postprocessing.calibration_split import (
    CalibrationSplit,
    People,
    conformal_rank,
    one_of_calibration,
)
from bincam.postprocessing.label_sets import (
    Floats,
    LabelSets,
    as_scores,
    check_outputs,
    finite_rows,
    generator,
    row_blocks,
)

SUM = 1e-3
"""Probabilities of an image add up to 1 within this; softmax values of half precision do."""


@dataclass(frozen=True, eq=False)
class AdaptiveThreshold:
    """A threshold of ``adaptive_scores``.

    Attributes:
        alpha: α; the coverage is 1 - α, and exceeds it by 1/(n + 1) at most where no two scores are equal.
        threshold: τ: a label is in the set if its adaptive score is at most τ.
        penalty: Per label beyond ``free``; 0 for APS.
        free: Number of labels without a penalty.
        outputs: K.
        calibration: The images of the split that were used.
        names: Names of the outputs; empty if none were given.

    Example:
        ``aps`` and ``raps`` return it.

        >>> p = np.random.default_rng(0).dirichlet([1.0] * 4, size=200)
        >>> true = np.array([np.random.default_rng(n).choice(4, p=row) for n, row in enumerate(p)])
        >>> fitted = aps(p, true, alpha=0.1)
        >>> fitted.sets(p[:4], seed=1).sizes
        array([2, 3, 3, 2])
    """

    alpha: float
    threshold: float
    penalty: float
    free: int
    outputs: int
    calibration: CalibrationSplit
    names: tuple[str, ...] = ()

    def sets(self, probabilities: ArrayLike, *, seed: int, names: Sequence[str] | None = None) -> LabelSets:
        """Return the sets of other images.

        Args:
            probabilities: ``(N, K)``, whose rows add up to 1; rows with one that is not finite have no set.
            seed: Of one uniform draw per image, other than that of the calibration where images are the same.
            names: Names of the outputs, to be compared with those of the calibration.

        Raises:
            InputError: The outputs are others, or a row does not add up to 1.
        """
        p = as_scores(probabilities)
        check_outputs(p, self.outputs, self.names, names)
        defined = finite_rows(p)
        _check_sums(p, defined)
        draws = generator(seed).random(len(p))
        members = np.zeros(p.shape, bool)
        for part in row_blocks(*p.shape):
            filled = np.where(defined[part, None], p[part], 0)
            members[part] = adaptive_scores(filled, draws[part], self.penalty, self.free) <= self.threshold
        return LabelSets(members & defined[:, None], defined)


def adaptive_scores(probabilities: ArrayLike, draws: ArrayLike, penalty: float = 0.0, free: int = 0) -> Floats:
    """Compute the scores of adaptive sets: the smallest τ at which the set of an image has a label.

    E(x, y, u) = Σ_{y' before y} p(y') + u·p(y) + penalty·(o(y) - free)⁺, where labels are in descending order of
    probability, of equal ones the first first, and o(y) is the rank from 1. Romano, Sesia and Candès 2020,
    arXiv 2006.02544, Algorithm 1, for a penalty of 0; Angelopoulos, Bates, Malik and Jordan 2021, arXiv 2009.14193,
    Algorithms 2 and 3, otherwise. Deviation: Romano et al. write 1 - u for u, which has the same distribution.

    Args:
        probabilities: ``(N, K)``.
        draws: u, ``(N,)``, uniform between 0 and 1; 1 gives the deterministic score.
        penalty: λ of RAPS.
        free: k_reg of RAPS.

    Returns:
        ``(N, K)`` float64.

    >>> adaptive_scores([[0.2, 0.5, 0.3]], [0.5], penalty=0.1, free=1).round(2)
    array([[1.1 , 0.25, 0.75]])
    """
    p = np.asarray(probabilities, np.float64)
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, 1)
    before = np.cumsum(ranked, axis=1) - ranked
    excess = np.maximum(np.arange(1, p.shape[1] + 1) - free, 0)
    values = before + np.asarray(draws, np.float64)[:, None] * ranked + penalty * excess
    result = np.empty(p.shape)
    np.put_along_axis(result, order, values, 1)
    return result


def aps(
    probabilities: ArrayLike,
    true: ArrayLike,
    alpha: float,
    *,
    identities: People | None = None,
    seed: int = 0,
    names: Sequence[str] = (),
) -> AdaptiveThreshold:
    """Calibrate adaptive prediction sets (APS); see ``adaptive_scores``.

    τ is the ⌈(n + 1)(1 - α)⌉-th smallest score of the true labels.

    Args:
        probabilities: ``(N, K)`` of a set of outputs, whose rows add up to 1; rows with one that is not finite are left
            out.
        true: ``(N,)`` indices of the true outputs, -1 where unknown.
        alpha: α.
        identities: N names of people, '' where unknown, or numbers of ``person_codes``: then one image of each is used.
        seed: Of this choice and of the draws.
        names: Names of the outputs.

    Raises:
        InputError: α is out of range, a row does not add up to 1, a true output is none of the K, or fewer than
            (1 - α)/α images are left.

    Example:
        >>> fitted = aps([[0.6, 0.3, 0.1]] * 20, [0] * 12 + [1] * 6 + [2] * 2, alpha=0.25)
        >>> round(fitted.threshold, 2), fitted.calibration.images
        (0.77, 20)
    """
    return raps(probabilities, true, alpha, penalty=0.0, free=0, identities=identities, seed=seed, names=names)


def raps(
    probabilities: ArrayLike,
    true: ArrayLike,
    alpha: float,
    *,
    penalty: float,
    free: int,
    identities: People | None = None,
    seed: int = 0,
    names: Sequence[str] = (),
) -> AdaptiveThreshold:
    """Calibrate regularised adaptive prediction sets (RAPS); see ``adaptive_scores``.

    Penalty and free labels are stated. Whoever chooses them by the resulting sizes does so on other images than the
    calibration split, otherwise the coverage does not hold.

    Args:
        probabilities: ``(N, K)``, as for ``aps``.
        true: ``(N,)``.
        alpha: α.
        penalty: λ of the paper, not negative; 0 gives ``aps``.
        free: k_reg of the paper, from 0 to K.
        identities: As for ``aps``.
        seed: As for ``aps``.
        names: Names of the outputs.

    Raises:
        InputError: As for ``aps``, or penalty or free labels are out of range.

    Example:
        The penalty excludes third labels:

        >>> p, true = [[0.6, 0.3, 0.1]] * 20, [0] * 12 + [1] * 6 + [2] * 2
        >>> fitted = raps(p, true, alpha=0.25, penalty=0.5, free=2)
        >>> int(fitted.sets(p, seed=1).members[:, 2].sum())
        0
    """
    p, y, known, of, split = one_of_calibration(
        probabilities, true, alpha, identities=identities, seed=seed, names=names
    )
    K = p.shape[1]
    if not (0 <= penalty < np.inf and 0 <= free <= K and free % 1 == 0):
        raise InputError(
            f"penalty {penalty:g} and {free:g} free labels; expected a penalty that is not negative, and "
            f"a whole number of free labels from 0 to {K}"
        )
    _check_sums(p, np.isin(np.arange(len(p)), split.rows))
    draws = generator(seed, 1).random(len(p))
    rank = conformal_rank(split.images, known)
    own = _own_scores(p, y, draws, split.rows, penalty, free)
    value = float(np.partition(own, rank - 1)[rank - 1])
    return AdaptiveThreshold(known, value, float(penalty), int(free), K, split, of)


def _own_scores(
    p: Floats, y: NDArray[np.int64], draws: Floats, rows: NDArray[np.int64], penalty: float, free: int
) -> Floats:
    """Compute the scores of the true labels, in blocks of images."""
    parts = [rows[block] for block in row_blocks(len(rows), p.shape[1])]
    return np.concatenate(
        [adaptive_scores(p[part], draws[part], penalty, free)[np.arange(len(part)), y[part]] for part in parts]
    )


def _check_sums(p: Floats, usable: NDArray[np.bool_]) -> None:
    for block in row_blocks(*p.shape):
        part, counts = p[block], usable[block]
        sums = part.sum(1, dtype=np.float64)
        wrong = np.flatnonzero(counts & ((np.abs(sums - 1) > SUM) | (part < 0).any(1)))
        if len(wrong):
            row = int(wrong[0])
            raise InputError(
                f"probabilities of image {block.start + row} are {part[row, :8].tolist()} and add up to {sums[row]:g}; "
                "adaptive sets are of probabilities of outputs of which exactly one is true (the softmax of raw "
                "scores), which add up to 1"
            )
