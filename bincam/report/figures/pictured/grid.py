"""Pictures of prediction grids: every cell on the image, coloured by what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.report.figures.pictured.explanation import backdrop
from bincam.report.figures.pictured.sheet import HEADER, TEXT, Sheet, make_sheet, shortened, style
from bincam.stats.formatting import significant

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

LEGEND = 7
"""Outputs of a set that have a colour; all others share one."""
BAR, LINE = 0.62, 0.165  # colour bar with its ticks, and one line of a legend, in inches
OPACITY = 0.72
OTHERS = "#8a8a8a"


@dataclass(frozen=True)
class ScoreCells:
    """The cells of a yes-or-no attribute.

    Attributes:
        name: Of the attribute.
        lines: Text under the name, at most three short lines.
        scores: ``(h, w)``: s.
        threshold: t, the middle of the colours.
        limit: Greatest |s - t| of the scale; the same for this attribute in all figures that are compared.
    """

    name: str
    lines: tuple[str, ...]
    scores: NDArray[np.floating[Any]]
    threshold: float
    limit: float


@dataclass(frozen=True)
class NamedCells:
    """The cells of a set of outputs.

    Attributes:
        name: Of the set.
        lines: Text under the name, at most three short lines.
        winners: ``(h, w)``: index into ``names`` of the output that a cell names; -1 for none.
        names: Of all outputs of the set.
        answer: Index of the image's own answer, which is marked in the legend; -1 for none.
    """

    name: str
    lines: tuple[str, ...]
    winners: NDArray[np.integer[Any]]
    names: tuple[str, ...]
    answer: int


def grid_figure(
    image: NDArray[np.uint8],
    panels: Sequence[ScoreCells | NamedCells],
    *,
    title: str,
    caption: str,
    image_note: str = "",
) -> Figure:
    """Draw one image, and its cells for every yes-or-no attribute and every set.

    Cells of an attribute go from blue (below the threshold, no) over white to red (above, yes), and a line separates
    the two. Cells of a set have the colour of the output that they name; the legend has the few that any cell names,
    with their numbers of cells.

    Args:
        image: ``(H, W, 3)``, as the model sees it, before normalisation.
        panels: One per attribute or set.
        title: Above all, usually the file's name.
        caption: Below all: what was drawn, and what may be claimed.
        image_note: Under the image's own heading.

    Returns:
        The figure, which is not registered with pyplot.
    """
    height, width = image.shape[:2]
    legends = [ranked(panel) for panel in panels if isinstance(panel, NamedCells)]
    longest = max((len(legend) for legend in legends), default=0)
    footer = max(BAR if len(legends) < len(panels) else 0.0, 0.2 + LINE * (longest + 1) if legends else 0.0)
    with style():
        sheet = make_sheet(len(panels) + 1, (height, width), title=title, caption=caption, footer=footer)
        axes = sheet.picture_axes(0, "image, as the model sees it", (image_note,))
        axes.imshow(image, extent=(0, width, height, 0), interpolation="nearest")
        grey = backdrop(image)
        for index, panel in enumerate(panels, start=1):
            axes = sheet.picture_axes(index, panel.name, panel.lines)
            axes.imshow(grey, extent=(0, width, height, 0), interpolation="nearest")
            if isinstance(panel, ScoreCells):
                _draw_scores(sheet, index, axes, panel, (height, width))
            else:
                _draw_names(sheet, index, axes, panel, (height, width))
    return sheet.figure


def ranked(panel: NamedCells) -> list[tuple[int, int]]:
    """List the outputs of a legend, each with its number of cells: those that most cells name, and the answer.

    >>> ranked(NamedCells("kind", (), np.array([[1, 1], [0, -1]]), ("cat", "dog", "fox"), answer=2))
    [(1, 2), (0, 1), (2, 0)]
    """
    counts = np.bincount(panel.winners[panel.winners >= 0], minlength=len(panel.names))
    order = [int(place) for place in np.argsort(-counts, kind="stable") if counts[place]]
    shown = order[:LEGEND]
    if panel.answer >= 0 and panel.answer not in shown:
        shown = [*shown[: LEGEND - 1], panel.answer]
    return [(place, int(counts[place])) for place in shown]


def score_colours() -> Colormap:
    """Return colours from blue (no) over white (the threshold) to red (yes): seaborn's colour-blind safe ``vlag``.

    It is stretched at its middle by a square root, because a few cells of an object often have scores many times as
    large as all others, whose sides would else be hard to see.
    """
    import seaborn as sns
    from matplotlib.colors import ListedColormap

    steps = np.linspace(-1, 1, 513)
    stretched = np.sign(steps) * np.sqrt(np.abs(steps))
    return ListedColormap(sns.color_palette("vlag", as_cmap=True)((stretched + 1) / 2), name="cell scores")


def name_colours(count: int) -> list[str]:
    """Return colours of outputs: those of seaborn's ``colorblind`` that remain distinct over a photograph.

    >>> len(set(name_colours(LEGEND))) == LEGEND and OTHERS not in name_colours(LEGEND)
    True
    """
    import seaborn as sns

    palette = [str(colour) for colour in sns.color_palette("colorblind").as_hex()]
    return [palette[place] for place in (0, 1, 2, 3, 4, 8, 9)][:count]  # without its brown, pink and grey


def _draw_scores(sheet: Sheet, index: int, axes: Any, panel: ScoreCells, size: tuple[int, int]) -> None:
    height, width = size
    middle, limit = panel.threshold, panel.limit
    drawn = axes.imshow(
        panel.scores,
        extent=(0, width, height, 0),
        cmap=score_colours(),
        vmin=middle - limit,
        vmax=middle + limit,
        alpha=np.where(np.isfinite(panel.scores), OPACITY, 0.0),
        interpolation="nearest",
    )
    _lines(axes, panel.scores.shape, size)
    _borders(axes, np.where(np.isfinite(panel.scores), panel.scores >= middle, -1).astype(int), size)
    bar = sheet.axes(index, HEADER + sheet.picture[1] + 0.08, min(sheet.picture[0], 2.0), 0.1)
    scale = sheet.figure.colorbar(
        drawn, cax=bar, orientation="horizontal", ticks=[middle - limit, middle, middle + limit]
    )
    if scale.solids is not None:
        scale.solids.set_alpha(1.0)
    bar.axvline(middle, color="black", linewidth=1.2)
    low, high = (significant(middle + sign * limit, 2, signed=True) for sign in (-1, 1))
    bar.set_xticklabels([low, f"t = {significant(middle, 2)}", high])
    bar.tick_params(labelsize=TEXT, length=2, pad=1.5, color="#666666")
    scale.outline.set_edgecolor("#999999")
    labels = bar.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
    bar.set_xlabel("no  ←  cell score, logits  →  yes", size=TEXT - 0.5, labelpad=0.5)


def _draw_names(sheet: Sheet, index: int, axes: Any, panel: NamedCells, size: tuple[int, int]) -> None:
    from matplotlib.colors import to_rgba

    height, width = size
    legend = ranked(panel)
    colours = name_colours(len(legend))
    cells = np.tile(np.array(to_rgba(OTHERS, OPACITY)), (*panel.winners.shape, 1))
    cells[panel.winners < 0] = 0
    for (place, _), colour in zip(legend, colours, strict=True):
        cells[panel.winners == place] = to_rgba(colour, OPACITY)
    axes.imshow(cells, extent=(0, width, height, 0), interpolation="nearest")
    _lines(axes, panel.winners.shape, size)
    _borders(axes, panel.winners, size)
    named = int((panel.winners >= 0).sum())
    rest = named - sum(count for _, count in legend)
    entries = [
        (panel.names[place], count, colour, place == panel.answer)
        for (place, count), colour in zip(legend, colours, strict=True)
    ]
    if rest:
        entries.append(("others", rest, OTHERS, False))
    room = LINE * max(len(entries), 1)
    box = sheet.axes(index, HEADER + sheet.picture[1] + 0.1, max(sheet.picture[0], 2.2), room)
    box.set_axis_off()
    box.set(xlim=(0, 1), ylim=(max(len(entries), 1), 0))
    for row, (name, count, colour, answer) in enumerate(entries):
        box.scatter([0.03], [row + 0.5], s=42, marker="s", color=colour, alpha=OPACITY, linewidths=0)
        words: dict[str, Any] = {"va": "center", "size": TEXT, "parse_math": False}
        words["weight"] = "bold" if answer else "normal"
        label = f"{shortened(name, 17)} (answer)" if answer else shortened(name, 27)
        box.text(0.08, row + 0.5, label, **words)
        box.text(1.0, row + 0.5, f"{count} of {panel.winners.size}", ha="right", **words)


def _lines(axes: Any, grid: tuple[int, ...], size: tuple[int, int]) -> None:
    """Thin white lines between all cells."""
    for ends, draw in (
        (np.linspace(0, size[0], grid[0] + 1), axes.axhline),
        (np.linspace(0, size[1], grid[1] + 1), axes.axvline),
    ):
        for end in ends[1:-1]:
            draw(end, color="white", linewidth=0.35, alpha=0.6)


def _borders(axes: Any, said: NDArray[np.integer[Any]], size: tuple[int, int]) -> None:
    """Dark lines between cells that say different things, and around them at none."""
    from matplotlib.collections import LineCollection

    h, w = said.shape
    down, across = size[0] / h, size[1] / w
    segments = [
        [(column * across, row * down), ((column + 1) * across, row * down)]
        for row in range(1, h)
        for column in range(w)
        if said[row, column] != said[row - 1, column]
    ]
    segments += [
        [(column * across, row * down), (column * across, (row + 1) * down)]
        for row in range(h)
        for column in range(1, w)
        if said[row, column] != said[row, column - 1]
    ]
    axes.add_collection(LineCollection(segments, colors="#222222", linewidths=1.1, capstyle="round"))
    axes.set(xlim=(0, size[1]), ylim=(size[0], 0))
