"""Figures of explanations: arrays in, a matplotlib ``Figure`` out, without pyplot's global state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.files import atomic
from bincam.report.figures.pictured.sheet import HEADER, TEXT, make_sheet, style
from bincam.resample import matrix
from bincam.stats.formatting import significant

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

FOOTER = 0.52  # colour bar below a picture, in inches
GREY = 225  # of the plane under maps that are drawn without their image


Outlines = tuple[tuple[Sequence[float], bool], ...]


@dataclass(frozen=True)
class Panel:
    """One attribute of one image.

    Attributes:
        name: Name of the attribute.
        lines: Text under the name, at most three short lines.
        values: ``(h, w)``: signed evidence for the explained side per cell.
        limit: End of the symmetric colour scale; the same for this attribute in all figures that are compared.
        outlines: Boxes x0, y0, x1, y1 in pixels of the image, and if each is a true one, which is dashed.
    """

    name: str
    lines: tuple[str, ...]
    values: NDArray[np.floating[Any]]
    limit: float
    outlines: Outlines = ()


def scale(maps: Sequence[NDArray[np.floating[Any]]]) -> float:
    """Return the largest finite absolute value in all maps of one attribute, as the end of their common colour scale.

    Returns:
        A positive number; 1 where all maps are zero or undefined.
    """
    peak = max((float(np.abs(m[np.isfinite(m)]).max(initial=0.0)) for m in maps), default=0.0)
    return peak or 1.0


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
    image_name: str = "image, as the model sees it",
    image_outlines: Outlines = (),
) -> Figure:
    """Draw one image and a signed map for each of its attributes.

    Args:
        image: ``(H, W, 3)``, as the model sees it before normalisation, or whole; None draws the maps on plain grey.
        panels: One per attribute.
        unit: Unit of the maps, see ``bincam.units``.
        title: Above all, usually the file's name.
        caption: Below all: what was drawn, and what may be claimed.
        image_note: Under the image's own heading.
        size: ``(H, W)`` of the image if there is none.
        image_name: The image's heading.
        image_outlines: Boxes on the image itself, as ``Panel.outlines``.

    Returns:
        The figure; panels stand in rows of at most about the square root of their number, and keep the image's aspect.
    """
    size = image.shape[:2] if image is not None else size or panels[0].values.shape
    cells: list[Panel | None] = [*([None] if image is not None else []), *panels]  # None: the image itself
    height, width = size
    with style():
        sheet = make_sheet(len(cells), size, title=title, caption=caption, footer=FOOTER)
        picture_w, picture_h = sheet.picture
        grey = np.full((height, width, 3), GREY, np.uint8) if image is None else backdrop(image)
        colours = evidence_colours()
        for index, panel in enumerate(cells):
            name, lines = (panel.name, panel.lines) if panel else (image_name, (image_note,))
            axes = sheet.picture_axes(index, name, lines)
            axes.imshow(grey if panel else image, extent=(0, width, height, 0), interpolation="nearest")
            if panel is None:
                _outline(axes, image_outlines, width=0.7)
                continue
            drawn = axes.imshow(
                enlarge(panel.values, (height, width)),
                extent=(0, width, height, 0),
                cmap=colours,
                vmin=-panel.limit,
                vmax=panel.limit,
                interpolation="nearest",
            )
            _outline(axes, panel.outlines)
            place = sheet.axes(index, HEADER + picture_h + 0.08, min(picture_w, 2.0), 0.1)
            _colour_bar(sheet.figure, drawn, place, panel.limit, unit)
    return sheet.figure


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


def _outline(axes: Any, outlines: Outlines, width: float = 1.4) -> None:
    """Draw boxes: true ones white and dashed, the map's amber, both with a dark casing."""
    from matplotlib.patches import Rectangle

    for (x0, y0, x1, y1), true in outlines:
        top = ("#ffffff", width, (0, (4, 3))) if true else ("#ffb000", width, "-")
        for colour, thick, dash in (("#141414", 2 * width, "-"), top):
            axes.add_patch(
                Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=thick, linestyle=dash)
            )


def _colour_bar(figure: Figure, drawn: Any, axes: Any, limit: float, unit: str) -> None:
    bar = figure.colorbar(drawn, cax=axes, orientation="horizontal", ticks=[-limit, 0, limit])
    bar.ax.set_xticklabels([significant(-limit, 2), "0", significant(limit, 2, signed=True)])
    bar.ax.tick_params(labelsize=TEXT, length=2, pad=1.5, color="#666666")
    bar.outline.set_edgecolor("#999999")
    labels = bar.ax.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
    bar.ax.set_xlabel(f"against  ←  {unit} per cell  →  for", size=TEXT - 0.5, labelpad=0.5)
