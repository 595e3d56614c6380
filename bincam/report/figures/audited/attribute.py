"""Small figures of one attribute: bias share, error against threshold, calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.report.figures.audited.dumbbells import CLASSES, COLOURS
from bincam.report.figures.audited.frame import Frame
from bincam.report.figures.theme import INK, MUTED, style
from bincam.stats.estimate import is_small

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
DASHES = ("-", (0, (3, 1.6)))  # of the second and of the first arm of a contrast


@dataclass(frozen=True)
class Curves:
    """Errors of both classes as functions of the threshold.

    Attributes:
        thresholds: ``(T,)``, ascending, in logit units.
        errors: ``minority`` and ``majority`` to ``(T,)`` shares in [0, 1]; NaN for a class without images.
        used: The model's own threshold.
    """

    thresholds: Floats
    errors: Mapping[str, Floats]
    used: float


def threshold_curves(logits: Floats, labels: Floats, used: float, minority: int, points: int = 97) -> Curves:
    """Compute the errors of the minority and of the majority class at many thresholds.

    Args:
        logits: ``(N,)``; NaN are left out.
        labels: ``(N,)`` 1, 0 or NaN (left out).
        used: Threshold of the model.
        minority: +1 where the positives are rarer, else -1.
        points: Number of thresholds; they are quantiles of the logits, so that every part of the curve is resolved.

    Returns:
        The curves. An image is predicted positive where its logit is at least the threshold, as in the audit.
    """
    defined = np.isfinite(logits) & np.isfinite(labels)
    z, positive = logits[defined], labels[defined] == 1
    if z.size == 0:
        return Curves(np.zeros(0), {name: np.zeros(0) for name in CLASSES}, used)
    tried = np.unique(np.append(np.quantile(z, np.linspace(0, 1, points)), used))

    def below(values: Floats) -> Floats:
        if not values.size:
            return np.full(tried.size, np.nan)
        share: Floats = np.searchsorted(np.sort(values), tried, side="left") / values.size
        return share

    missed, alarmed = below(z[positive]), 1 - below(z[~positive])
    first, second = (missed, alarmed) if minority > 0 else (alarmed, missed)
    return Curves(tried, {"minority": first, "majority": second}, used)


class Canvas:
    """One figure per kind of chart, reused for all attributes, because making it costs more than filling it."""

    def __init__(self, arms: Sequence[str]) -> None:
        """Take the names of the arms, in the report's order."""
        self.arms = tuple(arms)
        self._frames: dict[str, Frame] = {}

    def _frame(self, make: Callable[[], Frame]) -> Frame:
        """Return the empty frame of a kind of chart; it is made when it is first needed."""
        key = make.__name__
        if key not in self._frames:
            self._frames[key] = make()
            self._frames[key].keep()
        frame = self._frames[key]
        frame.wipe()
        return frame

    def bias_shares(self, shares: Sequence[Mapping[str, Floats]]) -> Figure:
        """Draw a histogram of the bias share per arm, by predicted class.

        Args:
            shares: Per arm ``minority`` and ``majority`` to ``(N,)`` in [0, 1]; NaN are left out.
        """
        edges = np.linspace(0, 1, 21).tolist()
        with style():
            frame = self._frame(self._of_shares)
            for axes, split in zip(frame.rows, shares, strict=True):
                for name in CLASSES:
                    values = split[name][np.isfinite(split[name])]
                    if values.size:
                        weights = np.full(values.size, 100 / values.size)
                        axes.hist(values, edges, weights=weights, histtype="stepfilled", color=COLOURS[name],
                                  alpha=0.25, linewidth=0)  # fmt: skip
                        axes.hist(values, edges, weights=weights, histtype="step", color=COLOURS[name], linewidth=1.2)
            frame.rows[-1].set(xlim=(0, 1), ylim=(0, None))
        return frame

    def _of_shares(self) -> Frame:
        frame = Frame(len(self.arms), "Bias share by predicted class", "bias share (midpoint reference)", "images [%]")
        if len(self.arms) > 1:
            for axes, arm in zip(frame.rows, self.arms, strict=True):
                axes.text(0.99, 0.9, arm, transform=axes.transAxes, ha="right", va="top", color=MUTED)
        return frame

    def thresholds(self, curves: Sequence[Curves]) -> Figure:
        """Draw the errors of both classes against the threshold; each arm's own threshold is a vertical line."""
        with style():
            frame = self._frame(self._of_thresholds)
            (axes,) = frame.rows
            for curve, dash in zip(curves, self._dashes(), strict=True):
                for name in CLASSES:
                    axes.plot(curve.thresholds, 100 * curve.errors[name], color=COLOURS[name], linestyle=dash,
                              linewidth=1.3)  # fmt: skip
                axes.axvline(curve.used, color=INK, linewidth=0.8, linestyle=dash, alpha=0.7)
            axes.set_ylim(0, 100)
        return frame

    def _of_thresholds(self) -> Frame:
        return Frame(1, "Error against threshold", "threshold [logit]", "error [%]")

    def calibration(
        self, arms: Sequence[Mapping[str, Sequence[Mapping[str, Any]]]], *, confidence: bool = False
    ) -> Figure:
        """Draw the share of positives against the predicted probability, with intervals; small bins are hollow.

        Args:
            arms: Per arm ``as trained`` and, where the logits can be prior-corrected or calibrated, ``corrected``: bins
                with ``images``, ``identities``, ``mean_probability``, ``positive_rate``, ``low`` and ``high``, as in
                ``summary.json``; an interval of None is not drawn.
            confidence: The bins are of the predicted outputs of a set, and what counts as positive is being right.
        """
        with style():
            frame = self._frame(self._of_confidence if confidence else self._of_calibration)
            (axes,) = frame.rows
            axes.plot([0, 100], [0, 100], color=MUTED, linewidth=0.8, linestyle=":")
            for lines, dash in zip(arms, self._dashes(), strict=True):
                for name, bins in lines.items():
                    colour, mark = (MUTED, "s") if name == "corrected" else (INK, "o")
                    x, y, low, high = (
                        100 * np.array([np.nan if entry[key] is None else entry[key] for entry in bins], float)
                        for key in ("mean_probability", "positive_rate", "low", "high")
                    )
                    few = np.array([is_small(entry.get("images", 0), entry.get("identities")) for entry in bins], bool)
                    axes.vlines(x, low, high, color=colour, linewidth=1.6, alpha=0.25)
                    axes.plot(x, y, color=colour, linestyle=dash, linewidth=1.1)
                    for which, fill in ((few, "white"), (~few, colour)):
                        axes.plot(x[which], y[which], color=colour, linestyle="", marker=mark, markersize=2.6,
                                  markerfacecolor=fill)  # fmt: skip
            axes.set(xlim=(0, 100), ylim=(0, 100))
        return frame

    def _of_calibration(self) -> Frame:
        return Frame(1, "Calibration", "predicted probability [%]", "positives [%]")

    def _of_confidence(self) -> Frame:
        return Frame(1, "Confidence", "probability of the predicted output [%]", "right [%]")

    def _dashes(self) -> tuple[Any, ...]:
        return DASHES[:1] if len(self.arms) == 1 else DASHES[::-1]
