"""Attention overlap: similarity of the attributes' maps, next to the correlation of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.report.figures.pictured.explanation import evidence_colours
from bincam.report.figures.theme import INK, LINE, MUTED, POINTS, inline, style
from bincam.report.reading.audited_model import Arm
from bincam.report.view_model import Plot
from bincam.stats.estimate import MIN_IMAGES
from bincam.stats.formatting import number, significant

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

READING = (
    "Below the diagonal: similarity of two attributes' maps within an image (cosine of the evidence, at most 1). "
    "Above it: correlation of their labels (φ). Where both are strong, the model may infer one attribute from the "
    "other; parts in the same place of a face overlap anyway. × is undefined."
)
NAMED = 4  # pairs that the text lists
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Overlap:
    """The part of ``leakage.json`` about the shown attributes.

    Attributes:
        names: A attributes, sorted so that those whose maps overlap are neighbours.
        overlap: ``(A, A)``, in [0, 1]; NaN where no image has evidence for both.
        expected: ``(A, A)``, the same between maps of different images.
        phi: ``(A, A)``, correlation of the labels.
        images: ``(A, A)``, how many images have evidence for both.
        agreement: Spearman's correlation of overlap and |φ| over all audited pairs.
    """

    names: tuple[str, ...]
    overlap: Floats
    expected: Floats
    phi: Floats
    images: Floats
    agreement: float


def overlap_plots(arms: Sequence[Arm], attributes: list[str]) -> list[Plot]:
    """Draw the overlap of each model that has one, in the order of the first, so that they can be compared."""
    shown = [arm for arm in arms if arm.audit.leakage and len(attributes) > 1]
    if not shown:
        return []
    order = list(read(shown[0], attributes).names)
    return [overlap_plot(arm, order, named=len(arms) > 1) for arm in shown]


def overlap_plot(arm: Arm, order: list[str], *, named: bool) -> Plot:
    """Draw the overlap of one model's maps, with its attributes in an order."""
    overlap = read(arm, order, sort=False)
    title = f"Attention overlap and label correlation{f', {arm.name}' if named else ''}"
    text = in_words(overlap)
    return Plot(title, inline(draw(overlap), f"{title}. {READING} {text}"), READING, text)


def read(arm: Arm, attributes: list[str], *, sort: bool = True) -> Overlap:
    """Read the matrices of the shown attributes, in the order of a clustering of the overlap, or in the given one."""
    document = arm.audit.leakage
    shown = [document["attributes"].index(name) for name in attributes]
    parts = {
        key: np.array(document[key], dtype=np.float64)[np.ix_(shown, shown)]
        for key in ("overlap", "expected", "phi", "images")
    }
    order = _neighbours(parts["overlap"]) if sort else list(range(len(attributes)))
    sorted_parts = {key: matrix[np.ix_(order, order)] for key, matrix in parts.items()}
    agreement = document["agreement"]
    return Overlap(
        names=tuple(attributes[place] for place in order),
        agreement=np.nan if agreement is None else float(agreement),
        **sorted_parts,
    )


def in_words(overlap: Overlap) -> str:
    """List the pairs that overlap most, with and without what different images share, and the agreement with φ."""
    rows, columns = np.tril_indices(len(overlap.names), -1)
    many = overlap.images[rows, columns] >= MIN_IMAGES
    if many.any():
        rows, columns = rows[many], columns[many]
    parts = []
    for head, values in (
        ("Largest overlap", overlap.overlap),
        ("Largest overlap beyond that of maps of different images", overlap.overlap - overlap.expected),
    ):
        ranked = values[rows, columns]
        best = [n for n in np.argsort(-ranked, kind="stable") if ranked[n] > 0][:NAMED]  # NaN is not above 0
        if best:
            parts.append(f"{head}: {'; '.join(_pair(overlap, rows[n], columns[n]) for n in best)}.")
    if np.isfinite(overlap.agreement):
        parts.append(f"Over all pairs, overlap and |φ| have a rank correlation of {number(overlap.agreement)}.")
    return " ".join(parts) or "No two attributes have evidence in the same image."


def _pair(overlap: Overlap, row: int, column: int) -> str:
    same_image, different_images, phi = (
        number(float(matrix[row, column])) for matrix in (overlap.overlap, overlap.expected, overlap.phi)
    )
    names = f"{overlap.names[column]} and {overlap.names[row]}"
    return f"{names} {same_image} (different images {different_images}, φ {phi})"


def _neighbours(overlap: Floats) -> list[int]:
    """Return an order in which attributes whose maps overlap are neighbours."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    apart = np.nan_to_num(1 - overlap, nan=1.0)
    apart = (apart + apart.T) / 2
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average", optimal_ordering=True)
    return [int(place) for place in leaves_list(tree)]


def draw(overlap: Overlap) -> Figure:
    """Draw a square matrix: the overlap below its diagonal, φ above; clear is 0 in both."""
    from matplotlib.figure import Figure

    count = len(overlap.names)
    dense = count > 20
    step, points = (0.135, 6.5) if dense else (0.24, POINTS - 0.5)  # inches, points
    # DejaVu Sans is about 0.62 of its size wide; below 0.8 inches the label of the first colour bar would be cropped.
    names = min(3.0, max(0.8, 0.62 / 72 * points * max(map(len, overlap.names)) + 0.12))  # inches
    foot = 0.62
    side = step * count
    width, height = names + max(side, 2.4) + 0.25, side + names + foot + 0.06
    with style():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((names / width, (names + foot) / height, side / width, side / height))
        below, above = np.tri(count, k=-1, dtype=bool), ~np.tri(count, dtype=bool)
        halves = ((overlap.overlap, below, overlap_colours(), 0.0), (overlap.phi, above, evidence_colours(), -1.0))
        for place, (values, half, colours, least) in enumerate(halves):
            _cells(axes, np.where(half, values, np.nan), colours, least)
            missing = np.argwhere(half & np.isnan(values))
            axes.plot(missing[:, 1], missing[:, 0], "x", color=MUTED, markersize=14 * step, markeredgewidth=0.6)
            left = (names + place * max(side, 2.4) / 2) / width
            bar = figure.add_axes((left, 0.36 / height, max(side, 2.4) * 0.42 / width, 0.09 / height))
            _colour_bar(bar, colours, least, ("overlap of the maps", "φ of the labels")[place])
        axes.set_xticks(range(count), overlap.names, rotation=90, fontsize=points)
        axes.set_yticks(range(count), overlap.names, fontsize=points)
        axes.set_xlim(-0.5, count - 0.5)
        axes.set_ylim(count - 0.5, -0.5)
        axes.tick_params(length=0, pad=2)
        axes.grid(visible=False)
        edges = np.arange(count + 1) - 0.5
        axes.hlines(edges, -0.5, count - 0.5, color=LINE, linewidth=0.4)
        axes.vlines(edges, -0.5, count - 0.5, color=LINE, linewidth=0.4)
        axes.plot([-0.5, count - 0.5], [-0.5, count - 0.5], color=INK, linewidth=0.7)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def overlap_colours() -> Colormap:
    """Return colours from clear (0) to purple (1), which suit light and dark pages and differ from evidence."""
    from matplotlib.colors import LinearSegmentedColormap

    purple = (0.49, 0.25, 0.71)
    return LinearSegmentedColormap.from_list("overlap", [(*purple, 0.0), (*purple, 1.0)])


def _cells(axes: Any, values: Floats, colours: Colormap, least: float) -> None:
    # "none" keeps one pixel per cell; other interpolations would resample at the resolution of a screen.
    axes.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=least, vmax=1, interpolation="none", aspect="auto")


def _colour_bar(axes: Any, colours: Colormap, least: float, label: str) -> None:
    axes.imshow(
        np.linspace(0, 1, 128)[None], cmap=colours, interpolation="none", aspect="auto", extent=(least, 1, 0, 1)
    )
    axes.set_yticks([])
    ticks = np.unique([least, 0, 1])
    axes.set_xticks(ticks, [significant(float(tick)) for tick in ticks])
    axes.tick_params(length=0, pad=2, labelsize=POINTS - 1)
    axes.set_xlabel(label, fontsize=POINTS - 0.5, labelpad=1)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_color(LINE)
