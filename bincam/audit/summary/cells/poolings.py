"""Would another pooling of the same cells have answered better? Fitted on the reference split, judged on the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.stats.clustered.paired_scores import ScoreComparison, compare_scores
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL
from bincam.stats.sets.pooled_scores import SetComparison, compare_set_scores

Floats = NDArray[np.float32]
MEAN = "mean"


@dataclass(frozen=True)
class PooledLogits:
    """Logits of the same cells, pooled in P ways, of the audited images and of the reference split.

    Attributes:
        rows: Names of the A outputs.
        poolings: Names of the poolings.
        audited: ``(N, A, P)``.
        reference: ``(M, A, P)``; None without a reference split.
        reference_labels: ``(M, A)``: 1, 0, NaN.
    """

    rows: tuple[str, ...]
    poolings: tuple[str, ...]
    audited: Floats
    reference: Floats | None = None
    reference_labels: Floats | None = None


def attribute_poolings(
    logits: PooledLogits,
    name: str,
    labels: NDArray[np.floating],
    threshold: float,
    clusters: Clusters,
    level: float = LEVEL,
) -> dict[str, Any]:
    """Compare the poolings of a yes-or-no attribute with the mean.

    Args:
        logits: Of the poolings.
        name: The attribute.
        labels: ``(N,)``: 1, 0, NaN, of the audited images.
        threshold: Of the model's own answer.
        clusters: Of the audited images.
        level: Confidence level.

    Returns:
        ``best`` on the reference split; ``thresholds`` and, on the audited images, ``compared``: pooling to the
        estimates of ``ScoreComparison``. Or ``reason``, where nothing could be fitted.
    """
    from bincam.postprocessing.cell_pooling import fit_poolings  # with torch, which reports do without

    a = logits.rows.index(name)
    audited = {pooling: logits.audited[:, a, p] for p, pooling in enumerate(logits.poolings)}
    if logits.reference is None or logits.reference_labels is None:
        return {"reason": "no reference split to fit the thresholds of other poolings on"}
    reference = {pooling: logits.reference[:, a, p] for p, pooling in enumerate(logits.poolings)}
    truth = logits.reference_labels[:, a]
    usable = np.isfinite(truth) & np.all([np.isfinite(z) for z in reference.values()], axis=0)
    if len(set(truth[usable].tolist())) < 2:
        return {"reason": "the reference split does not have images of both classes to fit the thresholds on"}
    fitted = fit_poolings(reference, truth, threshold)
    compared = {
        pooling: estimates_of(
            compare_scores(
                audited[MEAN],
                audited[pooling],
                labels,
                clusters,
                thresholds=(fitted.thresholds[MEAN], fitted.thresholds[pooling]),
                level=level,
            )
        )
        for pooling in logits.poolings
        if pooling != MEAN
    }
    return {"best": fitted.best, "thresholds": fitted.thresholds, "images": int(usable.sum()), "compared": compared}


def set_poolings(
    logits: PooledLogits,
    outputs: Sequence[str],
    true: NDArray[np.integer],
    clusters: Clusters,
    level: float = LEVEL,
) -> dict[str, Any]:
    """Compare the poolings of a set with the mean; there are no thresholds, the highest score is predicted.

    Args:
        logits: Of the poolings; of sets log-odds.
        outputs: Names of the set's outputs.
        true: ``(N,)``: index of the true output of the audited images; -1 where unknown.
        clusters: Of the audited images.
        level: Confidence level.

    Returns:
        ``best`` on the reference split, by the mean miss rate, and ``compared``: pooling to the estimates of
        ``SetComparison``. Or ``reason``.
    """
    own = [logits.rows.index(name) for name in outputs]
    names = [p for p, pooling in enumerate(logits.poolings) if np.isfinite(logits.audited[:, own, p]).any()]
    if logits.reference is None or logits.reference_labels is None:
        return {"reason": "no reference split to choose another pooling on"}
    if not names or MEAN not in logits.poolings:
        return {"reason": "the raw scores of the set's cells are not known"}
    labels = logits.reference_labels[:, own]
    truth = np.where((labels == 1).any(1), (labels == 1).argmax(1), -1)
    errors = {logits.poolings[p]: _mean_miss(logits.reference[:, own, p], truth) for p in names}
    if not np.isfinite(list(errors.values())).any():
        return {"reason": "the reference split has no labelled image of the set"}
    best = min(errors, key=lambda name: (np.nan_to_num(errors[name], nan=np.inf), name != MEAN))
    mean = logits.audited[:, own, logits.poolings.index(MEAN)]
    compared = {
        logits.poolings[p]: estimates_of(compare_set_scores(mean, logits.audited[:, own, p], true, clusters, level))
        for p in names
        if logits.poolings[p] != MEAN
    }
    return {"best": best, "images": int((truth >= 0).sum()), "compared": compared}


def estimates_of(comparison: ScoreComparison | SetComparison) -> dict[str, Any]:
    """Return the estimates of a comparison as JSON objects."""
    return {one.name: getattr(comparison, one.name).to_json() for one in fields(comparison)}


def _mean_miss(scores: Floats, true: NDArray[np.integer]) -> float:
    usable = (true >= 0) & np.isfinite(scores).all(1)
    wrong = scores[usable].argmax(1) != true[usable] if usable.any() else np.zeros(0, bool)
    rates: Mapping[int, float] = {int(k): float(wrong[true[usable] == k].mean()) for k in np.unique(true[usable])}
    return float(np.mean(list(rates.values()))) if rates else float("nan")
