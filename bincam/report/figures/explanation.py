"""Figures of explanations: arrays in, a matplotlib ``Figure`` out, without pyplot's global state."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.files import atomic
from bincam.resample import matrix
from bincam.stats.formatting import significant

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

WIDTH, TALLEST = 2.5, 3.6  # of one picture, in inches
HEADER, FOOTER, GAP = 0.86, 0.52, 0.3  # text above a picture, colour bar below, space between columns
TEXT = 7.5  # points
GREY = 225  # of the plane under maps that are drawn without their image


@dataclass(frozen=True)
class Panel:
    """One attribute of one image.

    Attributes:
        name: Name of the attribute.
        lines: Text under the name, at most three short lines.
        values: ``(h, w)``: signed evidence for the explained side per cell.
        limit: End of the symmetric colour scale; the same for this attribute in all figures that are compared.
    """

    name: str
    lines: tuple[str, ...]
    values: NDArray[np.floating[Any]]
    limit: float


def scale(maps: Sequence[NDArray[np.floating[Any]]]) -> float:
    """Return the largest finite absolute value in all maps of one attribute, as the end of their common colour scale.

    Returns:
        A positive number; 1 where all maps are zero or undefined.
    """
    peak = max((float(np.abs(m[np.isfinite(m)]).max(initial=0.0)) for m in maps), default=0.0)
    return peak or 1.0


@contextmanager
def style() -> Iterator[None]:
    """Apply seaborn's plain style while a figure is drawn."""
    import matplotlib as mpl
    import seaborn as sns

    settings: Any = {**sns.axes_style("white"), **sns.plotting_context("paper"), "font.size": TEXT}
    with mpl.rc_context(settings):
        yield


def evidence_colours() -> Colormap:
    """Return colours from blue (against) over clear (zero) to red (for): seaborn's colour-blind safe ``vlag``."""
    import seaborn as sns
    from matplotlib.colors import ListedColormap

    steps = np.linspace(-1, 1, 257)
    colours: NDArray[np.float64] = sns.color_palette("vlag", as_cmap=True)((steps + 1) / 2)
    vivid = np.where(steps[:, None] < 0, colours[:1], colours[-1:])  # vlag's own ends, so that alpha alone fades
    mix = np.sqrt(np.abs(steps))[:, None]
    colours[:, :3] = (1 - mix) * colours[:, :3] + mix * vivid[:, :3]
    colours[:, 3] = 0.88 * np.abs(steps) ** 0.7
    return ListedColormap(colours, name="evidence")


def explanation_figure(
    image: NDArray[np.uint8] | None,
    panels: Sequence[Panel],
    *,
    title: str,
    caption: str,
    unit: str = "logit",
    image_note: str = "",
    size: tuple[int, int] | None = None,
) -> Figure:
    """Draw one image and a signed map for each of its attributes.

    Args:
        image: ``(H, W, 3)``, as the model sees it, before normalisation; None draws the maps on plain grey.
        panels: One per attribute.
        unit: Unit of the maps, see ``bincam.report.reading.units``.
        title: Above all, usually the file's name.
        caption: Below all: what was drawn, and what may be claimed.
        image_note: Under the image's own heading.
        size: ``(H, W)`` of the image if there is none.

    Returns:
        The figure; panels stand in rows of at most about the square root of their number, and keep the image's aspect.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = image.shape[:2] if image is not None else size or panels[0].values.shape
    picture_w = min(WIDTH, TALLEST * width / height)
    picture_h = picture_w * height / width
    cell_w, cell_h = max(picture_w, 2.3) + GAP, picture_h + HEADER + FOOTER
    cells: list[Panel | None] = [*([None] if image is not None else []), *panels]  # None: the image itself
    count = len(cells)
    columns = min(count, max(4, round(math.sqrt(count * cell_h / cell_w))))
    rows = math.ceil(count / columns)
    figure_w = columns * cell_w + GAP
    foot = textwrap.wrap(caption, int(figure_w * 15.5)) if caption else []
    bottom, top = 0.16 * len(foot) + 0.15, 0.28
    figure_h = rows * cell_h + bottom + top
    with style():
        figure = Figure(figsize=(figure_w, figure_h), facecolor="white")
        FigureCanvasAgg(figure)

        def put(column: float, row: int, down: float, w: float, h: float) -> Any:
            """Axes whose top is ``down`` inches below the top of a cell, centred in its width."""
            left = GAP + column * cell_w + (cell_w - GAP - w) / 2
            base = figure_h - top - row * cell_h - down - h
            return figure.add_axes((left / figure_w, base / figure_h, w / figure_w, h / figure_h))

        words: dict[str, Any] = {"parse_math": False, "color": "#222222"}
        figure.text(
            GAP / figure_w,
            1 - 0.12 / figure_h,
            _short(title, int(figure_w * 11)),
            va="top",
            size=10,
            weight="bold",
            **words,
        )
        for line, text in enumerate(foot):
            base = bottom - 0.02 - 0.16 * line
            figure.text(GAP / figure_w, base / figure_h, text, va="top", size=TEXT, **words)
        grey = np.full((height, width, 3), GREY, np.uint8) if image is None else backdrop(image)
        colours = evidence_colours()
        for index, panel in enumerate(cells):
            row, column = divmod(index, columns)
            axes = put(column, row, HEADER, picture_w, picture_h)
            axes.set(xticks=[], yticks=[])
            axes.imshow(grey if panel else image, extent=(0, width, height, 0), interpolation="nearest")
            name, lines = (panel.name, panel.lines) if panel else ("image, as the model sees it", (image_note,))
            _heading(axes, name, [line for line in lines if line], picture_h)
            if panel is None:
                continue
            drawn = axes.imshow(
                enlarge(panel.values, (height, width)),
                extent=(0, width, height, 0),
                cmap=colours,
                vmin=-panel.limit,
                vmax=panel.limit,
                interpolation="nearest",
            )
            _colour_bar(
                figure, drawn, put(column, row, HEADER + picture_h + 0.08, min(picture_w, 2.0), 0.1), panel.limit,
                unit,
            )  # fmt: skip
    return figure


def enlarge(values: NDArray[np.floating[Any]], size: tuple[int, int]) -> NDArray[np.float64]:
    """Enlarge a native grid ``(h, w)`` to an image's size ``(H, W)`` with the package's upsampling operator."""
    grid = np.asarray(values, dtype=np.float64)
    enlarged: NDArray[np.float64] = matrix(grid.shape[0], size[0]) @ grid @ matrix(grid.shape[1], size[1]).T
    return enlarged


def save_figure(figure: Figure, path: str | Path, dpi: int = 130) -> None:
    """Write a PNG completely or not at all."""
    import warnings

    with atomic(path) as part, style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # other scripts: boxes
        figure.savefig(part, dpi=dpi, format="png")


def backdrop(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image ``(H, W, 3)`` in light grey, so that every colour on it belongs to the map."""
    grey = image[..., :3] @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601 luma
    light = (70 + grey * (255 - 70) / 255).astype(np.uint8)
    return np.repeat(light[..., None], 3, axis=2)


def _heading(axes: Any, name: str, lines: Sequence[str], picture_h: float) -> None:
    """Write the name in bold and the lines under it, above the picture."""
    step = 0.145 / picture_h  # one line of text, in heights of the picture
    for up, line in enumerate(reversed(lines)):
        axes.text(
            0.5,
            1 + (0.35 + up) * step,
            line,
            transform=axes.transAxes,
            ha="center",
            size=TEXT,
            color="#333333",
            parse_math=False,
        )
    axes.text(
        0.5,
        1 + (0.45 + len(lines)) * step,
        _short(name, 34),
        transform=axes.transAxes,
        ha="center",
        size=8.5,
        weight="bold",
        color="#111111",
        parse_math=False,
    )


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _colour_bar(figure: Figure, drawn: Any, axes: Any, limit: float, unit: str) -> None:
    bar = figure.colorbar(drawn, cax=axes, orientation="horizontal", ticks=[-limit, 0, limit])
    bar.ax.set_xticklabels([significant(-limit, 2), "0", significant(limit, 2, signed=True)])
    bar.ax.tick_params(labelsize=TEXT, length=2, pad=1.5, color="#666666")
    bar.outline.set_edgecolor("#999999")
    labels = bar.ax.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
    bar.ax.set_xlabel(f"against  ←  {unit} per cell  →  for", size=TEXT - 0.5, labelpad=0.5)
