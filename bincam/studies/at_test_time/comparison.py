"""Answers of one question before and after a method at test time: errors by class, and whether it pulls somewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.errors import InputError
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.framing.answers import check_answers, rightness
from bincam.stats.framing.averages import share
from bincam.stats.sets.mean_rates import mean_rate
from bincam.stats.sets.paired import paired_mean_rates


@dataclass(frozen=True)
class Paired:
    """A rate of the same images before and after, and the paired difference, after minus before."""

    before: Estimate
    after: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Comparison:
    """What a method at test time did to the answers to one question.

    Attributes:
        error: Share of labelled images that are wrong.
        minority: Error on the images whose true answer is of the minority in training; of a set the mean miss rate
            over such outputs.
        majority: The same of the others.
        pull: Share of all images, labelled or not, whose answer is of the majority. *Ours*: a method that lowers
            entropy may do so by answering what is frequent.
        changed: Share of all images whose answer is another one afterwards.
        corrected: Number of labelled images that were wrong and are right.
        spoilt: Number that were right and are wrong.
        undefined_before: Images without an answer before; they are in no figure.
        undefined_after: Images without one after.
    """

    error: Paired
    minority: Paired
    majority: Paired
    pull: Paired
    changed: Estimate
    corrected: int
    spoilt: int
    undefined_before: int
    undefined_after: int


def compare_answers(
    before: ArrayLike,
    after: ArrayLike,
    true: ArrayLike,
    rare: ArrayLike,
    clusters: Clusters,
    level: float = LEVEL,
) -> Comparison:
    """Compare the answers to one question before and after a method.

    Every figure is of the images that have an answer both before and after, so that the difference is that of the two
    rates. Intervals are clustered; differences are those of ``paired_shares`` and ``paired_mean_rates``.

    Args:
        before: ``(N,)``: 0 and 1 of a yes-or-no attribute, the index of the output of a set; -1 where there is none.
        after: The same.
        true: ``(N,)``, -1 where unknown.
        rare: ``(K,)``: whether each answer is of the minority in training.
        clusters: Clusters of the N images.
        level: Confidence level.

    Raises:
        InputError: Shapes differ, or an answer is out of range.

    Example:
        A method that turns ten of fifty rare answers to the frequent one:

        >>> import numpy as np
        >>> from bincam.stats import Clusters
        >>> true = np.repeat([1, 0], [50, 150])
        >>> after = np.where(np.arange(200) < 10, 0, true)
        >>> found = compare_answers(true, after, true, [False, True], Clusters.of([""] * 200))
        >>> found.minority.difference.value, found.majority.difference.value, found.pull.difference.value
        (0.2, 0.0, 0.05)
    """
    minority: NDArray[np.bool_] = np.asarray(rare, bool)
    if minority.ndim != 1:
        raise InputError(f"expected rare (K,), one entry per answer, got shape {minority.shape}")
    first, second = np.asarray(before), np.asarray(after)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(f"expected answers (N,) before and after, got {first.shape} and {second.shape}")
    both, known = check_answers(np.stack([first, second], 1), true, len(minority))
    answered = np.asarray((both >= 0).all(1))
    usable = np.where(answered[:, None], both, -1)
    wrong: NDArray[np.floating] = np.asarray(1 - rightness(usable, known))

    def of_classes(member: NDArray[np.bool_]) -> Paired:
        outputs = np.flatnonzero(member).tolist()
        if len(minority) == 2 and len(outputs) == 1:  # one class: a share, not a mean of shares
            inside = np.where(known == outputs[0], 1.0, np.nan)
            return _paired(wrong * inside[:, None], clusters, level)
        rates = [mean_rate(column, known, outputs, clusters, level) for column in wrong.T]
        difference = paired_mean_rates(wrong[:, 1], wrong[:, 0], known, outputs, clusters, level)
        return Paired(rates[0], rates[1], difference)

    frequent = np.where(usable >= 0, np.logical_not(minority)[usable], np.nan)
    changed = np.where(answered, both[:, 0] != both[:, 1], np.nan)
    return Comparison(
        error=_paired(wrong, clusters, level),
        minority=of_classes(minority),
        majority=of_classes(np.logical_not(minority)),
        pull=_paired(frequent, clusters, level),
        changed=share(changed, clusters, level),
        corrected=int(((wrong[:, 0] == 1) & (wrong[:, 1] == 0)).sum()),
        spoilt=int(((wrong[:, 0] == 0) & (wrong[:, 1] == 1)).sum()),
        undefined_before=int((both[:, 0] < 0).sum()),
        undefined_after=int((both[:, 1] < 0).sum()),
    )


def _paired(values: NDArray[np.floating], clusters: Clusters, level: float) -> Paired:
    """Of values ``(N, 2)`` before and after, 1, 0 or NaN."""
    first, second = np.asarray(values, np.float64).T
    return Paired(
        share(first, clusters, level),
        share(second, clusters, level),
        paired_shares(second, first, clusters, level),
    )
