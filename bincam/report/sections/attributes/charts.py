"""Charts of an attribute's card: bias share, error against threshold, calibration, each with its main numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bincam.report.figures.audited.attribute import Curves, threshold_curves
from bincam.report.figures.theme import inline
from bincam.report.reading.audited_model import BIAS_SHARE, Arm, Floats
from bincam.report.sections.context import Drawing
from bincam.report.view.parts import Chart
from bincam.stats.calibration_error import CalibrationError
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES, Estimate, is_small
from bincam.stats.formatting import counted, images, listed, number, p_stated, percent, shown, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def charts(attribute: str, drawing: Drawing) -> list[Chart]:
    """Draw bias share, error against threshold, and calibration; the first only where it is defined."""
    shares, curves = [], []
    for arm in drawing.arms:
        label, logit = arm.column(attribute, "label"), arm.column(attribute, "logit")
        minority = arm.minority(attribute)
        answer, share = arm.answers(attribute), arm.column(attribute, BIAS_SHARE)
        shares.append({"minority": share[answer == minority], "majority": share[answer == -minority]})
        used = arm.audit.manifest.thresholds.get(attribute, 0.0)
        curves.append(threshold_curves(logit, label, used, minority))
    return [
        *_share_chart(attribute, shares, drawing),
        _threshold_chart(attribute, curves, drawing),
        _calibration_chart(attribute, drawing),
    ]


def _share_chart(attribute: str, shares: Sequence[Mapping[str, Floats]], drawing: Drawing) -> list[Chart]:
    lines = []
    for arm, split in zip(drawing.arms, shares, strict=True):
        finite = {name: values[np.isfinite(values)] for name, values in split.items()}
        medians = [
            f"{percent(float(np.median(v)))} ({name} predicted) of {counted(v.size, 'image')}"
            for name, v in finite.items()
            if v.size
        ]
        if medians:
            lines.append(f"{drawing.prefix(arm)}median {listed(medians)}")
    if not lines:
        return []
    return [_chart(drawing.canvas.bias_shares(shares), f"{attribute}: histogram of the bias share", lines)]


def _threshold_chart(attribute: str, curves: Sequence[Curves], drawing: Drawing) -> Chart:
    lines = []
    for arm, curve in zip(drawing.arms, curves, strict=True):
        both = (curve.errors["minority"] + curve.errors["majority"]) / 2
        if np.isfinite(both).any():
            best = int(np.nanargmin(both))
            lines.append(
                f"{drawing.prefix(arm)}threshold {number(curve.used)}; on these same images the mean of both errors is "
                f"lowest at {number(float(curve.thresholds[best]))} ({percent(float(both[best]))}): fitted on them, so "
                "optimistic"
            )
    title = f"{attribute}: error of minority and majority class against the threshold"
    return _chart(drawing.canvas.thresholds(curves), title, lines or ["There are no known labels."])


def _chart(figure: Figure, title: str, lines: Sequence[str]) -> Chart:
    return Chart(inline(figure, f"{title}. {'; '.join(lines)}."), lines)


def _calibration_chart(attribute: str, drawing: Drawing) -> Chart:
    lines, bins = [], []
    for arm in drawing.arms:
        calibration = arm.entry(attribute).get("calibration") or {}
        fitted = calibration.get("fitted") is not None
        corrects = fitted or bool(calibration.get("logit_shift"))  # a shift of zero would draw the same line again
        lists = {
            "as trained": calibration.get("bins"),
            "corrected": calibration.get("bins_unshifted") if corrects else None,
        }
        bins.append({name: entries for name, entries in lists.items() if entries})
        lines += _calibration_lines(attribute, arm, drawing, fitted=fitted, corrects=corrects)
    lines = lines or ["Calibrated predictions are on the diagonal."]
    return _chart(drawing.canvas.calibration(bins), f"{attribute}: calibration", lines)


def _calibration_lines(attribute: str, arm: Arm, drawing: Drawing, *, fitted: bool, corrects: bool) -> list[str]:
    """State the calibration error next to what chance adds to it, the signed error, the slope, and small bins."""
    prefix, calibration = drawing.prefix(arm), arm.entry(attribute).get("calibration") or {}
    raw, corrected = arm.rate(attribute, "ece"), arm.rate(attribute, "ece_unshifted")
    if not raw.defined:
        return []
    how = "after calibration on validation" if fitted else "prior-corrected"
    extra = f"; {error_text(corrected, calibration.get('error_unshifted'))} {how} (squares)" if corrects else ""
    lines = [f"{prefix}expected calibration error {error_text(raw, calibration.get('error'))}{extra}"]
    signed, slope = arm.rate(attribute, "signed_calibration_error"), arm.rate(attribute, "calibration_slope")
    if signed.defined:
        lines.append(f"{prefix}mean probability less share of positives {written(signed, 'points')} ({images(signed)})")
    if slope.defined:
        lines.append(f"{prefix}slope of a recalibration {written(slope)}; 1 is calibrated, below 1 too extreme")
    elif calibration.get("slope_reason"):
        lines.append(f"{prefix}slope of a recalibration undefined: {calibration['slope_reason']}")
    bins = calibration.get("bins") or ()
    few = [entry for entry in bins if is_small(entry["images"], entry.get("identities"))]
    if few:
        lines.append(
            f"{prefix}{len(few)} of {counted(len(bins), 'bin')} of fewer than {MIN_IMAGES} images or {MIN_IDENTITIES} "
            "people (hollow)"
        )
    return lines


def error_text(plug_in: Estimate, content: Mapping[str, float] | None) -> str:
    """Write a calibration error, and that of a perfectly calibrated model of the same images."""
    value = percent(plug_in.value) if plug_in.defined else shown(plug_in, "percent")
    if content is None:
        return value
    error = CalibrationError.from_json(content)
    return (
        f"{value} (debiased {percent(error.debiased)}; a perfectly calibrated model would have "
        f"{percent(error.null_mean)}; {p_stated(error.p)})"
    )
