"""The confusion table of a set of outputs as a heat map with counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bincam.report.figures.theme import LINE, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 18
"""Letters of a name that fit beside the table."""


def confusion(counts: ArrayLike, names: Sequence[str], title: str = "") -> Figure:
    """Draw the images of each true output (rows) by their predicted output (columns).

    The colour is the share of the row's images, on cividis, which is the same for common colour blindness; the text is
    their number. A row without images is empty. The scale ends at 0 and 100 % in every table, so tables are comparable.

    Args:
        counts: ``(K, K)``.
        names: Names of the K outputs.
        title: Text above the table, such as the name of the model; empty for none.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    table = np.asarray(counts, float)
    K = len(names)
    images = table.sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 100 * table / images
    shown = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    longest = max(map(len, shown))
    side, beside = max(1.9, 0.46 * K), 0.085 * longest + 0.35
    above = 0.36 if title else 0.08
    width, height = side + beside + 0.75, side + 0.075 * longest + 0.47 + above
    text = np.array([[f"{int(n):,}" if n else "" for n in row] for row in table], object)
    with style():
        figure = Figure(figsize=(width, height))
        figure.subplots_adjust(
            left=beside / width,
            right=(width - 0.75) / width,
            top=1 - above / height,
            bottom=(height - side - above) / height,
        )
        axes = figure.subplots()
        sns.heatmap(
            np.ma.masked_invalid(share),
            annot=text,
            fmt="",
            vmin=0,
            vmax=100,
            cmap="cividis",
            linewidths=0.6,
            linecolor=LINE,
            square=False,
            xticklabels=shown,
            yticklabels=shown,
            annot_kws={"fontsize": 8 if K <= 12 else 6.5},
            cbar_kws={"label": "share of the row [%]", "pad": 0.04, "aspect": 28},
            ax=axes,
        )
        axes.set(xlabel="predicted", ylabel="true")
        if title:
            axes.set_title(title, loc="left")
        axes.tick_params(axis="x", labelrotation=90, length=0)
        axes.tick_params(axis="y", labelrotation=0, length=0)
        if (bar := axes.collections[0].colorbar) is not None:
            bar.outline.set_visible(False)
    return figure
