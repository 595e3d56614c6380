"""Calibration of probabilities, as the model gives them and with what the training loss adds to every logit undone."""

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
"""Of equal width over [0, 1], for the calibration error."""


@dataclass(frozen=True)
class Calibration:
    """Of one attribute.

    Attributes:
        ece: Expected calibration error, in probability.
        brier: Mean squared error of the probabilities.
        bins: One per bin that holds an image: ``lower``, ``upper``, ``images``, ``mean_probability``,
            ``positive_rate``, ``low``, ``high``.
        reason: Why it is undefined, or empty.
    """

    ece: Estimate
    brier: Estimate
    bins: tuple[dict[str, Any], ...]
    reason: str = ""


def probability(logit: NDArray[np.floating], head: str) -> NDArray[np.float64]:
    """Compute the probability of the positive class: σ(z), and (z + 1)/2 kept within [0, 1] for a ``margin`` head.

    NaN for a logit that is not finite: it has overflowed, and says nothing. ``bincam.models.heads.probability`` is the
    same for tensors.
    """
    from scipy.special import expit

    z = np.asarray(logit, float)
    share = np.clip((z + 1) / 2, 0, 1) if head == "margin" else expit(z)
    return np.where(is_finite(z), share, np.nan)


def bin_index(probabilities: NDArray[np.float64], bins: int = BINS) -> NDArray[np.intp]:
    """Return the bin of each probability in [0, 1], any shape; 1 falls into the last."""
    return np.minimum((probabilities * bins).astype(np.intp), bins - 1)


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
    to every bin's difference; its percentiles are moved by that excess, so that the interval lies around the figure.
    Bins show Wilson's interval of the positive rate, images taken as independent.

    Args:
        probabilities: ``(N,)``; NaN is left out.
        labels: ``(N,)``: 1, 0, NaN.
        clusters: Of the N images.
        weights: ``(K, R)``, of ``Clusters.weights``.
        level: Of confidence.
        bins: How many.
    """
    kept = np.flatnonzero(is_usable(labels, probabilities))
    method = clusters.bootstrap
    inside = np.isin(np.arange(len(labels)), kept)
    counted = clusters.identities(inside)
    people = None if counted is None else int(counted)
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
    moved = samples - np.nanmean(samples) + ece if np.isfinite(samples).any() else samples
    ece_low, ece_high = quantiles(moved[None], level)
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
    """Probabilities without what the training loss does to every logit.

    Args:
        logit: ``(N,)``, z = log-odds + shift where the model is well fitted.
        shift: Of the model's card; None where it states none.
        head: What a logit means.
        fitted: Slope and intercept of the model's card, fitted on validation, where no constant is known.

    Returns:
        Probabilities, and why they are all NaN, else an empty reason.
    """
    if fitted is not None:
        return probability(fitted[0] * np.asarray(logit, float) + fitted[1], "logits"), ""
    if head == "margin":
        return np.full(len(logit), np.nan), "a margin head's outputs are no log-odds, so no shift can be undone"
    if shift is None or not np.isfinite(shift):
        return np.full(len(logit), np.nan), "the model's card states neither logit shift nor calibration"
    return probability(np.asarray(logit, float) - shift, head), ""
