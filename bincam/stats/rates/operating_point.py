"""Operating points: sensitivity at a stated specificity, and specificity at a stated sensitivity, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.stats.clustered.contributions import correlation
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate, undefined
from bincam.stats.intervals import hypotenuse
from bincam.stats.outcomes import is_usable
from bincam.stats.proportions import Shares, shares

Rate = Literal["sensitivity", "specificity"]
OTHER: Mapping[Rate, Rate] = {"sensitivity": "specificity", "specificity": "sensitivity"}
"""The rate that a rate is stated at."""

METHOD = "variance recovery over rate and threshold"

MIN_BEYOND = 5
"""Number of images, of the class of the stated rate, that the threshold has to leave on the wrong side: with fewer the
threshold is one of the class's extreme scores, and the figure is small."""


@dataclass(frozen=True)
class OperatingPoint:
    """A rate at the threshold at which the other class's rate is a stated one.

    Attributes:
        measure: ``sensitivity`` or ``specificity``: the rate that is estimated.
        stated: The other rate, as stated.
        estimate: The estimate; images and clusters are those of the measure's own class.
        threshold: The threshold, in the units of the scores; NaN where there is none.
        attained: The other rate at this threshold on the audited images: at least the stated one.
        others: Number of images of the stated rate's class.
        other_identities: Number of clusters of that class, or None.
        needed: Number of images of that class that are needed to estimate the measure, where there are too few; else 0.
        reason: Why the estimate is undefined or small; empty otherwise.
    """

    measure: Rate
    stated: float
    estimate: Estimate
    threshold: float
    attained: float
    others: int
    other_identities: int | None
    needed: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the estimate and the others as one JSON object, None for NaN."""
        return {
            **self.estimate.to_json(),
            "measure": self.measure,
            "at": OTHER[self.measure],
            "stated": self.stated,
            "attained": _finite(self.attained),
            "threshold": _finite(self.threshold),
            "others": self.others,
            "other_identities": self.other_identities,
            "needed": self.needed,
            "too_few": bool(self.needed or not self.estimate.images or not self.others),
            "reason": self.reason,
        }


def rate_at(
    measure: Rate,
    stated: float,
    scores: NDArray[np.floating],
    labels: NDArray[np.floating],
    clusters: Clusters,
    level: float = LEVEL,
) -> OperatingPoint:
    """Estimate the sensitivity at a stated specificity, or the specificity at a stated sensitivity.

    The threshold is the score of an audited image: for a sensitivity the lowest one whose specificity is at least the
    stated one, for a specificity the highest one whose sensitivity is. Nothing is interpolated, so the value is the
    largest ordinate of scikit-learn's ``roc_curve`` that satisfies the statement.

    The threshold is chosen on the same images, which is part of the uncertainty. The interval joins two parts by MOVER:
    Wilson's interval of the rate at this threshold, with the effective number of images, and the range of the rate
    over the thresholds that a binomial test does not reject, given the effective number of images of the other class.
    The two parts are correlated where people have images in both classes, as their linearised residuals are.

    Args:
        measure: The rate to estimate, ``sensitivity`` or ``specificity``.
        stated: The other rate, between 0 and 1.
        scores: ``(N,)``; a score at its threshold is positive; those that are not finite are left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        The operating point. Undefined, with the reason, without images of a class, where the other class has too few
        images to tell the stated rate from 1, or where equal scores leave no threshold but one that predicts a single
        class; small where a class has too few images or clusters, or fewer than ``MIN_BEYOND`` of the other class's
        images are expected beyond the threshold.

    Raises:
        InputError: The stated rate is not between 0 and 1.

    Example:
        >>> from bincam.stats import Clusters
        >>> rng = np.random.default_rng(0)
        >>> labels = np.repeat([1.0, 0.0], [100, 400])
        >>> point = rate_at("sensitivity", 0.95, rng.normal(2 * labels), labels, Clusters.of([""] * 500))
        >>> [round(x, 2) for x in (point.estimate.value, point.estimate.low, point.estimate.high)], point.attained
        ([0.69, 0.54, 0.79], 0.95)
        >>> rate_at("sensitivity", 0.999, rng.normal(2 * labels), labels, Clusters.of([""] * 500)).reason
        'a specificity of 0.999 cannot be told from 1 with 400 negatives: at least 1,000 are needed'
    """
    check_rate(stated, f"{OTHER[measure]} that the {measure} is stated at")
    usable = is_usable(labels, scores)
    sign = 1 if measure == "sensitivity" else -1  # the measure's own class has the higher of the oriented scores
    own = usable & ((labels > 0) == (sign > 0))
    other = usable & ~own
    people, other_people = clusters.identities(own), clusters.identities(other)
    curve = Curve.of(sign * np.asarray(scores, float), own, other)

    def inside(lowest: float) -> Inside:
        shown = (sign * np.asarray(scores, float) >= lowest).astype(float)
        both = [shares(shown, member, clusters, level) for member in (own, other)]
        return Inside(both[0], both[1], residual_correlation(shown, own, shown, other, clusters))

    counted = None if people is None or other_people is None else (int(people), int(other_people))
    return rate_on_curve(measure, stated, curve, counted, inside, level)


@dataclass(frozen=True)
class Inside:
    """The shares of both classes that are predicted to be of the measure's own class, at one threshold.

    Attributes:
        own: Of the own class.
        other: Of the other class.
        correlation: Of the two, see ``residual_correlation``.
    """

    own: Shares
    other: Shares
    correlation: float


def rate_on_curve(
    measure: Rate,
    stated: float,
    curve: Curve,
    people: tuple[int, int] | None,
    inside: Callable[[float], Inside],
    level: float = LEVEL,
) -> OperatingPoint:
    """Estimate a rate as ``rate_at`` does, from the numbers of images at each score.

    Args:
        measure: The rate to estimate.
        stated: The other rate.
        curve: Of the scores, for a specificity of those with the opposite sign.
        people: Number of people of the own and of the other class; None where none are known.
        inside: Function that estimates both classes' shares with at least a score of the curve.
        level: Confidence level.
    """
    sign = 1 if measure == "sensitivity" else -1
    n, m = int(curve.own[-1]), int(curve.others[-1])
    of_other = m, None if people is None else people[1]
    names = ("positives", "negatives") if sign > 0 else ("negatives", "positives")

    def without(reason: str, needed: int = 0) -> OperatingPoint:
        none = undefined(METHOD, n, None if people is None else people[0])
        return OperatingPoint(measure, stated, none, math.nan, math.nan, *of_other, needed, reason)

    if not n or not m:
        return without(f"no {names[0] if not n else names[1]}")
    beyond = m * (1 - stated)  # expected number of the other class's images on the wrong side
    if beyond < 1 - 1e-9:
        needed = math.ceil(1 / (1 - stated) - 1e-9)
        of = f"a {OTHER[measure]} of {stated:g}"
        return without(
            f"{of} cannot be told from 1 with {m:,} {names[1]}: at least {needed:,} are needed", needed=needed
        )
    cut = curve.last_within(math.floor(beyond + 1e-9))
    if cut == 0:
        shared = int(curve.others[1])
        return without(
            f"{shared:,} of {m:,} {names[1]} share the {'highest' if sign > 0 else 'lowest'} score, so no threshold "
            f"that predicts both classes has a {OTHER[measure]} of {stated:g}"
        )
    value, attained = float(curve.own[cut] / n), float(1 - curve.others[cut] / m)
    shown = inside(float(curve.values[cut - 1]))
    threshold = float(sign * curve.values[cut - 1 if sign > 0 else cut])
    low, high = _interval(curve, value, shown, stated, level)
    result = estimate(value, low, high, n, None if people is None else people[0], METHOD)
    smaller = estimate(attained, 0.0, 1.0, *of_other, METHOD)
    reason, needed = "", 0
    if beyond < MIN_BEYOND - 1e-9:
        needed = math.ceil(MIN_BEYOND / (1 - stated) - 1e-9)
        reason = f"{m:,} {names[1]} are few for a {OTHER[measure]} of {stated:g}: at least {needed:,} are needed"
    elif result.small or smaller.small:
        reason = f"too few {' and '.join(name for name, e in zip(names, (result, smaller), strict=True) if e.small)}"
    if reason:
        result = replace(result, status="small")
    return OperatingPoint(measure, stated, result, threshold, attained, *of_other, needed, reason)


def check_rate(value: float, what: str) -> None:
    """Refuse a stated rate or prevalence that is not between 0 and 1, both excluded.

    Raises:
        InputError: It is refused.
    """
    if not 0 < value < 1:
        raise InputError(f"{what}: got {value:g}, expected a number between 0 and 1, such as 0.95 for 95 %")


def checked_rates(values: Sequence[float], what: str) -> tuple[float, ...]:
    """Return stated rates or prevalences as numbers.

    Raises:
        InputError: One is not between 0 and 1, or is stated twice.

    >>> checked_rates([0.9, 1.5], "specificity")
    Traceback (most recent call last):
    bincam.errors.InputError: specificity: got 1.5, expected a number between 0 and 1, such as 0.95 for 95 %
    """
    numbers = tuple(float(value) for value in values)
    for number in numbers:
        check_rate(number, what)
        if numbers.count(number) > 1:
            raise InputError(f"{what}: {number:g} is stated twice")
    return numbers


@dataclass(frozen=True)
class Curve:
    """Numbers of images at or above each distinct score.

    Attributes:
        values: ``(m,)``: the distinct scores, descending.
        own: ``(m + 1,)``: number of the own class's images among the images of the k highest scores, k = 0 ... m.
        others: ``(m + 1,)``: the same of the other class.
    """

    values: Floats
    own: NDArray[np.int64]
    others: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Floats, own: NDArray[np.bool_], other: NDArray[np.bool_]) -> Curve:
        """Count the images of both classes at each of their scores ``(N,)``."""
        values, place = np.unique(scores[own | other], return_inverse=True)
        counts = [np.bincount(place, member[own | other], len(values)) for member in (own, other)]
        return cls.of_counts(values, counts[0], counts[1])

    @classmethod
    def of_counts(cls, values: Floats, own: NDArray[Any], others: NDArray[Any]) -> Curve:
        """Make it of ascending scores ``(m,)`` and the numbers of images that have each."""
        of_own, of_others = (np.append(0, count[::-1].cumsum()).astype(np.int64) for count in (own, others))
        return cls(values[::-1], of_own, of_others)

    def cut(self, stated: float) -> int:
        """Return k, so that the k highest scores are inside and the other class's rate is at least the stated one."""
        return self.last_within(math.floor(int(self.others[-1]) * (1 - stated) + 1e-9))

    def last_within(self, allowed: float) -> int:
        """Return the largest k at which at most ``allowed`` images of the other class are inside."""
        return int(np.searchsorted(self.others, allowed, side="right")) - 1

    def first_reaching(self, number: float) -> int:
        """Return the smallest k at which at least ``number`` images of the other class are inside."""
        return int(np.searchsorted(self.others, number, side="left"))


def _interval(
    curve: Curve,
    value: float,
    inside: Inside,
    stated: float,
    level: float,
) -> tuple[float, float]:
    rate = inside.own
    lowest, highest = _range_over_thresholds(curve, inside.other, stated, level)
    below = value - float(rate.low), max(value - lowest, 0.0)
    above = float(rate.high) - value, max(highest - value, 0.0)
    # A threshold that is too low raises the rate: the errors add up if the rates of both classes rise together.
    shared = -inside.correlation
    low, high = value - hypotenuse(*below, shared), value + hypotenuse(*above, shared)
    return max(low, 0.0), min(high, 1.0)


def _range_over_thresholds(
    curve: Curve,
    beyond: Shares,
    stated: float,
    level: float,
) -> tuple[float, float]:
    """Return the lowest and the highest rate over the thresholds that the stated rate may have."""
    from scipy.stats import binom

    m = int(curve.others[-1])
    effective = implied_count(float(beyond.value), float(beyond.low), float(beyond.high), level)
    if not effective >= 1:  # one cluster: no threshold can be excluded
        return 0.0, 1.0
    trials = max(round(effective), 1)
    tail = (1 - level) / 2
    fewest, most = (float(binom.ppf(q, trials, 1 - stated)) / trials * m for q in (tail, 1 - tail))
    total = curve.own[-1]
    low = 0.0 if fewest < 1 else curve.own[curve.first_reaching(fewest - 1e-9)] / total
    return float(low), float(curve.own[curve.last_within(most + 1e-9)] / total)


def implied_count(share: float, low: float, high: float, level: float = LEVEL) -> float:
    """Compute the number of independent images whose Wilson interval of a proportion is this one; NaN without ends.

    The ends are the roots of a quadratic equation, so low·high = p²/(1 + z²/n), and the same of 1 - p.

    >>> from bincam.stats.intervals import wilson
    >>> low, high = wilson(0.1, 50)
    >>> round(implied_count(0.1, float(low), float(high)), 6)
    50.0
    """
    from scipy.special import ndtri

    p, ends = (share, low * high) if share >= 0.5 else (1 - share, (1 - low) * (1 - high))  # the larger is exact
    excess = p**2 / ends - 1 if ends > 0 else math.inf
    return float(ndtri((1 + level) / 2) ** 2 / excess) if excess > 0 else math.nan


def residual_correlation(
    first: NDArray[np.floating],
    of_first: NDArray[np.bool_],
    second: NDArray[np.floating],
    of_second: NDArray[np.bool_],
    clusters: Clusters,
) -> float:
    """Estimate the correlation of the means of two sets of images, from the clusters that have images in both.

    Args:
        first: ``(N,)``: values whose mean over ``of_first`` is the first figure.
        of_first: ``(N,)``: its images.
        second: ``(N,)``: the same of the second figure.
        of_second: ``(N,)``: its images.
        clusters: Clusters of the N images.

    Returns:
        The correlation of the residuals' sums over clusters; 0 where one does not vary, or no cluster is known.

    Example:
        Two people of whom one is recognised in all and one in half of their images, in both sets:

        >>> clusters = Clusters.of(["ann"] * 4 + ["bob"] * 4)
        >>> recognised, glasses = np.array([1.0, 1, 1, 1, 1, 0, 1, 0]), np.array([True, True, False, False] * 2)
        >>> round(residual_correlation(recognised, glasses, recognised, ~glasses, clusters), 6)
        1.0
    """
    if not clusters.known:
        return 0.0
    sums: list[Floats] = []
    for values, member in ((first, of_first), (second, of_second)):
        residual = np.where(member, values - values[member].mean(), 0.0)
        sums.append(np.bincount(clusters.codes, residual, clusters.count).astype(float))
    return _correlated(sums)


def residual_correlation_of_totals(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats], *, known: bool = True
) -> float:
    """Estimate the correlation of ``residual_correlation`` from what each cluster has.

    Args:
        first: Sums of values and numbers of images of the first set, ``(K,)`` each.
        second: Of the second set.
        known: False without people, where it is 0.

    >>> one = np.array([1.0, 1.0])
    >>> round(residual_correlation_of_totals((np.array([2.0, 1.0]), 2 * one), (np.array([2.0, 1.0]), 2 * one)), 6)
    1.0
    """
    if not known or not first[1].sum() or not second[1].sum():
        return 0.0
    return _correlated([total - total.sum() / size.sum() * size for total, size in (first, second)])


def _correlated(sums: Sequence[Floats]) -> float:
    varies = all(float(np.sum(of_set**2)) > 1e-12 for of_set in sums)  # otherwise only by rounding
    return correlation(*sums) if varies else 0.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
