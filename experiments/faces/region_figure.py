"""Figure of the mean influence and the region of each attribute, with the published grid cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Masks = Mapping[str, NDArray[np.bool_]]


def face_regions(
    names: Sequence[str], influence: Mapping[str, Floats], regions: Masks, published: Masks, face: Floats
) -> Figure:
    """Draw a panel for each attribute: the mean face, the influence on each pixel, the region, the published cells.

    Args:
        names: The attributes, in the order of the panels.
        influence: (H, W) by attribute, the fraction of faces in which it changes the pixel.
        regions: (H, W) by attribute, the region derived from it.
        published: (H, W) by attribute, the published cells at the same size; may omit attributes.
        face: (H, W) in [0, 1], the mean face.

    Returns:
        The figure, for the caller to save.
    """
    import seaborn as sns
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = 8
    rows = -(-len(names) // columns)
    height, width = face.shape
    figure = Figure(figsize=(1.55 * columns, (1.38 * height / width + 0.2) * rows + 0.4), layout="constrained")
    palette = sns.color_palette("mako", as_cmap=True)
    own_colour, published_colour = sns.color_palette("colorblind")[1], sns.color_palette("colorblind")[4]
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, name in zip(axes, names, strict=False):
        share = influence[name]
        alpha = np.clip(0.15 + 2 * share, 0, 0.85) * (share > 0.02)  # the face remains visible where little changes
        axis.imshow(face, cmap="gray", vmin=0, vmax=1)
        overlay = axis.imshow(share, cmap=palette, vmin=0, vmax=1, alpha=alpha)
        axis.contour(regions[name], levels=[0.5], colors=[own_colour], linewidths=1.4)
        if name in published:
            axis.contour(published[name], levels=[0.5], colors=[published_colour], linewidths=1.2, linestyles="dashed")
        inside = regions[name].mean()
        axis.set_title(f"{name.replace('_', ' ')}  {100 * inside:.0f} %", fontsize=7, pad=2)
    figure.legend(
        handles=[
            Line2D([], [], color=own_colour, label="region from the influence (share of the image in the title)"),
            Line2D([], [], color=published_colour, linestyle="dashed", label="published 7x7 cells"),
        ],
        loc="outside lower left",
        ncols=2,
        fontsize=8,
        frameon=False,
    )
    figure.colorbar(overlay, ax=list(axes), shrink=0.4, pad=0.01).set_label("share of faces influenced", fontsize=8)
    return figure
