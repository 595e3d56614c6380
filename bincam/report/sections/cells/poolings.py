"""The sentence on whether another pooling of the same cells would have answered better."""

from __future__ import annotations

import math
from dataclasses import replace

from bincam.stats.clustered.paired_scores import ScoreComparison
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import shown, stated

SAID = {
    "max": "by their maximum",
    "logsumexp": "by log-sum-exp",
    "top_10": "by the mean of the best 10 %",
    "top_25": "by the mean of the best 25 %",
    "noisy_or": "by noisy-or",
    "pcam": "with their own probabilities as weights",
}
"""How cells are pooled otherwise than by their mean."""


def pooling_sentence(attribute: str, pooling: str, comparison: ScoreComparison) -> str:
    """Say whether another pooling would have answered better, and that the model was not trained for it.

    Args:
        attribute: Its name.
        pooling: The best on the reference split, see ``FittedPoolings``; ``mean`` if none was better there.
        comparison: On other images, of the mean (first) and this pooling (second).

    Example:
        >>> import numpy as np
        >>> from bincam.stats import Clusters
        >>> from bincam.stats.clustered.paired_scores import compare_scores
        >>> labels = np.repeat([1.0, 0.0], 100)
        >>> mean, best = np.tile([-1.0, 1.0], 100), np.where(np.arange(200) % 10 > 0, 2 * labels - 1, 1 - 2 * labels)
        >>> alone = Clusters.of([""] * 200)
        >>> found = compare_scores(mean, best, labels, alone, thresholds=(0.0, 0.0))
        >>> sentence = pooling_sentence("Bald", "max", found)
        >>> "answered better" in sentence, "not trained for it" in sentence
        (True, True)
    """
    if pooling == "mean":
        return f"{attribute}: no other pooling of the same cells decided better on the reference split."
    gain, error = comparison.balanced_error_gain, comparison.balanced_error
    start = f"{attribute}: the same cells, pooled {SAID[pooling]}, "
    end = "; the model was not trained for it."
    if not (gain.defined and error.defined) or math.isnan(gain.low):
        return f"{start}cannot be compared with their mean on these images{end}"
    answered = "better" if gain.low > 0 else "worse" if gain.high < 0 else "neither better nor worse for certain"
    return f"{start}would have answered {answered}: balanced {against_mean(error, gain)}{end}"


def against_mean(error: Estimate, gain: Estimate) -> str:
    """Write an error and how it differs from that of the cells' mean; a negative difference is a lower error.

    Args:
        error: Of the pooling.
        gain: By which it is lower than that of the mean.

    Example:
        >>> from bincam.stats.estimate import estimate
        >>> error, gain = estimate(0.12, 0.1, 0.14, 200, None, ""), estimate(-0.04, -0.07, -0.01, 200, None, "")
        >>> print(against_mean(error, gain).replace("\u202f", " "))
        error 12 %, +4 points [+1, +7] (200 images) against that of their mean
    """
    more = replace(gain, value=-gain.value, low=-gain.high, high=-gain.low)
    return f"error {shown(error, 'percent')}, {stated(more, 'points')} against that of their mean"
