"""Framing sensitivity: how many decisions depend on the view, and of which images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.framing.answers import check_answers, said
from bincam.stats.framing.averages import share


@dataclass(frozen=True)
class Sensitivity:
    """Shares of images whose decision depends on the view.

    Attributes:
        all: Of all images, labelled or not.
        by_class: Of the images of each true answer, ``(K,)``.
        minority: Of the images whose true answer is rare in training.
        majority: Of the images whose true answer is not.
    """

    all: Estimate
    by_class: tuple[Estimate, ...]
    minority: Estimate
    majority: Estimate


def framing_sensitivity(
    answers: ArrayLike, true: ArrayLike, rare: ArrayLike, clusters: Clusters, level: float = LEVEL
) -> Sensitivity:
    """Estimate the share of images whose views give more than one answer.

    Args:
        answers: ``(N, V)``; an image with fewer than two views that answer is left out.
        true: ``(N,)``; -1 where unknown.
        rare: ``(K,)``: whether each answer is of the minority in training; for a yes-or-no attribute exactly one is,
            for a set see ``bincam.one_of.rarer_than_even``.
        clusters: Clusters of the N images.
        level: Confidence level.

    Raises:
        InputError: Shapes differ, or an answer is out of range.

    Example:
        >>> import numpy as np
        >>> from bincam.stats import Clusters, framing_sensitivity
        >>> views = np.array([[0, 1, 0]] * 30 + [[0, 0, 0]] * 70)
        >>> found = framing_sensitivity(views, np.repeat([1, 0], [40, 60]), [False, True], Clusters.of([""] * 100))
        >>> found.all.value, found.minority.value, found.majority.value
        (0.3, 0.75, 0.0)
    """
    minority = np.asarray(rare, bool)
    if minority.ndim != 1:
        raise InputError(f"expected rare (K,), one entry per answer, got shape {minority.shape}")
    given, known = check_answers(answers, true, len(minority))
    several = said(given, len(minority)).sum(1) > 1
    depends = np.where((given >= 0).sum(1) >= 2, several, np.nan)

    def among(member: NDArray[np.bool_]) -> Estimate:
        return share(np.where(member, depends, np.nan), clusters, level)

    is_rare = (known >= 0) & minority[known]
    return Sensitivity(
        share(depends, clusters, level),
        tuple(among(known == k) for k in range(len(minority))),
        among(is_rare),
        among((known >= 0) & ~is_rare),
    )
