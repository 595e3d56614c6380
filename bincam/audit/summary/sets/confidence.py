"""Calibration in a set of outputs: of the softmax probability of one output, and of the predicted one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.summary.calibration import calibration_entry
from bincam.audit.summary.sets.records import SetRecords
from bincam.stats.calibration import calibrate, probability
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.sets.scores import log_odds

NO_SHIFT = "the model's card does not state the shift of every raw score of the set"


def set_confidence(records: SetRecords, level: float = LEVEL) -> dict[str, Any]:
    """Estimate the calibration of a set's confidence: the probability of the predicted output against it being right.

    The probability is the softmax of the raw scores. Without the loss's shift it is that of the shifted scores; the
    predicted output is that of the raw scores in both cases, because the decision is.

    Args:
        records: Scores and true outputs.
        level: Confidence level of the intervals.

    Returns:
        ``rates`` (``CALIBRATION_RATES``) and what the entry ``calibration`` of an attribute has; in ``bins``,
        ``positive_rate`` is the share of images whose predicted output is right.

    Example:
        Of 100 images that are predicted with a probability of 0.9, 70 are right.

        >>> scores = np.tile(np.log(np.float32([[0.9, 0.06, 0.04]])), (100, 1))
        >>> true, clusters = np.repeat([0, 1], [70, 30]), Clusters.of([""] * 100)
        >>> records = SetRecords("hair", ("dark", "blond", "red"), scores, true, np.array([70, 30, 0]), True, clusters)
        >>> confidence = set_confidence(records)
        >>> {rate: round(confidence["rates"][rate]["value"], 3) for rate in ("ece", "signed_calibration_error")}
        {'ece': 0.2, 'signed_calibration_error': 0.2}
    """
    right = 1 - records.wrong
    plain = _of_predicted(log_odds(records.scores), records)
    shifts = records.shifts
    corrected = None if shifts is None else _of_predicted(log_odds(records.scores.astype(float) - shifts), records)
    rates, entry = calibration_of(plain, corrected, right, records.clusters, level)
    return {"rates": {name: rate.to_json() for name, rate in rates.items()}, **entry}


def _of_predicted(z: NDArray[np.float64], records: SetRecords) -> NDArray[np.float64]:
    predicted = records.predicted
    return np.where(predicted < 0, np.nan, z[np.arange(len(z)), predicted])


def calibration_of(
    logit: NDArray[np.float64],
    corrected: NDArray[np.float64] | None,
    label: NDArray[np.float64],
    clusters: Clusters,
    level: float = LEVEL,
) -> tuple[dict[str, Estimate], dict[str, Any]]:
    """Estimate the calibration of log-odds, as trained and without the loss's shift.

    Args:
        logit: ``(N,)``.
        corrected: ``(N,)``, without the shift; None if the card does not state it.
        label: ``(N,)``: 1, 0, NaN.
        clusters: Clusters of the N images.
        level: Confidence level.

    Returns:
        Rates and the entry ``calibration``, of the names that a yes-or-no attribute has.
    """
    undone = np.full(len(logit), np.nan) if corrected is None else corrected
    plain = calibrate(probability(logit, "logits"), label, clusters, logits=logit, level=level)
    unshifted = calibrate(probability(undone, "logits"), label, clusters, logits=corrected, level=level)
    return calibration_entry(plain, unshifted, reason=NO_SHIFT if corrected is None else "")
