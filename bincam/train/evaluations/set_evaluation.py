"""Metrics of sets of outputs as plain values, for a run's records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.models import Card
from bincam.one_of import set_columns
from bincam.stats.class_counts import ClassCounts
from bincam.stats.sets.metrics import SetMetrics, evaluate_set

_SCALARS = (
    "accuracy",
    "balanced_accuracy",
    "macro_auroc",
    "minority_error",
    "majority_error",
    "majority_baseline",
    "baseline_removed",
)
LARGE = 100
"""A record of a set with more outputs lists the occupied cells of the confusion table alone, and has no offsets."""


def judge_sets(
    scores: NDArray[np.float32],
    labels: NDArray[np.float32],
    card: Card,
    counts: ClassCounts,
    offsets: Mapping[str, float],
) -> dict[str, dict[str, Any]]:
    """Compute the metrics of every set of a card.

    Args:
        scores: ``(N, A)``, in which the columns of sets are raw scores.
        labels: ``(N, A)``.
        card: Of the model.
        counts: In training, of the A outputs.
        offsets: Added to the raw scores, by output; 0 where none is given.

    Returns:
        By the name of the set; undefined is None.
    """
    result = {}
    for name, columns in set_columns(card.one_of, card.attributes).items():
        at, outputs = list(columns), card.one_of[name]
        added = np.array([offsets.get(output, 0.0) for output in outputs])
        metrics = evaluate_set(scores[:, at].astype(np.float64) + added, labels[:, at], counts.positives[at])
        result[name] = _entry(metrics, outputs)
    return result


def of_set(entry: Mapping[str, Any], metric: str) -> float:
    """Read a metric of an attribute from the entry of a set; NaN where a set has no such metric.

    >>> of_set({"balanced_accuracy": 0.75, "macro_auroc": None}, "balanced_error")
    0.25
    """
    names = {"auroc": "macro_auroc", "balanced_error": "balanced_accuracy"}
    value = entry.get(names.get(metric, metric))
    if value is None:
        return math.nan
    return 1 - float(value) if metric == "balanced_error" else float(value)


def _entry(metrics: SetMetrics, outputs: tuple[str, ...]) -> dict[str, Any]:
    table = metrics.confusion
    if len(outputs) <= LARGE:
        confusion: dict[str, Any] = {"confusion": table.tolist()}
    else:
        true, predicted = np.nonzero(table)
        confusion = {"confusion_cells": np.column_stack([true, predicted, table[true, predicted]]).tolist()}
    return {
        "n": metrics.n,
        "undefined": metrics.undefined,
        **{name: _plain(getattr(metrics, name)) for name in _SCALARS},
        "outputs": {
            output: {
                "images": int(table[a].sum()),
                "miss_rate": _plain(metrics.miss_rate[a]),
                "false_alarm_rate": _plain(metrics.false_alarm_rate[a]),
                "auroc": _plain(metrics.auroc[a]),
            }
            for a, output in enumerate(outputs)
        },
        **confusion,
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
