"""Expected calibration error and what chance adds to it: its debiased value, its null distribution, and bounds.

ECE is a sum of absolute values, so that chance does not cancel: that of a perfectly calibrated model of 100 images is
about 0.12. The value alone says nothing, and an interval around it excludes 0 whatever the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.stats.estimate import LEVEL
from bincam.stats.intervals import wilson

Floats = NDArray[np.float64]

DRAWS = 1000
"""Number of draws from the null distribution: p is a multiple of about 0.001."""

MOST_DRAWN = 1000
"""With more clusters that share their chance, the sums of bins are drawn from a normal distribution."""


@dataclass(frozen=True)
class CalibrationError:
    """An expected calibration error, and how much of it may be chance.

    Attributes:
        value: The plug-in value Σ_b |Σ_{i in b} (p_i - y_i)| / N.
        debiased: The error of which the plug-in value is the expectation, at least 0.
        null_mean: Mean of the plug-in value of a perfectly calibrated model, with these probabilities and clusters.
        null_high: Its 95 % quantile.
        p: p-value of the hypothesis of perfect calibration.
        low: Lower confidence bound of the true error.
        high: Upper confidence bound of the true error.
        correlation: Estimated share of clusters whose images share their chance; 0 where images are independent.
    """

    value: float
    debiased: float
    null_mean: float
    null_high: float
    p: float
    low: float
    high: float
    correlation: float

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> CalibrationError:
        """Read what ``to_json`` writes."""
        return cls(**{name: math.nan if entry[name] is None else float(entry[name]) for name in cls.__annotations__})

    def to_json(self) -> dict[str, float]:
        """Return the fields as a JSON object."""
        return {name: float(getattr(self, name)) for name in type(self).__annotations__}


@dataclass(frozen=True)
class BinSums:
    """Sums over the images of each cluster in each bin.

    Attributes:
        images: ``(K, B)``.
        excess: ``(K, B)``: of p - y.
        squares: ``(B,)``: of (p - y)².
        variance: ``(B,)``: of p(1 - p), the variance of a calibrated label.
        mean: ``(B,)``: mean probability; 0 in an empty bin.
        independent: True if clusters are groups of images that are independent of one another.
    """

    images: Floats
    excess: Floats
    squares: Floats
    variance: Floats
    mean: Floats
    independent: bool = False

    @property
    def clusters(self) -> int:
        """K: the number of clusters; that of images, where these are independent."""
        return int(self.images.sum()) if self.independent else len(self.images)

    def spread(self, sign: Floats, occupied: NDArray[np.bool_]) -> float:
        """Sum the squares of what clusters have of ±(p - y), with a sign for each occupied bin, beyond their mean."""
        images, excess = self.images[:, occupied], self.excess[:, occupied]
        of_cluster, size = excess @ sign, images.sum(1)
        mean = float(of_cluster.sum()) / float(images.sum())
        if self.independent:
            return float(self.squares.sum()) - float(images.sum()) * mean**2
        return float(((of_cluster - mean * size) ** 2).sum())

    @classmethod
    def of(cls, p: Floats, y: Floats, bin_of: NDArray[np.integer], codes: NDArray[np.integer], bins: int) -> BinSums:
        """Sum probabilities ``(n,)`` and labels ``(n,)`` by bin and cluster."""
        _, cluster = np.unique(codes, return_inverse=True)
        K = int(cluster.max(initial=-1)) + 1
        at = cluster * bins + bin_of
        count = np.bincount(bin_of, minlength=bins)
        return cls(
            np.bincount(at, minlength=K * bins).reshape(K, bins).astype(float),
            np.asarray(np.bincount(at, p - y, K * bins).reshape(K, bins), float),
            np.asarray(np.bincount(bin_of, (p - y) ** 2, bins), float),
            np.asarray(np.bincount(bin_of, p * (1 - p), bins), float),
            np.bincount(bin_of, p, bins) / np.maximum(count, 1),
        )

    def shared(self) -> Floats:
        """``(B, B)``: the covariance of the bins' sums, beyond chance per image, if all clusters share their chance.

        Two images share it if one uniform number decides both labels: the covariance is min(p, q) - pq, here with the
        mean probabilities of their bins.
        """
        both = np.minimum(self.mean[:, None], self.mean) - self.mean[:, None] * self.mean
        if self.independent:
            return np.zeros_like(both)
        result = self.images.T @ self.images * both
        result[np.diag_indices(len(both))] -= self.images.sum(0) * np.diag(both)
        return np.asarray(result)

    def correlation(self) -> float:
        """Estimate the share of clusters whose images share their chance, by the method of moments.

        From p - y itself, as under the hypothesis of calibration: miscalibration counts as correlation, too. Where the
        rarer label is in one cluster only, nothing can be estimated, and all clusters share their chance.
        """
        positives = (self.images * self.mean - self.excess).sum(1)
        images = self.images.sum(1)
        possible = float(self.shared().sum())
        if possible <= 0:
            return 0.0
        if min((positives > 0.5).sum(), (positives < images - 0.5).sum()) < 2:
            return 1.0
        together = float((self.excess.sum(1) ** 2).sum() - self.squares.sum())
        return float(np.clip(together / possible, 0, 1))


def calibration_error(sums: BinSums, *, level: float = LEVEL, seed: int = 0) -> CalibrationError:
    """Estimate the expected calibration error, its null distribution and its bounds.

    *Null distribution.* Labels are drawn as Bernoulli(p), with the mean probability of their bin. In the estimated
    share of clusters one uniform number decides all labels of the cluster's images (ours), so that images of a person
    with one label are not taken as independent.

    *Debiased value.* A bin with true difference δs, in standard errors s of its sum, has the expected absolute sum
    s·h(δ), with h(δ) = E|δ + Z| for standard normal Z. The debiased value is δΣs/N for the one δ with
    Σs·h(δ)/N = plug-in value. It is unbiased where bins are equally far from calibration, in standard errors, and
    otherwise too large in expectation, because h is convex. Subtracting the null mean instead would subtract too much
    from a miscalibrated model. Bröcker (2012) and Kumar et al. (2019) debias the squared error, for which it is exact.

    *Upper bound.* The absolute sums are convex, so that the plug-in value exceeds the true one at least by
    Σ_b sign_b ε_b/N, with ε the errors of the bins' sums and the signs of the true differences. Its spread is combined
    from the bins' Wilson intervals, with the design effect of clusters, and the spread of differences between bins.

    *Lower bound.* The largest of three, each at a third of the error probability: the plug-in value less the null
    quantile, because an error is at most the true one plus that of chance; and the bounds of |mean(p - y)| and of
    |mean(sign(p - ½)(p - y))|, which are never above the true error.

    Args:
        sums: Of the images with a label and a probability; at least one.
        level: Confidence level of the bounds together: each fails with probability (1 - level)/2.
        seed: Of the draws from the null distribution.

    Example:
        Of 1,000 images with a probability of 0.9, 700 are positive:

        >>> p, y = np.full(1000, 0.9), (np.arange(1000) < 700).astype(float)
        >>> error = calibration_error(BinSums.of(p, y, np.full(1000, 13), np.arange(1000), 15))
        >>> [round(x, 3) for x in (error.value, error.debiased, error.null_mean, error.p, error.low, error.high)]
        [0.2, 0.2, 0.008, 0.001, 0.175, 0.229]
    """
    occupied = sums.images.sum(0) > 0
    images, excess = sums.images[:, occupied], sums.excess[:, occupied]
    count = images.sum(0)
    n = float(count.sum())
    correlation = sums.correlation()
    shared = sums.shared()[np.ix_(occupied, occupied)]
    value = float(np.abs(excess.sum(0)).sum() / n)
    covariance = np.diag(sums.variance[occupied]) + correlation * shared
    null = null_errors(images, sums.mean[occupied], covariance, correlation, seed)
    error = np.sqrt(np.diag(covariance))
    low = _lower_bound(value, sums, occupied, covariance, null, level)
    return CalibrationError(
        value=value,
        debiased=min(max(_debiased(value * n, float(error.sum())) / n, low), value),
        null_mean=float(null.mean()),
        null_high=float(np.quantile(null, 0.95)),
        p=float((1 + (null >= value * (1 - 1e-12)).sum()) / (1 + len(null))),
        low=low,
        high=_upper_bound(value, sums, occupied, level),
        correlation=correlation,
    )


def null_errors(images: Floats, mean: Floats, covariance: Floats, correlation: float, seed: int = 0) -> Floats:
    """Draw expected calibration errors of a perfectly calibrated model.

    Args:
        images: ``(K, B)``: number of images of each cluster in each bin; every bin has one.
        mean: ``(B,)``: mean probability.
        covariance: ``(B, B)``: of the bins' sums, for many clusters that share their chance.
        correlation: Share of clusters whose images share their chance.
        seed: The same seed gives the same draws.

    Returns:
        ``(DRAWS,)``.
    """
    rng = np.random.default_rng(seed)
    K, count = len(images), images.sum(0)
    n = count.sum()
    if correlation == 0 or (images.sum(1) <= 1).all():
        positives = rng.binomial(count.astype(int), mean, (DRAWS, len(count))).astype(float)
    elif K > MOST_DRAWN:
        drawn = rng.multivariate_normal(np.zeros(len(count)), covariance, DRAWS, check_valid="ignore", method="eigh")
        return np.asarray(np.abs(drawn).sum(1) / n)
    else:
        decided = np.where(rng.random((DRAWS, K)) < correlation, rng.random((DRAWS, K)), np.nan)
        together = np.isfinite(decided).astype(float) @ images
        positives = rng.binomial(np.rint(count - together).astype(int), mean).astype(float)
        for b, share in enumerate(mean):
            positives[:, b] += (decided < share) @ images[:, b]
    return np.asarray(np.abs(positives - count * mean).sum(1) / n)


def expected_absolute(shift: Floats) -> Floats:
    """Compute h(δ) = E|δ + Z| for standard normal Z.

    >>> expected_absolute(np.array([0.0, 3.0])).round(3)
    array([0.798, 3.001])
    """
    from scipy import stats

    return np.asarray(2 * stats.norm.pdf(shift) + shift * (1 - 2 * stats.norm.sf(shift)))


def _debiased(total: float, errors: float) -> float:
    """Solve errors·h(δ) = total for errors·δ; 0 where it has no solution."""
    from scipy import optimize

    if errors <= 0:
        return total
    ratio = total / errors
    if ratio <= float(expected_absolute(np.zeros(1))[0]):
        return 0.0
    return errors * float(optimize.brentq(lambda d: float(expected_absolute(np.array([d]))[0]) - ratio, 0, ratio + 1))


def _upper_bound(value: float, sums: BinSums, occupied: NDArray[np.bool_], level: float) -> float:
    from scipy import stats

    images, excess = sums.images[:, occupied], sums.excess[:, occupied]
    count = images.sum(0)
    K, n = sums.clusters, float(count.sum())
    bias = excess.sum(0) / count
    rate = sums.mean[occupied] - bias
    tail = (1 - level) / 2
    t = float(stats.t.isf(tail, max(K - 1, 1)))
    effect = _design_effect(sums, occupied)
    effective = count / effect * (float(stats.norm.isf(tail)) / t) ** 2
    low, high = wilson(np.clip(rate, 0, 1), effective, level)
    reach = np.maximum(rate - low, high - rate)
    between = float((count * (np.abs(bias) - value) ** 2).sum()) / n
    return float(value + math.sqrt(((count / n * reach) ** 2).sum() + t**2 * effect * between / n))


def _design_effect(sums: BinSums, occupied: NDArray[np.bool_]) -> float:
    """Compute the variance of mean(±(p - y)) over clusters per that of independent images, at least 1.

    The signs are those of the bins' differences, and, because those of calibrated bins are chance, all equal; the
    larger effect counts. Where there is one label only, images of a cluster count as one.
    """
    images, excess = sums.images[:, occupied], sums.excess[:, occupied]
    count = images.sum(0)
    K, n = sums.clusters, float(count.sum())
    if sums.independent:
        return 1.0
    positives = (sums.mean[occupied] * count - excess.sum(0)).sum()
    together = float((images.sum(1) ** 2).sum()) / n
    if K < 2 or positives < 0.5 or positives > n - 0.5:
        return together
    effects = [1.0]
    for sign in (np.sign(excess.sum(0)), np.ones(len(count))):
        of_cluster = excess @ sign
        mean = float(of_cluster.sum()) / n
        alone = float(sums.squares.sum()) - n * mean**2
        clustered = sums.spread(sign, occupied) * K / (K - 1)
        effects.append(clustered / alone if alone > 0 else together)
    return max(effects)


def _lower_bound(
    value: float, sums: BinSums, occupied: NDArray[np.bool_], covariance: Floats, null: Floats, level: float
) -> float:
    from scipy import stats

    excess, mean = sums.excess[:, occupied], sums.mean[occupied]
    K, n = sums.clusters, float(sums.images[:, occupied].sum())
    tail = (1 - level) / 2 / 3
    bounds = [0.0, value - float(np.quantile(null, 1 - tail))]
    t = float(stats.t.isf(tail, max(K - 1, 1)))
    for sign in (np.ones(len(mean)), np.sign(mean - 0.5)):
        average = float((excess @ sign).sum()) / n
        spread = sums.spread(sign, occupied) * K / max(K - 1, 1)
        # Residuals that happen to be equal are no certainty: at least the variance of a calibrated model.
        error = math.sqrt(max(spread, float(sign @ covariance @ sign))) / n
        bounds.append(abs(average) - t * error)
    return min(max(bounds), value)
