"""Figures of a zoom study: positional bias as heat maps of the nine anchors, and accuracy over the scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.report.figures.theme import INK, LINE, MAJORITY, MINORITY, MUTED, style
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import interval, number, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = Sequence[Sequence[Estimate]]
SMALLEST = 0.05
"""End of the colour scale at least: differences of a few points are pale, whatever the others are."""


@dataclass(frozen=True)
class AnchorMap:
    """Positional bias in one definition.

    Attributes:
        title: The definition.
        values: 3 × 3 accuracies, rows from the top.
        deviations: 3 × 3 differences to the mean of the nine.
    """

    title: str
    values: Rows
    deviations: Rows


@dataclass(frozen=True)
class ScaleCurve:
    """Accuracies over the scale S.

    Attributes:
        name: What they are of.
        sizes: S in pixels.
        values: An accuracy for each.
    """

    name: str
    sizes: Sequence[int]
    values: Sequence[Estimate]


def deviation_limit(maps: Sequence[AnchorMap]) -> float:
    """Return the end of the colour scale that maps share: the greatest deviation, as a share.

    >>> deviation_limit([])
    0.05
    """
    found = (abs(cell.value) for each in maps for row in each.deviations for cell in row if cell.defined)
    return max([SMALLEST, *found])


def anchor_maps(maps: Sequence[AnchorMap], limit: float) -> Figure:
    """Draw positional bias: the colour is the deviation from the mean of the nine anchors, the text the accuracy.

    Blue is below and red above the mean, on a scale that is symmetric about 0 and has the same colours for common
    colour blindness; it is the same in all maps. Below the accuracy are the deviation and its interval in points.

    Args:
        maps: The definitions, side by side.
        limit: End of the scale, as a share; ``deviation_limit``.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    side, beside, bar = 2.95, 0.35, 0.85
    width, height = len(maps) * (side + beside) + bar, side + 0.45
    with style():
        figure = Figure(figsize=(width, height))
        for place, each in enumerate(maps):
            left = beside + place * (side + beside)
            axes = figure.add_axes((left / width, 0.06 / height, side / width, side / height))
            last = place == len(maps) - 1
            legend = (
                figure.add_axes(((left + side + 0.12) / width, 0.06 / height, 0.11 / width, side / height))
                if last
                else None
            )
            sns.heatmap(
                np.ma.masked_invalid([[100 * cell.value for cell in row] for row in each.deviations]),
                annot=np.array([[_text(*pair) for pair in zip(*rows, strict=True)] for rows in _rows(each)], object),
                fmt="",
                vmin=-100 * limit,
                vmax=100 * limit,
                cmap="vlag",
                linewidths=0.8,
                linecolor=LINE,
                xticklabels=False,
                yticklabels=False,
                annot_kws={"fontsize": 7.6, "linespacing": 1.35},
                cbar=last,
                cbar_ax=legend,
                cbar_kws={"label": "less the mean of the nine [points]"} if last else None,
                ax=axes,
            )
            axes.set_title(each.title, loc="left", fontweight="normal")
            if legend is not None:
                for edge in legend.spines.values():
                    edge.set_visible(False)
    return figure


def scale_curves(curves: Sequence[ScaleCurve], *, own_crop: Estimate, input_size: int) -> Figure:
    """Draw accuracy over the scale S, with 95 % intervals as bands.

    Args:
        curves: At most two.
        own_crop: Accuracy at the model's own crop, a dotted line.
        input_size: Shorter side of the model's input, a vertical line: right of it, a view is a part of the image.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    with style():
        figure = Figure(figsize=(4.4, 2.9))
        figure.subplots_adjust(left=0.12, right=0.98, top=0.97, bottom=0.33)
        axes = figure.subplots()
        for curve, colour in zip(curves, (MAJORITY, MINORITY), strict=False):
            x = np.asarray(curve.sizes, float)
            middle, low, high = (
                100 * np.array([getattr(e, end) for e in curve.values]) for end in ("value", "low", "high")
            )
            axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(x, middle, color=colour, linewidth=1.7, marker="o", markersize=3, label=curve.name)
        if own_crop.defined:
            axes.axhline(100 * own_crop.value, color=INK, linestyle=(0, (1, 1.5)), linewidth=1.1, label="own crop")
        axes.axvline(input_size, color=MUTED, linewidth=0.7)
        axes.text(input_size, 103, " input", color=MUTED, fontsize=8, va="bottom")
        axes.set(
            xscale="log", ylim=(0, 114), ylabel="right [%]", xlabel="shorter side of the resized image, S [pixels]"
        )
        axes.set_yticks([0, 25, 50, 75, 100])
        sizes = sorted({size for curve in curves for size in curve.sizes})
        axes.xaxis.set_major_locator(FixedLocator(_ticks(sizes)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.24), ncol=3, handlelength=2.0, columnspacing=1.2)
    return figure


def _ticks(sizes: Sequence[int], apart: float = 0.16) -> list[int]:
    """The scales that are named: those that are far enough from the one before, on the logarithmic axis."""
    span = math.log(sizes[-1] / sizes[0]) or 1.0
    kept: list[int] = []
    for size in sizes:
        if not kept or math.log(size / kept[-1]) / span >= apart / 2:
            kept.append(size)
    return kept


def _rows(each: AnchorMap) -> Any:
    return zip(each.values, each.deviations, strict=True)


def _text(value: Estimate, deviation: Estimate) -> str:
    if not value.defined:
        return "–"
    first = shown(value, "percent") + ("†" if value.small else "")
    if not deviation.defined:
        return first
    ends = interval(deviation, "points", 1)
    return f"{first}\n{number(100 * deviation.value, 1, signed=True)}" + (f"\n{ends}" if ends else "")


def in_words(maps: Mapping[str, Rows]) -> str:
    """Say in words what heat maps show, as their text alternative."""
    parts = []
    for name, rows in maps.items():
        cells = [shown(cell, "percent") for row in rows for cell in row]
        parts.append(f"{name}: {', '.join(cells)}")
    return f"Accuracy of the nine anchors, row by row. {'. '.join(parts)}."
