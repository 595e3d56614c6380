"""The entry of a set of outputs in the summary: its accuracies, confusion table and outputs, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.calibration import CALIBRATION_RATES
from bincam.audit.summary.sets.confidence import calibration_of, set_confidence
from bincam.audit.summary.sets.records import SetRecords, occupied
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.outcomes import BASIC
from bincam.stats.sets.estimates import SetEstimates, complement, confusion_shares, estimate_set, top_k_accuracy
from bincam.stats.sets.scores import log_odds

TOP = 5
"""Top-k accuracy is given for sets of more than this many outputs."""

SET_RATES = (
    *("accuracy", "error", "balanced_accuracy", "macro_auroc", f"top{TOP}_accuracy"),
    *("minority_error", "majority_error"),
)
"""Rates of a set."""

OUTPUT_RATES = ("fnr", "fpr", "auroc", "ap", *CALIBRATION_RATES)
"""Rates of an output of a set, one against the rest: misses (``fnr``), false alarms (``fpr``) and the ranking by z."""


def estimates_of(records: SetRecords, level: float = LEVEL) -> SetEstimates:
    """Estimate the metrics of a set's records."""
    return estimate_set(records.scores, records.labels, records.train_images, records.clusters, level)


def set_entry(records: SetRecords, estimates: SetEstimates, level: float = LEVEL) -> dict[str, Any]:
    """Make the entry of a set; the figures of its outputs are misses, false alarms and AUROC.

    Args:
        records: Scores and true outputs.
        estimates: Of ``estimates_of``.
        level: Confidence level.

    Returns:
        ``outputs``, ``minority`` and ``majority`` (names of outputs), ``minority_from``, ``images`` (labelled, all
        scores finite), ``unknown`` (without a label), ``undefined`` (labelled, a score is not finite), ``rates``,
        ``confidence`` (of ``set_confidence``) and ``confusion``. The latter has ``counts`` and the ``share`` of each
        true output's images, with ``low`` and ``high``, ``(K, K)`` with rows true and columns predicted; of a large set
        the occupied cells alone, as ``[true, predicted, count]``.
    """
    K = len(records.outputs)
    rates = {
        "accuracy": estimates.accuracy,
        "error": complement(estimates.accuracy),
        "balanced_accuracy": estimates.balanced_accuracy,
        "macro_auroc": estimates.macro_auroc,
    }
    if K > TOP:
        rates[f"top{TOP}_accuracy"] = top_k_accuracy(records.scores, records.labels, TOP, records.clusters, level)
    rates |= {"minority_error": estimates.minority_error, "majority_error": estimates.majority_error}
    rare = records.rare
    counts = estimates.confusion
    return {
        "large": records.large,
        "minority": [output for output, is_rare in zip(records.outputs, rare, strict=True) if is_rare],
        "majority": [output for output, is_rare in zip(records.outputs, rare, strict=True) if not is_rare],
        "minority_from": "card" if records.trained else "audited data",
        "images": int(counts.sum()),
        "unknown": estimates.unknown,
        "undefined": estimates.undefined,
        "rates": {name: rate.to_json() for name, rate in rates.items()},
        "confusion": _confusion(records, counts, level),
        "confidence": set_confidence(records, level),
        "outputs": {
            output: {
                "images": int(counts[k].sum()),
                "predicted": int(counts[:, k].sum()),
                "train_images": int(records.train_images[k]),
                "rates": {
                    "fnr": estimates.miss_rate[k].to_json(),
                    "fpr": estimates.false_alarm_rate[k].to_json(),
                    "auroc": estimates.auroc[k].to_json(),
                },
            }
            for k, output in enumerate(records.outputs)
        },
    }


def _confusion(records: SetRecords, counts: NDArray[np.int64], level: float) -> dict[str, Any]:
    if records.large:
        return {"cells": occupied(counts)}
    share = confusion_shares(records.scores, records.labels, records.clusters, level)
    figures = {name: _plain(getattr(share, of)) for name, of in (("share", "value"), ("low", "low"), ("high", "high"))}
    return {"counts": counts.tolist(), **figures, "method": share.method}


def _plain(values: NDArray[np.float64]) -> list[list[float | None]]:
    return [[float(value) if np.isfinite(value) else None for value in row] for row in values]


def output_entry(measured: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Join the figures of an output as an attribute one against the rest, and those of the set's entry.

    Args:
        measured: The entry that a yes-or-no attribute with these decisions would have; what speaks of a minority and a
            majority class is left out.
        entry: Of the output in ``set_entry``.
    """
    rates = {name: rate for name, rate in measured["rates"].items() if name in OUTPUT_RATES}
    measures = {
        column: {group: figure for group, figure in groups.items() if group in BASIC}
        for column, groups in measured["measures"].items()
    }
    own = {name: measured[name] for name in ("counts", "calibration", "stated") if name in measured}
    return {**entry, "rates": {**rates, **entry["rates"]}, **own, "measures": measures}


def set_calibration(records: SetRecords, k: int, level: float = LEVEL) -> tuple[dict[str, Estimate], dict[str, Any]]:
    """Estimate the calibration of the softmax probability of output ``k``, as trained and without the loss's shift.

    Returns:
        Rates and the entry ``calibration``, of the names that a yes-or-no attribute has.
    """
    raw, shifts = records.scores.astype(float), records.shifts
    corrected = None if shifts is None else log_odds(raw - shifts)[:, k]
    label = records.labels[:, k].astype(float)
    return calibration_of(log_odds(raw)[:, k], corrected, label, records.clusters, level)
