"""Figures of label sets: coverage against size with the fitted rules, sizes, and coverage per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.report.figures.theme import INK, LINE, MAJORITY, MINORITY, MUTED, style
from bincam.stats.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

SIZE = (4.2, 3.1)
MARKS: Mapping[str, tuple[str, str]] = {
    "lac": ("D", "LAC"),
    "class_conditional": ("s", "class-conditional LAC"),
    "aps": ("^", "APS"),
    "raps": ("v", "RAPS"),
    "average_k": ("o", "average-K"),
}
"""Method to its marker and its name in a legend."""
LONGEST = 22
MOST_CLASSES = 20
_PLACE: Mapping[str, float] = {"left": 0.14, "right": 0.95, "top": 0.97, "bottom": 0.33}
"""Of the axes in a figure of ``SIZE``."""
_LEGEND = 0.42
"""Inches from the axes down to the legend, for numbers and a label."""
_UNCUT: Mapping[str, Any] = {"clip_on": False, "zorder": 3}
"""Of markers: the ends of an axis, such as 0, do not cut them in half."""


def size_coverage_figure(
    curve: Mapping[str, Sequence[float | None]], points: Mapping[str, tuple[float, float]], alpha: float, most: int
) -> Figure:
    """Draw coverage against size at every threshold, and the fitted rules as points.

    Args:
        curve: ``size``, ``coverage``, ``minority``, ``majority``, of equal length.
        points: Rule to its size and coverage; average-K and LAC are on the line, but for rounding and ties.
        alpha: α; 1 - α is marked.
        most: K, the end of the axis.
    """
    from matplotlib.figure import Figure

    lines = {name: np.array([np.nan if v is None else v for v in curve[name]], float) for name in curve}
    # Beyond the last point every true label is covered.
    end = min(most, max([1.0, *lines["size"][-1:], *(size for size, _ in points.values())]) * 1.05)
    size = np.append(lines["size"], end)
    with style():
        figure = Figure(figsize=SIZE)
        figure.subplots_adjust(**_PLACE)
        axes = figure.subplots()
        axes.axhline(100 * (1 - alpha), color=MUTED, linewidth=0.8, linestyle=(0, (1, 1.5)))
        for name, colour, width in (("majority", MAJORITY, 1.3), ("minority", MINORITY, 1.3), ("coverage", INK, 1.8)):
            if np.isfinite(lines[name]).any():
                label = "all images" if name == "coverage" else name
                axes.plot(size, 100 * np.append(lines[name], 1.0), color=colour, linewidth=width, label=label)
        seen = set()
        for rule, (at, covered) in points.items():
            method = rule.partition("=")[0]
            marker, name = MARKS.get(method, ("x", method))
            axes.plot(at, 100 * covered, marker, color=INK, markersize=6, markeredgewidth=1.3, linestyle="none",
                      markerfacecolor=INK if method == "average_k" else "none",
                      label=None if method in seen else name, **_UNCUT)  # fmt: skip
            seen.add(method)
        axes.set(xlabel="mean number of labels", ylabel="coverage [%]", xlim=(0, end), ylim=(0, 103))
        axes.set_yticks([0, 25, 50, 75, 100])
        _plain(axes)
        _legend(figure, axes)
    return figure


def sizes_figure(rules: Mapping[str, Sequence[int]], names: Sequence[str] = ()) -> Figure:
    """Draw the shares of images by number of labels.

    Args:
        rules: Name of a rule to its images by number of labels, from none on; one or two of them.
        names: Names of the sizes; their numbers by default.
    """
    from matplotlib.figure import Figure

    occupied = [n for n in range(max(map(len, rules.values()))) if any(counts[n] for counts in rules.values())]
    first, last = min(occupied, default=0), max(occupied, default=1)
    sizes = np.arange(0 if names else first, (len(names) - 1 if names else last) + 1)
    with style():
        figure = Figure(figsize=SIZE)
        figure.subplots_adjust(**_PLACE)
        axes = figure.subplots()
        width = 0.8 / len(rules)
        for place, (rule, counts) in enumerate(rules.items()):
            total = max(1, sum(counts))
            share = [100 * counts[int(n)] / total for n in sizes]
            at = sizes + (place - (len(rules) - 1) / 2) * width
            axes.bar(at, share, 0.92 * width, color=(MUTED, INK)[place % 2], label=rule)
        axes.set(xlabel="" if names else "labels in the set", ylabel="images [%]", ylim=(0, 103))
        if names:
            axes.set_xticks(sizes, names)
        elif len(sizes) <= 12:
            axes.set_xticks(sizes)
        axes.grid(False, axis="x")
        _plain(axes)
        _legend(figure, axes)
    return figure


def classes_figure(
    rules: Mapping[str, Mapping[str, Estimate]], alpha: float, minority: Sequence[str] = (), what: str = "coverage"
) -> Figure:
    """Draw coverage, or recall, of each class by several rules, with intervals.

    Args:
        rules: Name of a rule to class to estimate; at most three rules. Classes without an estimate have no point.
        alpha: α; 1 - α is marked.
        minority: Classes of few samples, whose names are in the minority's colour.
        what: Name of the measure, for the axis.
    """
    from matplotlib.figure import Figure

    names = list(next(iter(rules.values())))
    shown = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    looks = ((MUTED, "D"), (INK, "s"), (MAJORITY, "o"))
    with style():
        figure = Figure(figsize=SIZE)
        axes = figure.subplots()
        axes.axvline(100 * (1 - alpha), color=MUTED, linewidth=0.8, linestyle=(0, (1, 1.5)))
        for place, (rule, figures) in enumerate(rules.items()):
            offset = (place - (len(rules) - 1) / 2) * 0.26
            colour, marker = looks[place % len(looks)]
            label: str | None = rule
            for row, name in enumerate(names):
                figure_of = figures.get(name)
                if figure_of is None or not figure_of.defined:
                    continue
                axes.plot([100 * figure_of.low, 100 * figure_of.high], [row + offset] * 2, color=colour, linewidth=1.3)
                look: dict[str, Any] = {
                    "color": colour,
                    "markerfacecolor": "white" if figure_of.small else colour,
                    "label": label,
                    **_UNCUT,
                }
                axes.plot(100 * figure_of.value, row + offset, marker, markersize=4.5, linestyle="none", **look)
                label = None
        axes.set(xlim=(0, 103), ylim=(len(names) - 0.5, -0.5), xlabel=f"{what} [%]")
        axes.set_yticks(range(len(names)), shown)
        for tick, name in zip(axes.get_yticklabels(), names, strict=True):
            tick.set_color(MINORITY if name in minority else INK)
        axes.grid(True, axis="x", color=LINE)
        axes.grid(False, axis="y")
        _plain(axes)
        legend = _legend(figure, axes)
        below = _LEGEND + legend.get_window_extent().height / figure.dpi
        height = max(SIZE[1] - 0.6, 0.24 * len(names) + below + 0.1)
        figure.set_size_inches(SIZE[0], height)
        left = (0.085 * max(map(len, shown)) + 0.25) / SIZE[0]
        figure.subplots_adjust(left=left, right=0.95, top=1 - 0.08 / height, bottom=below / height)
        legend.set_bbox_to_anchor((0.5, (below - _LEGEND) / height))
    return figure


def _legend(figure: Figure, axes: Axes) -> Legend:
    """Put the legend below the axes, in as many columns, three at most, as there is room for."""
    top = _PLACE["bottom"] - _LEGEND / SIZE[1]
    for columns in (3, 2, 1):
        legend = figure.legend(
            *axes.get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, top), ncol=columns,
            handlelength=1.4, columnspacing=1.2, borderaxespad=0,
        )  # fmt: skip
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    return legend


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
