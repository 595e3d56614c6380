"""Predictive values at a prevalence: the share of positive and of negative predictions that are right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate, undefined
from bincam.stats.intervals import mover_ratio
from bincam.stats.proportions import shares, shares_of_totals
from bincam.stats.rates.operating_point import check_rate, residual_correlation, residual_correlation_of_totals

AUDITED = "audited"
"""Name of the prevalence among the audited images, in place of a stated number."""

NO_CLASS = ("no positives", "no negatives")
"""Reasons for which more images could help; the others say something about the classifier."""

METHOD = "variance recovery over both classes"


@dataclass(frozen=True)
class PredictiveValues:
    """Predictive values at one prevalence.

    Attributes:
        prevalence: The share of positives that the values are stated at.
        audited: True if it is the share among the audited images, False if it was stated.
        ppv: Positive predictive value: the share of positive predictions that are right.
        npv: Negative predictive value: the share of negative predictions that are right.
        reasons: Why a value is undefined, by ``ppv`` and ``npv``; empty texts otherwise.
    """

    prevalence: float
    audited: bool
    ppv: Estimate
    npv: Estimate
    reasons: tuple[str, str] = ("", "")

    def to_json(self) -> list[dict[str, Any]]:
        """Return a JSON object for each of the two values."""
        prevalence = self.prevalence if math.isfinite(self.prevalence) else None
        return [
            {
                **value.to_json(),
                "measure": measure,
                "at": "prevalence",
                "stated": AUDITED if self.audited else prevalence,
                "prevalence": prevalence,
                "reason": reason,
                "too_few": reason in NO_CLASS,
            }
            for measure, value, reason in zip(("ppv", "npv"), (self.ppv, self.npv), self.reasons, strict=True)
        ]


def predictive_values(
    predicted: NDArray[np.floating],
    labels: NDArray[np.floating],
    clusters: Clusters,
    prevalence: float | None = None,
    level: float = LEVEL,
) -> PredictiveValues:
    """Estimate the positive and the negative predictive value at a prevalence.

    With p the prevalence, Bayes' theorem gives PPV = 1 / (1 + r(1 - p)/p), where r = FPR/TPR is the reciprocal of the
    positive likelihood ratio, and NPV = 1 / (1 + r'p/(1 - p)) with r' = FNR/TNR. The stated prevalence is a constant,
    so an interval of the ratio gives one of the value (Mercaldo, Lau and Zhou 2007). Theirs is a delta interval on the
    logit scale, which does not exist where a rate is 0; this one joins the Wilson intervals of both rates, with their
    effective numbers of images, by MOVER (Donner and Zou 2012), and accounts for people with images in both classes. A
    value of 1 or 0 has an interval, too.

    At the audited prevalence the values are plain proportions of the predictions, with Wilson's interval: there the
    prevalence varies with the images.

    Args:
        predicted: ``(N,)``: 1 for a positive prediction, 0 for a negative one, NaN where there is none.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        prevalence: Stated share of positives; None for that of the audited images.
        level: Confidence level.

    Returns:
        The values; ``images`` counts those of both classes, at the audited prevalence those with the prediction. A
        value is undefined where a class has no image, or no image of either class has the prediction; small where one
        class is.

    Raises:
        InputError: The prevalence is not between 0 and 1.

    Example:
        A test that recognises 90 of 100 positives, and 95 of 100 negatives:

        >>> from bincam.stats import Clusters
        >>> labels, predicted = np.repeat([1.0, 0.0], 100), np.repeat([1.0, 0.0, 1.0, 0.0], [90, 10, 5, 95])
        >>> clusters = Clusters.of([""] * 200)
        >>> for prevalence in (None, 0.01):
        ...     ppv = predictive_values(predicted, labels, clusters, prevalence).ppv
        ...     print([round(x, 2) for x in (ppv.value, ppv.low, ppv.high)], ppv.images)
        [0.95, 0.88, 0.98] 95
        [0.15, 0.07, 0.3] 200
    """
    usable = np.isfinite(predicted) & np.isfinite(labels)
    positive, negative = usable & (labels > 0), usable & ~(labels > 0)
    if prevalence is None:
        right = np.where(predicted > 0, positive, ~positive).astype(float)
        of_prediction = [shares(right, usable & (predicted == side), clusters, level).estimate() for side in (1, 0)]
        n = int(usable.sum())
        return _audited(of_prediction, float(positive.sum() / n) if n else math.nan)
    people = clusters.identities(usable)
    total = int(usable.sum()), None if people is None else int(people)
    decided = (predicted, 1 - predicted)
    rates = [[shares(one, member, clusters, level).estimate() for member in (positive, negative)] for one in decided]

    def correlated(side: int) -> float:
        return residual_correlation(decided[side], negative, decided[side], positive, clusters)

    return _at_prevalence(rates, correlated, prevalence, total)


def predictive_values_of_totals(
    hits: Floats, sizes: Floats, prevalence: float | None = None, level: float = LEVEL, *, known: bool
) -> PredictiveValues:
    """Estimate predictive values as ``predictive_values`` does, from what each cluster has.

    Args:
        hits: ``(K, 2)``: number of positive predictions among positives and among negatives.
        sizes: ``(K, 2)``: number of positives and of negatives.
        prevalence: As for ``predictive_values``.
        level: Confidence level.
        known: True if clusters are people.

    >>> hits, sizes = np.array([[90.0, 5.0]]), np.array([[100.0, 100.0]])
    >>> ppv = predictive_values_of_totals(hits, sizes, 0.01, known=False).ppv
    >>> [round(x, 2) for x in (ppv.value, ppv.low, ppv.high)], ppv.images
    ([0.15, 0.07, 0.3], 200)
    """
    misses = sizes - hits
    if prevalence is None:
        right = np.stack([hits[:, 0], misses[:, 1]], 1)
        decided = np.stack([hits.sum(1), misses.sum(1)], 1)
        share = shares_of_totals(right, decided, known=known, level=level)
        n = float(sizes.sum())
        return _audited([share.estimate(0), share.estimate(1)], float(sizes[:, 0].sum()) / n if n else math.nan)
    total = int(sizes.sum()), int((sizes.sum(1) > 0).sum()) if known else None
    rates = []
    for one in (hits, misses):
        share = shares_of_totals(one, sizes, known=known, level=level)
        rates.append([share.estimate(0), share.estimate(1)])
    sets = [(hits[:, side], sizes[:, side]) for side in (1, 0)]
    return _at_prevalence(
        rates, lambda _: residual_correlation_of_totals(sets[0], sets[1], known=known), prevalence, total
    )


def _at_prevalence(
    rates: Sequence[Sequence[Estimate]],
    correlated: Callable[[int], float],
    prevalence: float,
    total: tuple[int, int | None],
) -> PredictiveValues:
    """Estimate predictive values from the rates of positive and of negative predictions among both classes."""
    check_rate(prevalence, "prevalence")
    odds = prevalence / (1 - prevalence)
    values, reasons = [], []
    for side, (word, weight) in enumerate((("positive", 1 / odds), ("negative", odds))):
        of_right, of_wrong = rates[side][side], rates[side][1 - side]
        value, reason = undefined(METHOD, *total), ""
        if not of_right.images or not of_wrong.images:
            reason = NO_CLASS[0] if not rates[side][0].images else NO_CLASS[1]
        elif not (of_right.value > 0 or of_wrong.value > 0):
            reason = f"no image is predicted {word}"
        else:
            value = _transformed(of_wrong, of_right, correlated(side), weight, total)
        values.append(value)
        reasons.append(reason)
    return PredictiveValues(prevalence, False, values[0], values[1], (reasons[0], reasons[1]))


def _transformed(
    of_wrong: Estimate, of_right: Estimate, correlation: float, weight: float, total: tuple[int, int | None]
) -> Estimate:
    """Estimate 1 / (1 + weight·r), where r is the rate of a prediction in the wrong class by that in the right one."""
    if of_right.value > 0:
        ratio = of_wrong.value / of_right.value
        low, high = mover_ratio(of_wrong, of_right, correlation)
        ends = _value(high, weight), _value(low, weight)
    else:  # the reciprocal is 0, and finite
        ratio = math.inf
        low, high = mover_ratio(of_right, of_wrong, correlation)
        ends = 1 - _value(low, 1 / weight), 1 - _value(high, 1 / weight)
    low, high = (bound if math.isnan(end) else min(max(end, 0.0), 1.0) for end, bound in zip(ends, (0, 1), strict=True))
    result = estimate(_value(ratio, weight), low, high, *total, METHOD)
    if result.defined and (of_wrong.small or of_right.small):
        return Estimate(result.value, result.low, result.high, *total, "small", METHOD)
    return result


def _value(ratio: float, weight: float) -> float:
    return 0.0 if math.isinf(ratio) else 1 / (1 + weight * ratio)


def _audited(values: Sequence[Estimate], prevalence: float) -> PredictiveValues:
    """Give the shares of positive and of negative predictions that are right."""
    words = ("positive", "negative")
    reasons = ["" if one.images else f"no image is predicted {word}" for one, word in zip(values, words, strict=True)]
    return PredictiveValues(prevalence, True, values[0], values[1], (reasons[0], reasons[1]))
