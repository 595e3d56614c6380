"""The confidence of a set on its card: reliability of the probability of the predicted output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bincam.report.figures.theme import inline
from bincam.report.sections.attributes.charts import error_text
from bincam.report.sections.context import Drawing
from bincam.report.view.parts import Chart
from bincam.stats.estimate import MIN_IDENTITIES, MIN_IMAGES, Estimate, is_small
from bincam.stats.formatting import counted, images, stated, written


def confidence_sentences(entry: Mapping[str, Any]) -> list[str]:
    """Write by how much the confidence exceeds the share of right predictions; empty without figures."""
    rates = (entry.get("confidence") or {}).get("rates") or {}
    signed = Estimate.from_json(rates.get("signed_calibration_error"))
    if not signed.defined:
        return []
    verdict = ""
    if not signed.small:
        verdict = ": over-confident" if signed.low > 0 else ": under-confident" if signed.high < 0 else ""
    return [
        "Confidence, the mean probability of the predicted output, less the share that is right: "
        f"{stated(signed, 'points')}{verdict}."
    ]


def confidence_chart(name: str, entry: Mapping[str, Any], drawing: Drawing) -> Chart | None:
    """Draw the share of right predictions against the probability of the predicted output; None without figures."""
    confidence: Mapping[str, Any] = entry.get("confidence") or {}
    bins = confidence.get("bins")
    if not bins:
        return None
    drawn = {"as trained": bins}
    rates = {rate: Estimate.from_json(figure) for rate, figure in confidence["rates"].items()}
    corrected = confidence.get("bins_unshifted")
    extra = ""
    if corrected and corrected != bins:  # shifts of zero would draw the same line again
        drawn["corrected"] = corrected
        error = error_text(rates["ece_unshifted"], confidence.get("error_unshifted"))
        extra = f"; {error} prior-corrected (squares)"
    lines = [f"expected calibration error {error_text(rates['ece'], confidence.get('error'))}{extra}"]
    signed, slope = rates["signed_calibration_error"], rates["calibration_slope"]
    if signed.defined:
        lines.append(f"mean probability less share of right predictions {written(signed, 'points')} ({images(signed)})")
    if slope.defined:
        lines.append(f"slope of a recalibration {written(slope)}; 1 is calibrated, below 1 too extreme")
    elif confidence.get("slope_reason"):
        lines.append(f"slope of a recalibration undefined: {confidence['slope_reason']}")
    few = [part for part in bins if is_small(part["images"], part.get("identities"))]
    if few:
        lines.append(
            f"{len(few)} of {counted(len(bins), 'bin')} of fewer than {MIN_IMAGES} images or {MIN_IDENTITIES} people "
            "(hollow)"
        )
    title = f"{name}: share of right predictions against the probability of the predicted output"
    figure = drawing.canvas.calibration([drawn], confidence=True)
    return Chart(inline(figure, f"{title}. {'; '.join(lines)}."), lines)
