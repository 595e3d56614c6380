"""Overview figures of an audit or a contrast: a pair of points per attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bincam.report.figures.theme import INK, LINE, MAJORITY, MINORITY, MUTED, PAPER, POINTS, style
from bincam.stats.formatting import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bincam.stats.estimate import Estimate

CLASSES = ("minority", "majority")
COLOURS = {"minority": MINORITY, "majority": MAJORITY}
MARKERS = {"minority": "o", "majority": "D"}


@dataclass(frozen=True)
class Row:
    """One attribute of an overview.

    Attributes:
        name: Name of the attribute.
        share: Share of the minority class in the counted labels; NaN where unknown.
        values: Per arm, the estimates of the minority and of the majority.
    """

    name: str
    share: float
    values: tuple[tuple[Estimate, Estimate], ...]


def pairs(
    rows: Sequence[Row],
    arms: Sequence[str],
    label: str,
    *,
    zero: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw a dumbbell per attribute and arm: minority and majority with intervals, joined by a line.

    Args:
        rows: From top to bottom.
        arms: Names of the columns.
        label: Label of the value axis, with its unit.
        zero: A value to mark, such as chance.
        limits: Limits of the value axis; from the data by default.

    Returns:
        The figure. Estimates of few images have hollow markers; undefined ones are omitted.
    """
    from matplotlib.figure import Figure

    with style():
        left, column, step = 2.0, 3.3 if len(arms) > 1 else 5.2, 0.2
        top = 0.3 if len(arms) > 1 else 0.08
        width, height = left + column * len(arms) + 0.1, 0.65 + top + step * len(rows)
        figure = Figure(figsize=(width, height))
        grid = figure.subplots(1, len(arms), sharex=True, sharey=True, squeeze=False)[0]
        figure.subplots_adjust(
            left=left / width, right=1 - 0.12 / width, top=1 - top / height, bottom=0.62 / height, wspace=0.06
        )
        for index, (axes, arm) in enumerate(zip(grid, arms, strict=True)):
            _dumbbells(axes, [row.values[index] for row in rows])
            if len(arms) > 1:
                axes.set_title(arm, loc="left")
            axes.set_xlabel(label)
            axes.grid(visible=False, axis="y")
            axes.tick_params(length=0)
            for side in ("top", "right", "left"):
                axes.spines[side].set_visible(False)
            if zero is not None:
                axes.axvline(zero, color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
        names = [row.name if np.isnan(row.share) else f"{row.name}  {percent(row.share)}" for row in rows]
        grid[0].set_yticks(range(len(rows)), names)
        grid[0].set_ylim(len(rows) - 0.4, -0.6)
        if limits is not None:
            room = 0.02 * (limits[1] - limits[0])  # so that a marker at the end is not cropped
            grid[0].set_xlim(limits[0] - room, limits[1] + room)
        _legend(figure, height)
    return figure


def _dumbbells(axes: Any, values: Sequence[tuple[Estimate, Estimate]]) -> None:
    from matplotlib.collections import LineCollection

    axes.barh(range(0, len(values), 2), 1, left=0, height=1, color=LINE, alpha=0.35, linewidth=0, zorder=0,
              transform=axes.get_yaxis_transform())  # fmt: skip
    joints = [[(a.value, y), (b.value, y)] for y, (a, b) in enumerate(values) if a.defined and b.defined]
    axes.add_collection(LineCollection(joints, colors=MUTED, linewidths=0.8, alpha=0.6, zorder=2), autolim=False)
    for place, name in enumerate(CLASSES):
        cells = [(y, pair[place]) for y, pair in enumerate(values) if pair[place].defined]
        spans = [[(n.low, y), (n.high, y)] for y, n in cells if np.isfinite(n.low) and np.isfinite(n.high)]
        axes.add_collection(LineCollection(spans, colors=COLOURS[name], linewidths=2.2, alpha=0.35, zorder=3))
        for small in (False, True):
            chosen = [(n.value, y) for y, n in cells if n.small == small]
            axes.scatter(
                [x for x, _ in chosen],
                [y for _, y in chosen],
                marker=MARKERS[name],
                s=19 if name == "minority" else 15,
                facecolor=PAPER if small else COLOURS[name],
                edgecolor=COLOURS[name],
                linewidth=0.9,
                zorder=4,
            )


def _legend(figure: Figure, height: float) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker=MARKERS[n], color=COLOURS[n], linestyle="", markersize=4.5, label=f"{n} class")
        for n in CLASSES
    ]
    marks.append(
        Line2D([], [], marker="o", color=MUTED, markerfacecolor=PAPER, linestyle="", markersize=4.5, label="few images")
    )
    figure.legend(
        handles=marks, loc="lower center", ncols=3, bbox_to_anchor=(0.5, 0.02 / height), labelcolor=INK,
        fontsize=POINTS, handletextpad=0.2, columnspacing=1.4,
    )  # fmt: skip
