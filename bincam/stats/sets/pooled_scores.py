"""Two scores of the outputs of a set on the same images, such as those of two poolings: which one decides better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.stats.clustered.paired import paired_shares
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.proportions import shares
from bincam.stats.sets.mean_rates import mean_rate
from bincam.stats.sets.paired import paired_mean_rates


@dataclass(frozen=True)
class SetComparison:
    """Errors of a second score of the outputs of a set, and how many fewer they are than those of the first.

    Attributes:
        error: Of the second score: share of images of which another output than the true one has the highest.
        balanced_error: Its mean miss rate over the outputs that have an image.
        error_gain: First less second, paired: more is better.
        balanced_error_gain: Likewise.
    """

    error: Estimate
    balanced_error: Estimate
    error_gain: Estimate
    balanced_error_gain: Estimate


def compare_set_scores(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    true: NDArray[np.integer],
    clusters: Clusters,
    level: float = LEVEL,
) -> SetComparison:
    """Compare two scores of the outputs of a set, with paired intervals over clusters.

    The output with the highest score is predicted, the first of equals. Images of which a score is not finite, or the
    true output unknown, are left out.

    Args:
        first: ``(N, K)``.
        second: ``(N, K)``.
        true: ``(N,)``: index of the true output; negative where unknown.
        clusters: Clusters of the N images.
        level: Confidence level.

    Raises:
        InputError: The shapes differ.

    Example:
        >>> true = np.arange(120) % 3
        >>> right = np.eye(3)[true]
        >>> often = np.eye(3)[np.where(np.arange(120) % 4 == 0, (true + 1) % 3, true)]
        >>> found = compare_set_scores(often, right, true, Clusters.of([""] * 120))
        >>> found.error.value, found.error_gain.value, found.balanced_error_gain.low > 0
        (0.0, 0.25, True)
    """
    if first.shape != second.shape or first.ndim != 2 or true.shape != first.shape[:1]:
        raise InputError(
            f"expected two scores (N, K) and true outputs (N,), got {first.shape}, {second.shape} and {true.shape}"
        )
    usable = (true >= 0) & np.isfinite(first).all(1) & np.isfinite(second).all(1)
    wrong = [np.where(usable, scores.argmax(1) != true, np.nan) for scores in (first, second)]
    known = np.where(usable, true, -1)
    outputs = np.unique(known[usable]).tolist()
    error = shares(wrong[1], np.ones(len(true), bool), clusters, level)
    return SetComparison(
        error=error.estimate(),
        balanced_error=mean_rate(wrong[1], known, outputs, clusters, level),
        error_gain=paired_shares(wrong[0], wrong[1], clusters, level),
        balanced_error_gain=paired_mean_rates(wrong[0], wrong[1], known, outputs, clusters, level),
    )
