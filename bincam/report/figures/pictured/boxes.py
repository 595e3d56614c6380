"""Figures of boxes: accuracy over the threshold, and boxes drawn into an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.report.figures.pictured.overlays import Pixels
from bincam.report.figures.theme import INK, MAJORITY, MINORITY, MUTED, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (4.4, 2.9)
TRUE_BOX, MAP_BOX = (255, 255, 255), (255, 176, 0)  # white, and amber that stands out from red and blue
CASING = (20, 20, 20)
DASHES = ((0, (5, 2)), "-")
"""Line of the first model of a contrast, and of the second, or of the only one."""


@dataclass(frozen=True)
class BoxCurves:
    """Accuracies of one model's boxes.

    Attributes:
        levels: ``(L,)``: τ.
        one: ``(L,)``: share of images whose map's box hits.
        projected: ``(L,)``: share of which the projected mask's box hits.
        fixed: Constant figures: name to accuracy; NaN is not drawn.
        marks: Thresholds that are marked: name to τ.
    """

    levels: NDArray[np.float64]
    one: NDArray[np.float64]
    projected: NDArray[np.float64]
    fixed: Mapping[str, float]
    marks: Mapping[str, float]


def box_curves(models: Sequence[BoxCurves]) -> Figure:
    """Draw the accuracy over the threshold, beside what it must beat.

    Args:
        models: One, or the two of a contrast; what needs no map is the same for both and drawn once.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=SIZE)
        figure.subplots_adjust(left=0.12, right=0.98, top=0.97, bottom=0.36)
        axes = figure.subplots()
        dashes = DASHES[-len(models) :]
        for curves, dash in zip(models, dashes, strict=True):
            axes.plot(curves.levels, 100 * curves.one, color=MINORITY, linewidth=1.8, linestyle=dash, label="map")
        last = models[-1]
        axes.plot(last.levels, 100 * last.projected, color=MAJORITY, linewidth=1.2, label="projected mask")
        lines: dict[str, Any] = {
            "reach of the grid": {"color": MAJORITY, "linestyle": (0, (1, 1.5))},
            "constant box": {"color": INK, "linestyle": (0, (1, 1.5))},
            "centred box": {"color": MUTED, "linestyle": (0, (6, 2))},
        }
        for name, line in lines.items():
            if np.isfinite(last.fixed.get(name, np.nan)):
                axes.axhline(100 * last.fixed[name], linewidth=1.1, label=name, **line)
        for name, level in last.marks.items():
            if np.isfinite(level):
                axes.axvline(level, color=MUTED, linewidth=0.7)
                axes.text(level, 103, f" {name}", ha="left", va="bottom", color=MUTED, fontsize=8)
        axes.set(xlabel="threshold τ [share of the map's maximum]", ylabel="IoU ≥ .5 [% of images]")
        axes.set(xlim=(0, 1), ylim=(0, 114))
        axes.set_yticks([0, 25, 50, 75, 100])
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        handles, labels = axes.get_legend_handles_labels()
        seen = dict(zip(labels[::-1], handles[::-1], strict=True))
        order = list(dict.fromkeys(labels))
        axes.legend([seen[n] for n in order], order, loc="upper center", bbox_to_anchor=(0.45, -0.27), ncol=3,
                    handlelength=2.4, columnspacing=1.2)  # fmt: skip
    return figure


def with_boxes(
    image: Pixels, true: NDArray[np.floating[Any]], found: NDArray[np.floating[Any]] | None, side: int = 224
) -> Pixels:
    """Draw the true box (white, dashed) and a map's box (amber) into an image, enlarged to at least ``side`` pixels.

    Args:
        image: ``(H, W, 3)``.
        true: ``(4,)``, in its pixels, ends exclusive; NaN draws none.
        found: Likewise; None draws none.
        side: Pixels of the longer side that the picture has at least, so that lines are thin beside the object.
    """
    from PIL import Image, ImageDraw

    factor = max(1, -(-side // max(image.shape[:2])))
    picture = Image.fromarray(image).resize(
        (image.shape[1] * factor, image.shape[0] * factor), Image.Resampling.BILINEAR
    )
    draw = ImageDraw.Draw(picture)
    width = max(3, max(picture.size) // 70)
    for box, colour, dashed in ((true, TRUE_BOX, True), (found, MAP_BOX, False)):
        if box is not None and np.isfinite(box).all():
            _rectangle(draw, np.asarray(box, float) * factor, colour, width, dashed=dashed)
    return np.asarray(picture)


def _rectangle(draw: Any, box: NDArray[np.float64], colour: tuple[int, ...], width: int, *, dashed: bool) -> None:
    """Draw four lines inside a box, on a darker casing."""
    x0, y0, x1, y1 = box[0], box[1], box[2] - 1, box[3] - 1
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    draw.line(corners, fill=CASING, width=width + 2, joint="curve")
    for (ax, ay), (bx, by) in pairwise(corners):
        length = max(abs(bx - ax), abs(by - ay))
        step = 5 * width if dashed else max(length, 1)
        for start in np.arange(0, max(length, 1), 1.6 * step if dashed else step):
            a, b = start / max(length, 1), min(1.0, (start + step) / max(length, 1))
            ends = [(ax + (bx - ax) * t, ay + (by - ay) * t) for t in (a, b)]
            draw.line(ends, fill=colour, width=width)
