"""Calibration of probabilities: calibration error, Brier score and reliability, before and after prior correction.

``calibrate`` puts intervals around the figures of an audit; ``ece_and_brier`` gives those of training from integer sums
(``stats.classification`` says why there are two summations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.decision import is_finite
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.intervals import quantiles, wilson
from bincam.stats.outcomes import is_usable

BINS = 15
"""Number of bins of equal width over [0, 1], for the calibration error."""

UNIT = 2**-30
"""Training sums probabilities as integers in this unit, so that sums do not depend on their order."""


@dataclass(frozen=True)
class Calibration:
    """Calibration of one attribute.

    Attributes:
        ece: Expected calibration error, in probability.
        brier: Mean squared error of the probabilities.
        bins: One per bin that contains an image: ``lower``, ``upper``, ``images``, ``mean_probability``,
            ``positive_rate``, and its interval ``low``, ``high``.
        reason: The reason why it is undefined; empty where it is defined.

    Example:
        ``calibrate`` returns it.

        >>> from bincam.stats import Clusters
        >>> clusters = Clusters.of(["", "", ""])
        >>> calibration = calibrate(np.full(3, np.nan), np.ones(3), clusters, clusters.weights(100, seed=0))
        >>> calibration.ece.status, calibration.reason
        ('undefined', 'no image has both a label and a logit')
    """

    ece: Estimate
    brier: Estimate
    bins: tuple[dict[str, Any], ...]
    reason: str = ""


def probability(logit: NDArray[np.floating], head: str) -> NDArray[np.float64]:
    """Compute the probability of the positive class: σ(z), and (z + 1)/2 clipped to [0, 1] for a ``margin`` head.

    NaN for a logit that is not finite, because it has overflowed. ``bincam.models.heads.probability`` is the same for
    tensors.

    >>> probability(np.array([0.0, 2.0, np.inf]), "logits").round(3)
    array([0.5  , 0.881,   nan])
    >>> probability(np.array([0.0, 2.0]), "margin")
    array([0.5, 1. ])
    """
    from scipy.special import expit

    z = np.asarray(logit, float)
    share = np.clip((z + 1) / 2, 0, 1) if head == "margin" else expit(z)
    return np.where(is_finite(z), share, np.nan)


def bin_index(probabilities: NDArray[np.float64], bins: int = BINS) -> NDArray[np.intp]:
    """Return the bin of each probability in [0, 1], any shape; 1 falls into the last."""
    return np.minimum((probabilities * bins).astype(np.intp), bins - 1)


def bin_sums(
    probabilities: NDArray[np.float64], positive: NDArray[np.bool_], defined: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sum probabilities and labels by bin, as integers, so that the sums of parts of a data set add up exactly.

    Args:
        probabilities: ``(N, A)`` in [0, 1].
        positive: ``(N, A)``: True for positives.
        defined: ``(N, A)``: the images to sum over.

    Returns:
        Images, positives, and probabilities in units of ``UNIT``, ``(A, BINS)`` each; and the squared differences of
        probability and label in units of ``UNIT``, ``(A,)``.
    """
    A = probabilities.shape[1]
    place = (bin_index(probabilities) + BINS * np.arange(A))[defined]
    units = np.rint(probabilities / UNIT).astype(np.int64)

    def per_bin(amount: NDArray[np.int64]) -> NDArray[np.int64]:
        result = np.zeros(A * BINS, np.int64)
        np.add.at(result, place, amount[defined])
        return result.reshape(A, BINS)

    squares = np.where(defined, np.rint((probabilities - positive) ** 2 / UNIT), 0).astype(np.int64).sum(0)
    return per_bin(np.ones_like(units)), per_bin(positive.astype(np.int64)), per_bin(units), squares


def ece_and_brier(
    images: NDArray[np.int64],
    positives: NDArray[np.int64],
    probabilities: NDArray[np.int64],
    squares: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the expected calibration error and the Brier score from the sums of ``bin_sums``.

    Returns:
        ``(A,)`` each; NaN for an attribute without images.

    >>> half, one = np.array([[0.5], [1.0]]), np.array([[True], [True]])
    >>> ece_and_brier(*bin_sums(half, one, one))
    (array([0.25]), array([0.125]))
    """
    n = images.sum(1)
    differences = np.abs(positives - probabilities * UNIT).sum(1)
    with np.errstate(invalid="ignore"):
        return differences / n, squares * UNIT / n


def calibrate(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.floating],
    clusters: Clusters,
    weights: NDArray[np.float32],
    *,
    level: float = LEVEL,
    bins: int = BINS,
) -> Calibration:
    """Estimate the reliability of probabilities, over bins of equal width (Guo et al. 2017).

    ECE = Σ_b |Σ_{i in b} (p_i - y_i)| / N. A resample's ECE is larger than the sample's on average, because chance adds
    to every bin's difference; the percentiles are corrected by that excess, so that the interval contains the figure.
    Bins show Wilson's interval of the positive rate, in which images count as independent.

    Args:
        probabilities: ``(N,)``; NaN is left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        weights: ``(K, R)``, of ``Clusters.weights``.
        level: Confidence level.
        bins: Number of bins.

    Example:
        A model that is too sure of itself: of 100 images with a probability of 0.9, 70 are positive.

        >>> from bincam.stats import Clusters
        >>> clusters = Clusters.of([""] * 100)
        >>> weights = clusters.weights(1000, seed=0)
        >>> calibration = calibrate(np.full(100, 0.9), (np.arange(100) < 70).astype(float), clusters, weights)
        >>> round(calibration.ece.value, 3), round(calibration.brier.value, 3)
        (0.2, 0.25)
        >>> [(b["images"], b["mean_probability"].__round__(2), b["positive_rate"]) for b in calibration.bins]
        [(100, 0.9, 0.7)]
    """
    kept = np.flatnonzero(is_usable(labels, probabilities))
    method = clusters.bootstrap
    inside = np.isin(np.arange(len(labels)), kept)
    cluster_count = clusters.identities(inside)
    people = None if cluster_count is None else int(cluster_count)
    if not len(kept):
        none = undefined(method, 0, people)
        return Calibration(none, none, (), "no image has both a label and a logit")
    p, y = probabilities[kept], (labels[kept] > 0).astype(float)
    at = bin_index(p, bins)
    excess, squared = p - y, (p - y) ** 2
    # Sums per cluster first: resampling is then one product of (K, bins + 2) numbers.
    K = len(weights)
    codes = clusters.codes[kept]
    table = np.zeros((K, bins + 2))
    table[:, :bins] = np.bincount(codes * bins + at, excess, K * bins).reshape(K, bins)
    table[:, bins] = np.bincount(codes, squared, K)
    table[:, bins + 1] = np.bincount(codes, minlength=K)
    drawn = table.T.astype(np.float32) @ weights  # (bins + 2, R)
    ece = float(np.abs(table[:, :bins].sum(0)).sum() / len(kept))
    with np.errstate(invalid="ignore", divide="ignore"):
        samples = np.abs(drawn[:bins]).sum(0) / drawn[-1]
        brier = drawn[bins] / drawn[-1]
    centred = samples - np.nanmean(samples) + ece if np.isfinite(samples).any() else samples
    ece_low, ece_high = quantiles(centred[None], level)
    brier_low, brier_high = quantiles(brier[None].copy(), level)
    return Calibration(
        estimate(ece, max(ece_low[0], 0.0), min(ece_high[0], 1.0), len(kept), people, method),
        estimate(squared.mean(), brier_low[0], brier_high[0], len(kept), people, method),
        _reliability(p, y, at, bins, level),
    )


def _reliability(
    p: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.integer], bins: int, level: float
) -> tuple[dict[str, Any], ...]:
    images = np.bincount(at, minlength=bins)
    used = images > 0
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, p, bins) / images
        rate = np.bincount(at, y, bins) / images
    low, high = wilson(rate, images, level)
    return tuple(
        {
            "lower": float(b / bins),
            "upper": float((b + 1) / bins),
            "images": int(images[b]),
            "mean_probability": float(mean[b]),
            "positive_rate": float(rate[b]),
            "low": float(low[b]),
            "high": float(high[b]),
        }
        for b in np.flatnonzero(used)
    )


def unshifted(
    logit: NDArray[np.floating], shift: float | None, head: str, fitted: Sequence[float] | None = None
) -> tuple[NDArray[np.float64], str]:
    """Compute prior-corrected probabilities, in which the shift that the training loss gives to all logits is undone.

    Args:
        logit: ``(N,)``, z = log-odds + shift for a well fitted model.
        shift: The logit shift of the model's card; None if it states none.
        head: The card's head: what a logit means.
        fitted: The card's slope and intercept, fitted on validation data, for a loss without a constant shift.

    Returns:
        The probabilities ``(N,)``, and the reason if all are NaN, else an empty one.

    >>> unshifted(np.array([1.0]), 1.0, "logits")
    (array([0.5]), '')
    >>> unshifted(np.array([1.0]), None, "logits")
    (array([nan]), "the model's card states neither logit shift nor calibration")
    """
    if fitted is not None:
        return probability(fitted[0] * np.asarray(logit, float) + fitted[1], "logits"), ""
    if head == "margin":
        return np.full(len(logit), np.nan), "the outputs of a margin head are no log-odds, so no shift can be undone"
    if shift is None or not np.isfinite(shift):
        return np.full(len(logit), np.nan), "the model's card states neither logit shift nor calibration"
    return probability(np.asarray(logit, float) - shift, head), ""
