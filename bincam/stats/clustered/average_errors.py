"""Errors of several answers on the same images, averaged over attributes, with paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.attribute_average import AttributeAverage
from bincam.stats.clustered.means import GroupMeans, group_means
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, undefined
from bincam.stats.intervals import MOVER
from bincam.stats.proportions import shares

PARTS = ("minority", "majority")
"""The two classes of an attribute, whose errors are averaged apart."""


@dataclass(frozen=True)
class AverageErrors:
    """Errors of M answers of the same images, averaged over attributes.

    Attributes:
        attributes: The attributes that the means are over: those whose classes are both of enough images and people, or
            all of them where there are no such attributes.
        left_out: Attributes that are not, because a class has too few images or people.
        rates: By class, the mean error of each answer.
        differences: By class, the mean difference of each pair of answers, first minus second, of the same images.
    """

    attributes: tuple[str, ...]
    left_out: tuple[str, ...]
    rates: Mapping[str, tuple[Estimate, ...]]
    differences: Mapping[str, tuple[Estimate, ...]]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object, None for NaN."""
        return {
            "attributes": list(self.attributes),
            "left_out": list(self.left_out),
            "rates": {part: [one.to_json() for one in self.rates[part]] for part in PARTS},
            "differences": {part: [one.to_json() for one in self.differences[part]] for part in PARTS},
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> AverageErrors:
        """Read the fields as ``to_json`` writes them."""

        def estimates(key: str) -> dict[str, tuple[Estimate, ...]]:
            return {part: tuple(map(Estimate.from_json, entry[key][part])) for part in PARTS}

        return cls(tuple(entry["attributes"]), tuple(entry["left_out"]), estimates("rates"), estimates("differences"))


def average_errors(
    wrong: NDArray[np.floating],
    label: NDArray[np.floating],
    minority: Sequence[int] | NDArray[np.integer],
    attributes: Sequence[str],
    clusters: Clusters,
    pairs: Sequence[tuple[int, int]],
    level: float = LEVEL,
) -> AverageErrors:
    """Average the errors of M answers over attributes, and their paired differences.

    Every attribute has the same weight. The interval of a mean is that of ``AttributeAverage``: attributes share
    images and people, so they are no independent evidence. A mean over an attribute of few images would be none to rely
    on, so such attributes are left out and named. An answer that is unknown for some attributes has no mean: two means
    over different attributes could not be compared.

    Args:
        wrong: ``(M, N, A)``: 1 where an answer is not the label, 0 where it is, NaN where either is unknown.
        label: ``(N, A)``: 1, 0 or NaN.
        minority: ``(A,)``: +1 where positives are the minority class, else -1.
        attributes: Names of the A attributes.
        clusters: Clusters of the N images.
        pairs: Indices of answers to compare.
        level: Confidence level.

    Example:
        A second answer that is wrong in half as many of the minority's images, and in the same of the majority's:

        >>> label = np.repeat([[1.0], [0.0]], [100, 300], axis=0)
        >>> first = np.repeat([1.0, 0.0, 1.0, 0.0], [60, 40, 30, 270])[:, None]
        >>> second = np.repeat([1.0, 0.0, 1.0, 0.0], [30, 70, 30, 270])[:, None]
        >>> found = average_errors(np.stack([first, second]), label, [1], ["Bald"], Clusters.of([""] * 400), [(0, 1)])
        >>> [one.value for one in found.rates["minority"]], found.differences["minority"][0].low > 0.2
        ([0.6, 0.3], True)
        >>> found.differences["majority"][0].low < 0 < found.differences["majority"][0].high
        True
    """
    M, _, A = wrong.shape
    columns = ((wrong[:, :, a], label[:, a]) for a in range(A))
    return average_errors_of(columns, M, minority, attributes, clusters, pairs, level)


def average_errors_of(
    columns: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]],
    count: int,
    minority: Sequence[int] | NDArray[np.integer],
    attributes: Sequence[str],
    clusters: Clusters,
    pairs: Sequence[tuple[int, int]],
    level: float = LEVEL,
) -> AverageErrors:
    """Average errors as ``average_errors`` does, of attributes that are given one after the other.

    Args:
        columns: Of each attribute the errors ``(M, N)`` and the labels ``(N,)``.
        count: M.
        minority: As for ``average_errors``.
        attributes: As for ``average_errors``.
        clusters: As for ``average_errors``.
        pairs: As for ``average_errors``.
        level: Confidence level.

    >>> label = np.repeat([1.0, 0.0], [100, 300])
    >>> wrong = np.repeat([1.0, 0.0, 1.0, 0.0], [60, 40, 30, 270])
    >>> found = average_errors_of([(wrong[None], label)], 1, [1], ["Bald"], Clusters.of([""] * 400), [])
    >>> found.rates["minority"][0].value, found.rates["majority"][0].value
    (0.6, 0.1)
    """
    M, width = count, count + len(pairs)
    # Of all attributes, and of the reliable ones: which of the two counts is known at the end.
    every, sound = (
        AttributeAverage(
            len(PARTS),
            width,
            clusters.count,
            np.arange(width) < M,
            (np.repeat([0.0, -1.0], [M, len(pairs)]), np.ones(width)),
            known=clusters.known,
        )
        for _ in range(2)
    )
    reliable: list[int] = []
    for a, (wrong, label) in enumerate(columns):
        means, estimates = _attribute(wrong, label, int(minority[a]), clusters, pairs, level)
        every.add(means, estimates)
        of_first = [of_class[0] for of_class in estimates]  # the answer that every audit has
        if not any(rate.small or not rate.images for rate in of_first):
            reliable.append(a)
            sound.add(means, estimates)
    used = reliable or list(range(len(attributes)))
    average = sound if reliable else every
    full = average.count == len(used)

    def mean(part: int, place: int) -> Estimate:
        if not full[part, place]:
            return undefined(MOVER)
        found = average.estimate(part, place, level)
        return found if reliable else replace(found, status="small")

    return AverageErrors(
        tuple(attributes[a] for a in used),
        tuple(name for a, name in enumerate(attributes) if a not in used),
        {part: tuple(mean(p, m) for m in range(M)) for p, part in enumerate(PARTS)},
        {part: tuple(mean(p, M + k) for k in range(len(pairs))) for p, part in enumerate(PARTS)},
    )


def _attribute(
    wrong: NDArray[np.floating],
    label: NDArray[np.floating],
    minority: int,
    clusters: Clusters,
    pairs: Sequence[tuple[int, int]],
    level: float,
) -> tuple[GroupMeans, list[list[Estimate]]]:
    """Return the means of an attribute's classes, and the estimates by class of each answer and pair."""
    M = len(wrong)
    truth = np.where(np.isnan(label), 0, np.where(label > 0, 1, -1))
    cell = np.where(truth == 0, -1, np.where(truth == minority, 0, 1))
    values = np.stack([*wrong, *(wrong[i] - wrong[j] for i, j in pairs)], -1)
    limits = np.repeat([0.0, -1.0], [M, len(pairs)]), np.ones(values.shape[-1])
    means = group_means(values, cell, np.eye(2), clusters, limits, level)
    estimates = []
    for part in (0, 1):
        inside = np.where((cell == part)[:, None], values[:, :M], np.nan)
        rates = shares(inside, np.ones(inside.shape, bool), clusters, level)
        of_pairs = []
        for i, j in pairs:
            both = bool((np.isfinite(inside[:, i]) & np.isfinite(inside[:, j])).any())
            of_pairs.append(paired_shares(inside[:, i], inside[:, j], clusters, level) if both else undefined(MOVER))
        estimates.append([*(rates.estimate(m) for m in range(M)), *of_pairs])
    return means, estimates
