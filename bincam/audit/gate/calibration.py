"""Calibration errors as rules read them: debiased, between bounds, because chance alone gives an error above 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bincam.stats.calibration_error import CalibrationError
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import p_value, significant

ERRORS = ("ece", "ece_unshifted")
"""Rates that are calibration errors."""

_OF_PROBABILITIES = ("ece_unshifted", "brier_unshifted", "signed_calibration_error_unshifted")

CHANCE = 0.05
"""Perfect calibration is not excluded where its p-value is greater."""


def bounded_error(measure: str, plug_in: Estimate, calibration: Mapping[str, Any]) -> tuple[Estimate, str]:
    """Read a calibration error as the debiased value with the confidence bounds of the true one.

    Args:
        measure: One of ``ERRORS``.
        plug_in: Its estimate in ``rates``.
        calibration: The attribute's entry ``calibration``; those of earlier versions state no bounds.

    Returns:
        The estimate, and the reason why it may not decide a rule; empty where perfect calibration is excluded.
    """
    content = calibration.get("error_unshifted" if measure.endswith("_unshifted") else "error")
    if content is None:
        reason = "the summary states no bounds of the calibration error, which is partly chance; audit again"
        return replace(plug_in, low=math.nan, high=math.nan), reason
    error = CalibrationError.from_json(content)
    reason = ""
    if error.p > CHANCE:
        reason = (
            f"the error of these images is {significant(error.value, 2)}, that of a perfectly calibrated model would "
            f"be {significant(error.null_mean, 2)} on average (p = {p_value(error.p)})"
        )
    return replace(plug_in, value=error.debiased, low=error.low, high=error.high), reason


def undefined_reason(measure: str, calibration: Mapping[str, Any]) -> str:
    """Return the reason why a figure of calibration is undefined; empty if none is stated.

    It is that of the recalibration for slope and intercept, and of the undone shift for the other ``_unshifted`` ones.

    >>> undefined_reason("ece_unshifted", {"reason": "the model's card states no shift"})
    "undefined: the model's card states no shift"
    """
    if measure in _OF_PROBABILITIES and (why := calibration.get("reason")):
        return f"undefined: {why}"
    if not measure.startswith(("calibration_slope", "calibration_intercept")):
        return ""
    key = "slope_reason_unshifted" if measure.endswith("_unshifted") else "slope_reason"
    reason = calibration.get(key)
    return f"undefined: {reason}" if reason else ""
