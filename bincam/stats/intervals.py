"""Figures with their intervals: proportions by Wilson, everything else by quantiles of resamples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.stats.estimate import LEVEL, Estimate, Floats, Status, undefined

MIN_DEFINED = 0.5
"""Share of resamples in which a figure must be defined for its interval to be."""


def wilson(share: ArrayLike, count: ArrayLike, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Wilson's score interval of proportions (statsmodels), NaN where nothing was counted.

    Args:
        share: Proportions, any shape.
        count: Of how many; may be an effective, fractional number.
        level: Of confidence.

    Returns:
        Lower and upper ends.
    """
    from statsmodels.stats.proportion import proportion_confint

    held, p = np.broadcast_arrays(np.asarray(count, float), np.asarray(share, float))
    known = np.isfinite(p) & (held > 0)
    n = np.where(known, held, 1.0)
    low, high = proportion_confint(np.where(known, p, 0.0) * n, n, alpha=1 - level, method="wilson")
    return np.where(known, np.clip(low, 0, 1), np.nan), np.where(known, np.clip(high, 0, 1), np.nan)


def effective_count(
    share: Floats, images: Floats, clusters: Floats, residuals: Floats, squares: Floats, level: float = LEVEL
) -> Floats:
    """How many independent images would give a proportion the precision that clustered ones give it.

    The design effect is the variance linearised over clusters, over that of a simple random sample (Kish 1965), never
    below 1; the quotient of the quantiles of Student's t accounts for few clusters (Korn and Graubard 1998). Where all
    answers are alike the variance says nothing, and images of one person are taken to be one answer.

    Args:
        share: The proportion p.
        images: n.
        clusters: K.
        residuals: Σ_k (x_k - p·n_k)², over clusters with x_k ones among n_k images.
        squares: Σ_k n_k².
        level: Of the interval to be made.

    Returns:
        n/deff·(t_{n-1}/t_{K-1})²; n where every cluster holds one image; NaN for fewer than two clusters.
    """
    from scipy.stats import t

    tail = 1 - (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        clustered = clusters / (clusters - 1) * residuals / images**2
        simple = share * (1 - share) / (images - 1)
        deff = np.where(simple > 0, np.maximum(1.0, clustered / simple), squares / images)
        few = (t.ppf(tail, np.maximum(images - 1, 1)) / t.ppf(tail, np.maximum(clusters - 1, 1))) ** 2
        effective = images / deff * few
    return np.where(clusters >= 2, effective, np.nan)


def quantiles(samples: NDArray[np.floating], level: float = LEVEL) -> tuple[Floats, Floats]:
    """Ends of the percentile interval along the last axis; resamples without a value are left out.

    Args:
        samples: ``(..., R)``, NaN where undefined. It is sorted in place.
        level: Of confidence.

    Returns:
        Lower and upper ends ``(...)``, interpolated as numpy does; NaN where fewer than half are defined.
    """
    samples.sort(axis=-1)  # NaN last
    defined = samples.shape[-1] - np.isnan(samples).sum(-1)
    ends = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        position = np.maximum(defined - 1, 0) * share
        below = np.floor(position).astype(int)
        above = np.minimum(below + 1, np.maximum(defined - 1, 0))
        lower = np.take_along_axis(samples, below[..., None], -1)[..., 0].astype(float)
        upper = np.take_along_axis(samples, above[..., None], -1)[..., 0].astype(float)
        found = lower + (upper - lower) * (position - below)
        ends.append(np.where(defined > MIN_DEFINED * samples.shape[-1], found, np.nan))
    return ends[0], ends[1]


def mean_of_two(
    first: Estimate,
    second: Estimate,
    drawn: NDArray[np.floating],
    *,
    identities: int | None,
    method: str,
    level: float = LEVEL,
) -> Estimate:
    """Half the sum of two figures of different images, its interval from resamples that draw both.

    Where one person is in both figures their errors go together, and resamples of people show it. Where resamples say
    too little about one figure (see ``spent``), the interval is the union of theirs and the recovered one, which takes
    the two to be independent.

    Args:
        first: One figure, with an interval of its own.
        second: The other.
        drawn: ``(2, R)``: both in the same resamples, NaN where undefined.
        identities: How many people are in either, each counted once, or None.
        method: What the resamples are called.
        level: Of confidence.
    """
    value = (first.value + second.value) / 2
    samples = (drawn[0].astype(float) + drawn[1]) / 2
    return _joined(value, samples, recovered_mean(first, second), (first, second), drawn, identities, method, level)


def gap(
    worse: Estimate,
    better: Estimate,
    drawn: NDArray[np.floating],
    *,
    identities: int | None,
    method: str,
    level: float = LEVEL,
) -> Estimate:
    """``worse - better``; arguments and interval as of ``mean_of_two``."""
    samples = drawn[0].astype(float) - drawn[1]
    recovered = recovered_gap(worse, better)
    return _joined(worse.value - better.value, samples, recovered, (worse, better), drawn, identities, method, level)


def ratio(
    over: Estimate,
    under: Estimate,
    drawn: NDArray[np.floating],
    *,
    identities: int | None,
    method: str,
    level: float = LEVEL,
) -> Estimate:
    """``over / under`` of two figures that are not negative; arguments and interval as of ``mean_of_two``.

    Undefined where a figure is negative or ``under`` is 0. A resample in which ``under`` alone is 0 counts as infinite,
    one in which both are as undefined; there is no upper end where that many are infinite.
    """
    if not (over.value >= 0 and under.value > 0):
        return undefined(method, over.images + under.images, identities)
    with np.errstate(invalid="ignore", divide="ignore"):
        samples = np.maximum(drawn[0].astype(float), 0) / np.maximum(drawn[1], 0)
    recovered = recovered_ratio(over, under)
    return _joined(over.value / under.value, samples, recovered, (over, under), drawn, identities, method, level)


def spent(drawn: NDArray[np.floating], level: float = LEVEL) -> bool:
    """Whether resamples of a figure ``(R,)`` say too little about how far it may lie off.

    They do not vary, as those of a rate of 0 of n images never do, or its percentile interval ends at 0 or at 1: about
    three errors or fewer, so that many resamples hold none.
    """
    known = drawn[np.isfinite(drawn)]
    if not known.size or np.ptp(known) <= 1e-6 * np.abs(known).max():
        return True
    tail = (1 - level) / 2
    return bool(max(np.mean(known == 0), np.mean(known == 1)) > tail)


def recovered_mean(first: Estimate, second: Estimate) -> tuple[float, float]:
    """Ends for half the sum of two independent figures, from the ends of both (Zou and Donner 2008)."""
    value = (first.value + second.value) / 2
    low = value - math.hypot(first.value - first.low, second.value - second.low) / 2
    return low, value + math.hypot(first.high - first.value, second.high - second.value) / 2


def recovered_gap(worse: Estimate, better: Estimate) -> tuple[float, float]:
    """Ends for ``worse - better`` of two independent figures, from the ends of both (Newcombe 1998)."""
    value = worse.value - better.value
    low = value - math.hypot(worse.value - worse.low, better.high - better.value)
    return low, value + math.hypot(worse.high - worse.value, better.value - better.low)


def recovered_ratio(over: Estimate, under: Estimate) -> tuple[float, float]:
    """Ends for ``over / under`` of two independent figures, from the ends of both (Donner and Zou 2012).

    ``over`` is not negative and ``under`` positive. The upper end is NaN where ``under`` may be 0.
    """
    a, b = over.value, under.value
    c, d = max(over.low, 0.0), max(under.low, 0.0)
    low = _fieller(a * b, c * (2 * a - c), under.high * (2 * b - under.high), -1)
    high = _fieller(a * b, over.high * (2 * a - over.high), d * (2 * b - d), 1) if d > 0 else math.nan
    return low, high


def _fieller(product: float, above: float, below: float, sign: int) -> float:
    """A root of below·r² - 2·product·r + above = 0."""
    root = product**2 - above * below
    if root < 0 or not math.isfinite(root):
        return math.nan
    return (product + sign * math.sqrt(root)) / below if below else above / (2 * product) if product else math.nan


def _joined(
    value: float,
    samples: Floats,
    recovered: tuple[float, float],
    parts: tuple[Estimate, Estimate],
    drawn: NDArray[np.floating],
    identities: int | None,
    method: str,
    level: float,
) -> Estimate:
    """An estimate from two of different images: small where one of them is. An end that is not known is NaN."""
    images = parts[0].images + parts[1].images
    if not math.isfinite(value):
        return undefined(method, images, identities)
    with np.errstate(invalid="ignore"):  # between infinite resamples
        ends = [float(end[0]) for end in quantiles(samples[None], level)]
    low, high = (end if math.isfinite(end) else math.nan for end in ends)
    if any(spent(one, level) for one in drawn):
        method = f"union of {method} and variance recovery"
        low, high = float(np.minimum(low, recovered[0])), float(np.maximum(high, recovered[1]))  # NaN stays
    status: Status = "ok" if parts[0].status == parts[1].status == "ok" else "small"
    return Estimate(value, low, high, images, identities, status, method)
