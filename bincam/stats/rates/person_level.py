"""Error rates in which every person counts once, beside those in which every image does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, Floats, estimate, undefined
from bincam.stats.intervals import wilson

METHOD = "wilson over people"
UNKNOWN = "no identities"


@dataclass(frozen=True)
class PersonRates:
    """Error rates of one cell of images, over people.

    Attributes:
        mean: Mean over people of the share of their own images that is misclassified.
        ever: Share of people of whom at least one image is misclassified. It grows with the images that people have.
        always: Share of people all of whose images are misclassified.

    Example:
        ``person_rates`` returns it.

        >>> person_rates(np.ones(3), Clusters.of(["", "", ""])).mean.method
        'no identities'
    """

    mean: Estimate
    ever: Estimate
    always: Estimate


def person_rates(wrong: NDArray[np.floating], clusters: Clusters, level: float = LEVEL) -> PersonRates:
    """Estimate how often people, not images, are misclassified.

    A person with 30 images weighs as much as one with a single image, whereas image-level rates are dominated by the
    people with most images. The mean is Σ_k (x_k / n_k) / K for K people with x_k errors among n_k images. Its interval
    is Wilson's, for the number of independent yes-or-no answers that would give a mean m the same precision,
    m(1 - m)/s²·(z/t_{K-1})² with s² the variance of the people's shares, between K and the number of images; where all
    shares are equal, the images of a person count as one answer. *Ours*, after the effective sample size of Korn and
    Graubard (1998). The two other rates are proportions of K independent people.

    Args:
        wrong: ``(N,)``: 1 where an image is misclassified, 0 where not, NaN where unknown or not in the cell.
        clusters: The people of the N images.
        level: Confidence level.

    Returns:
        Undefined estimates where the data names no people, or no image is counted.

    Example:
        Ann has one image, which is wrong, and Bob nine, of which none is:

        >>> rates = person_rates(np.array([1.0] + [0.0] * 9), Clusters.of(["ann"] + ["bob"] * 9))
        >>> rates.mean.value, rates.ever.value, rates.mean.images, rates.mean.identities
        (0.5, 0.5, 10, 2)
    """
    counted = np.isfinite(wrong)
    images = int(counted.sum())
    if not clusters.known or not images:
        none = undefined(METHOD if clusters.known else UNKNOWN, images, 0 if clusters.known else None)
        return PersonRates(none, none, none)
    codes = clusters.codes[counted]
    return person_rates_of_totals(np.bincount(codes, wrong[counted]), np.bincount(codes), level)


def person_rates_of_totals(errors: NDArray[Any], sizes: NDArray[Any], level: float = LEVEL) -> PersonRates:
    """Estimate the rates as ``person_rates`` does, from what each person has.

    Args:
        errors: ``(K,)``: number of misclassified images.
        sizes: ``(K,)``: number of images; people without one do not count.
        level: Confidence level.

    >>> rates = person_rates_of_totals(np.array([1.0, 0.0]), np.array([1, 9]))
    >>> rates.mean.value, rates.always.value
    (0.5, 0.5)
    """
    images = int(sizes.sum())
    if not images:
        none = undefined(METHOD, 0, 0)
        return PersonRates(none, none, none)
    errors, sizes = errors[sizes > 0], sizes[sizes > 0]
    share = errors / sizes
    people = len(sizes)
    mean = float(share.mean())
    low, high = wilson(mean, _answers(share, mean, images, level), level)
    ever, always = float((errors > 0).mean()), float((errors == sizes).mean())

    def proportion(value: float) -> Estimate:
        low, high = wilson(value, people, level)
        return estimate(value, float(low), float(high), images, people, METHOD)

    return PersonRates(
        estimate(mean, float(low), float(high), images, people, METHOD), proportion(ever), proportion(always)
    )


def _answers(share: Floats, mean: float, images: int, level: float) -> float:
    """The number of independent answers whose proportion is as precise as the mean of the people's shares."""
    from scipy.stats import norm, t

    people = len(share)
    if people < 2:
        return float(people)
    tail = 1 - (1 - level) / 2
    few = float((norm.ppf(tail) / t.ppf(tail, people - 1)) ** 2)
    spread = float(share.var(ddof=1))
    if spread == 0:
        return people * few
    return float(np.clip(people * mean * (1 - mean) / spread, people, max(images, people))) * few
