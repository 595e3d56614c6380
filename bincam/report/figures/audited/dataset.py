"""Figures of a data set: prevalence, correlation, regions over faces."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.display import counted
from bincam.files import atomic, check_ending

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bincam.data.describe import Description

FORMATS = (".jpeg", ".jpg", ".pdf", ".png", ".svg", ".tif", ".tiff", ".webp")
"""Endings of the names of figures."""
_NAMES = {"": "no split"}


def prevalence(description: Description) -> Figure:
    """Draw the share of positives per attribute with a mark per split, sorted by the share in all images."""
    import pandas as pd
    import seaborn as sns
    from matplotlib.figure import Figure

    order = np.argsort(-np.nan_to_num(description.splits[0].prevalence))
    names = [description.names[i] for i in order]
    shown = description.splits[1:] if len(description.splits) > 2 else description.splits[:1]
    rows = pd.DataFrame(
        {
            "attribute": [name for _ in shown for name in names],
            "positives [%]": [100 * split.prevalence[i] for split in shown for i in order],
            "split": [_NAMES.get(split.name, split.name) + f" ({split.count:,})" for split in shown for _ in order],
        }
    )
    figure = Figure(figsize=(8, 1.6 + 0.24 * len(names)), layout="constrained")
    axes = figure.subplots()
    with sns.axes_style("whitegrid"):
        sns.barplot(
            x=100 * description.splits[0].prevalence[order], y=names, color="0.88", ax=axes, orient="h", zorder=1
        )
        sns.stripplot(
            rows, x="positives [%]", y="attribute", hue="split", order=names, palette="colorblind", jitter=False,
            dodge=False, size=6, marker="D", alpha=0.8, ax=axes, zorder=3, clip_on=False,
        )  # fmt: skip
    axes.axvline(50, color="0.3", linewidth=1, linestyle="--", zorder=2)
    axes.set(xlim=(0, 100), ylabel="", xlabel="positive share of the known labels [%]")
    axes.set_title(f"Prevalence: {counted(description.splits[0].count, 'image')} (bars: all)")
    axes.legend(title="split", loc="lower right")
    return figure


def correlation(description: Description) -> Figure:
    """Draw φ of every pair of attributes: blue positive, red negative, white zero, grey undefined."""
    import seaborn as sns
    from matplotlib.figure import Figure

    count = len(description.names)
    side = 3.2 + 0.26 * count
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("0.8")
    sns.heatmap(
        description.phi, mask=np.isnan(description.phi), vmin=-1, vmax=1, center=0, cmap="RdBu", square=True,
        xticklabels=list(description.names), yticklabels=list(description.names), annot=count <= 12, fmt=".2f",
        linewidths=0.3, cbar_kws={"label": "φ", "shrink": 0.7}, ax=axes,
    )  # fmt: skip
    axes.tick_params(axis="x", labelrotation=90)
    axes.tick_params(axis="y", labelrotation=0)
    axes.set_title(f"Co-occurrence of attributes (φ, {counted(description.splits[0].count, 'image')})")
    return figure


def regions(
    faces: Sequence[NDArray[np.uint8]],
    masks: Sequence[Sequence[NDArray[np.bool_] | None]],
    names: Sequence[str],
    title: str,
) -> Figure:
    """Draw faces in rows and regions in columns, each region outlined and tinted.

    Args:
        faces: ``(H, W, 3)`` uint8 each.
        masks: One mask per face and name; None where the face has none.
        names: Names of the regions.
        title: Title of the figure.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    columns = min(6, len(names))
    blocks = -(-len(names) // columns)
    height, width = faces[0].shape[:2]
    figure = Figure(
        figsize=(1.75 * columns, (1.75 * height / width + 0.15) * len(faces) * blocks), layout="constrained"
    )
    grid = figure.subplots(len(faces) * blocks, columns, squeeze=False)
    colour = np.array(sns.color_palette("colorblind")[1])
    for axes in grid.flat:
        axes.axis("off")
    for i, (face, row) in enumerate(zip(faces, masks, strict=True)):
        for j, (name, mask) in enumerate(zip(names, row, strict=True)):
            axes = grid[(j // columns) * len(faces) + i, j % columns]
            axes.imshow(face if mask is None else _tinted(face, mask, colour))
            if mask is not None and mask.any() and not mask.all():
                axes.contour(mask, levels=[0.5], colors=[colour], linewidths=1.2)
            if i == 0 or mask is None:
                axes.set_title(name if mask is not None else f"{name}\n(none)", fontsize=7, pad=2)
    # A path in the title may be one long word, and a figure of two columns is narrow: about 13 letters per inch.
    figure.suptitle(textwrap.fill(title, int(13 * figure.get_figwidth())), fontsize=10)
    return figure


def save(figure: Figure, file: Path) -> Path:
    """Write a figure completely or not at all, in the format that the name's ending states; PNG without one.

    Raises:
        InputError: The ending is of no format in ``FORMATS``, or the file cannot be written.
    """
    check_ending(file, FORMATS)
    with atomic(file) as part:
        figure.savefig(part, dpi=140, format=file.suffix[1:].lower() or "png")
    return file


def _tinted(face: NDArray[np.uint8], mask: NDArray[np.bool_], colour: NDArray[np.float64]) -> NDArray[np.uint8]:
    tint = 0.65 * face + 0.35 * 255 * colour
    return np.where(mask[..., None], tint, 0.75 * face).astype(np.uint8)
