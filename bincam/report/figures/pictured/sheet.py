"""A sheet of pictures of one image in rows, with a heading above each, room below it, a title and a caption."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, TALLEST = 2.5, 3.6  # of one picture, in inches
HEADER, GAP = 0.86, 0.3  # text above a picture, space between columns
TEXT = 7.5  # points


@contextmanager
def style() -> Iterator[None]:
    """Apply seaborn's plain style while a figure is drawn."""
    import matplotlib as mpl
    import seaborn as sns

    settings: Any = {**sns.axes_style("white"), **sns.plotting_context("paper"), "font.size": TEXT}
    with mpl.rc_context(settings):
        yield


@dataclass(frozen=True)
class Sheet:
    """A figure with equal places for pictures; ``make_sheet`` makes it.

    Attributes:
        figure: The figure.
        picture: Width and height of a picture, in inches.
        cell: Width and height of a place, in inches.
        columns: Places in a row.
        top: Room for the title, in inches.
    """

    figure: Figure
    picture: tuple[float, float]
    cell: tuple[float, float]
    columns: int
    top: float

    def axes(self, index: int, down: float, width: float, height: float) -> Any:
        """Add axes to a place.

        Args:
            index: Of the place, row by row.
            down: Inches from the top of the place to the top of the axes.
            width: In inches; the axes are centred in the place.
            height: In inches.
        """
        figure_w, figure_h = self.figure.get_size_inches()
        row, column = divmod(index, self.columns)
        left = GAP + column * self.cell[0] + (self.cell[0] - GAP - width) / 2
        base = figure_h - self.top - row * self.cell[1] - down - height
        return self.figure.add_axes((left / figure_w, base / figure_h, width / figure_w, height / figure_h))

    def picture_axes(self, index: int, name: str, lines: Sequence[str]) -> Any:
        """Add the axes of a picture, with its name in bold and at most three short lines above it."""
        axes = self.axes(index, HEADER, *self.picture)
        axes.set(xticks=[], yticks=[])
        step = 0.145 / self.picture[1]  # one line of text, in heights of the picture
        shown = [line for line in lines if line]
        words: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "parse_math": False}
        for up, line in enumerate(reversed(shown)):
            axes.text(0.5, 1 + (0.35 + up) * step, line, size=TEXT, color="#333333", **words)
        base = 1 + (0.45 + len(shown)) * step
        axes.text(0.5, base, shortened(name, 34), size=8.5, weight="bold", color="#111111", **words)
        return axes


def make_sheet(count: int, size: tuple[int, int], *, title: str, caption: str, footer: float) -> Sheet:
    """Make a sheet; call it and draw within ``style``.

    Args:
        count: Number of pictures.
        size: ``(H, W)`` of the image, of which every picture has the aspect.
        title: Above all, usually the file's name.
        caption: Below all: what was drawn, and what may be claimed.
        footer: Room below every picture, in inches.

    Returns:
        The sheet; rows have at most about the square root of the number of pictures.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = size
    picture_w = min(WIDTH, TALLEST * width / height)
    picture_h = picture_w * height / width
    cell_w, cell_h = max(picture_w, 2.3) + GAP, picture_h + HEADER + footer
    columns = min(count, max(4, round(math.sqrt(count * cell_h / cell_w))))
    rows = math.ceil(count / columns)
    figure_w = columns * cell_w + GAP
    foot = textwrap.wrap(caption, int(figure_w * 15.5)) if caption else []
    bottom, top = 0.16 * len(foot) + 0.15, 0.28
    figure_h = rows * cell_h + bottom + top
    figure = Figure(figsize=(figure_w, figure_h), facecolor="white")
    FigureCanvasAgg(figure)
    words: dict[str, Any] = {"parse_math": False, "color": "#222222", "va": "top"}
    left = GAP / figure_w
    name = shortened(title, int(figure_w * 11))
    figure.text(left, 1 - 0.12 / figure_h, name, size=10, weight="bold", **words)
    for line, text in enumerate(foot):
        figure.text(left, (bottom - 0.02 - 0.16 * line) / figure_h, text, size=TEXT, **words)
    return Sheet(figure, (picture_w, picture_h), (cell_w, cell_h), columns, top)


def shortened(text: str, longest: int) -> str:
    """Cut a text that is too long, and say so.

    >>> shortened("a long name", 6)
    'a lon…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"
