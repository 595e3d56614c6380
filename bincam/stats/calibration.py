"""Calibration of probabilities: reliability, its summary figures, and prior correction.

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
from bincam.stats.calibration_error import BinSums, CalibrationError, calibration_error
from bincam.stats.clustered.means import overall_means
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate, estimate, undefined
from bincam.stats.outcomes import is_usable
from bincam.stats.proportions import Shares, shares
from bincam.stats.recalibration import METHOD, Recalibration, recalibrate, signed_error

BINS = 15
"""Number of bins of equal width over [0, 1], for the calibration error."""

UNIT = 2**-30
"""Training sums probabilities as integers in this unit, so that sums do not depend on their order."""


PLUG_IN = "plug-in, no interval"
"""The method of calibration errors as estimates: an interval around a sum of absolute values would exclude 0."""


@dataclass(frozen=True)
class Calibration:
    """Calibration of one attribute.

    Attributes:
        ece: Expected calibration error, in probability, without an interval.
        brier: Mean squared error of the probabilities.
        bins: One per bin that contains an image: ``lower``, ``upper``, ``images``, ``identities``,
            ``mean_probability``, ``positive_rate``, and its interval ``low``, ``high``.
        error: What chance adds to ``ece``, and bounds of the true error; None where it is undefined.
        signed: Mean probability less the share of positives.
        slope: Slope of a logistic recalibration.
        intercept: Its intercept.
        reason: The reason why all of it is undefined; empty where it is defined.
        slope_reason: The reason why slope and intercept are.

    Example:
        ``calibrate`` returns it.

        >>> from bincam.stats import Clusters
        >>> clusters = Clusters.of(["", "", ""])
        >>> calibration = calibrate(np.full(3, np.nan), np.ones(3), clusters)
        >>> calibration.ece.status, calibration.reason
        ('undefined', 'no image has both a label and a logit')
    """

    ece: Estimate
    brier: Estimate
    bins: tuple[dict[str, Any], ...]
    error: CalibrationError | None
    signed: Estimate
    slope: Estimate
    intercept: Estimate
    reason: str = ""
    slope_reason: str = ""


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
    *,
    logits: NDArray[np.floating] | None = None,
    level: float = LEVEL,
    bins: int = BINS,
    seed: int = 0,
) -> Calibration:
    """Estimate the reliability of probabilities, over bins of equal width (Guo et al. 2017).

    ECE = Σ_b |Σ_{i in b} (p_i - y_i)| / N has no interval; ``calibration_error`` separates it from chance.
    ``recalibration`` defines signed error, slope and intercept. Bins show Wilson's interval of the positive rate, with
    the design effect of clusters.

    Args:
        probabilities: ``(N,)``; NaN is left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        logits: ``(N,)``: log-odds of the probabilities, which have more digits; by default computed from these.
        level: Confidence level.
        bins: Number of bins.
        seed: Of the draws of a perfectly calibrated model.

    Example:
        A model that is too sure of itself: of 100 images with a probability of 0.9, 70 are positive.

        >>> from bincam.stats import Clusters
        >>> clusters = Clusters.of([""] * 100)
        >>> calibration = calibrate(np.full(100, 0.9), (np.arange(100) < 70).astype(float), clusters)
        >>> round(calibration.ece.value, 3), round(calibration.brier.value, 3), round(calibration.signed.value, 3)
        (0.2, 0.25, 0.2)
        >>> round(calibration.error.null_mean, 3), calibration.slope_reason
        (0.023, 'all logits are equal')
        >>> [(b["images"], b["mean_probability"].__round__(2), b["positive_rate"]) for b in calibration.bins]
        [(100, 0.9, 0.7)]
    """
    kept = np.flatnonzero(is_usable(labels, probabilities))
    inside = np.isin(np.arange(len(labels)), kept)
    cluster_count = clusters.identities(inside)
    people = None if cluster_count is None else int(cluster_count)
    signed = signed_error(probabilities, labels, clusters, level)
    fit = _recalibrated(probabilities, labels, clusters, logits, level)
    if not len(kept):
        no_error, no_brier = undefined(PLUG_IN, 0, people), _brier(np.zeros(0), np.zeros(0, int), clusters.known, level)
        return Calibration(no_error, no_brier, (), None, signed, fit.slope, fit.intercept, fit.reason, fit.reason)
    p, y, codes = probabilities[kept], (labels[kept] > 0).astype(float), clusters.codes[kept]
    at = bin_index(p, bins)
    error = calibration_error(BinSums.of(p, y, at, codes, bins), level=level, seed=seed)
    squared = (p - y) ** 2
    return Calibration(
        estimate(error.value, np.nan, np.nan, len(kept), people, PLUG_IN),
        _brier(squared, codes, clusters.known, level),
        _reliability(p, y, at, Clusters(codes, clusters.known), bins, level),
        error,
        signed,
        fit.slope,
        fit.intercept,
        "",
        fit.reason,
    )


def _brier(squared: NDArray[np.float64], codes: NDArray[np.int64], known: bool, level: float) -> Estimate:
    clusters = Clusters(np.unique(codes, return_inverse=True)[1], known)
    return overall_means(squared[:, None], clusters, (0.0, 1.0), level).estimate(0, 0)


def _recalibrated(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.floating],
    clusters: Clusters,
    logits: NDArray[np.floating] | None,
    level: float,
) -> Recalibration:
    from scipy.special import logit

    usable = is_usable(labels, probabilities)
    if logits is not None:
        return recalibrate(np.where(usable, logits, np.nan), labels, clusters, level)
    certain = int((usable & ((probabilities == 0) | (probabilities == 1))).sum())
    if certain:
        nothing = undefined(METHOD, int(usable.sum()), None)
        reason = f"{certain:,} of {int(usable.sum()):,} probabilities are 0 or 1, whose log-odds are infinite"
        return Recalibration(nothing, nothing, reason)
    return recalibrate(logit(np.where(usable, probabilities, np.nan)), labels, clusters, level)


def _reliability(
    p: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.integer], clusters: Clusters, bins: int, level: float
) -> tuple[dict[str, Any], ...]:
    used = np.unique(at)
    member = at[:, None] == used
    share = shares(np.broadcast_to(y[:, None], member.shape), member, clusters, level)
    return reliability(share, used, np.bincount(at, p, bins)[used] / share.images, bins)


def reliability(
    share: Shares, used: NDArray[np.integer], mean: NDArray[np.float64], bins: int = BINS
) -> tuple[dict[str, Any], ...]:
    """Make the entries of reliability bins; see ``Calibration.bins``.

    Args:
        share: Shares of positives in the bins that have an image.
        used: Their numbers.
        mean: Their mean probabilities.
        bins: Number of all bins.
    """
    return tuple(
        {
            "lower": float(b / bins),
            "upper": float((b + 1) / bins),
            "images": int(share.images[n]),
            "identities": None if share.identities is None else int(share.identities[n]),
            "mean_probability": float(mean[n]),
            "positive_rate": float(share.value[n]),
            "low": _finite(share.low[n]),
            "high": _finite(share.high[n]),
        }
        for n, b in enumerate(used)
    )


def _finite(value: float) -> float | None:
    """None for NaN: a bin of one person has no interval."""
    return float(value) if np.isfinite(value) else None


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
