"""Positional bias: in which part of the image a model needs to look, as 3 × 3 tables in two definitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError
from bincam.stats.clusters import Clusters
from bincam.stats.estimate import LEVEL, Estimate
from bincam.stats.framing.averages import means, share

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Measure = Literal["accuracy", "any"]
Rows = tuple[tuple[Estimate, ...], ...]

SIDE = 3


@dataclass(frozen=True)
class PositionTable:
    """A 3 × 3 table over anchors, rows from the top and columns from the left.

    Attributes:
        values: Per anchor, the mean over images of the measure of its views.
        deviations: Per anchor, the paired difference to the mean of all anchors. Without a positional bias their
            intervals contain 0; nine at once, so at 95 % about one in three flat tables has one that does not.
        measure: ``accuracy``, the share of the anchor's views that are right; or ``any``, whether one of them is.
        definition: ``centred`` or ``visible``.
    """

    values: Rows
    deviations: Rows
    measure: Measure
    definition: Literal["centred", "visible"]


def positions_centred(
    right: NDArray[np.floating],
    anchors: NDArray[np.integer],
    strict: Bools,
    clusters: Clusters,
    *,
    measure: Measure = "accuracy",
    level: float = LEVEL,
) -> PositionTable:
    """Tabulate the views that are centred on each anchor, of scales whose crop is a strict part of the image.

    Args:
        right: ``(N, V)``, from ``rightness``.
        anchors: ``(V, 2)``: row and column of each view's anchor, ``Places.anchors``.
        strict: ``(N, V)``: ``Places.strict``. The other views show the whole image and have no place.
        clusters: Clusters of the N images.
        measure: ``accuracy``, or ``any``, which the paper tabulates; ``any`` grows with the number of views, and for a
            yes-or-no attribute with whatever makes decisions flip.
        level: Confidence level.

    Raises:
        InputError: Shapes differ, or the measure is unknown.

    Example:
        Views of the upper left anchor are right, all others wrong:

        >>> import numpy as np
        >>> from bincam.stats import Clusters, positions_centred
        >>> anchors = np.array([(row, column) for row in range(3) for column in range(3)])
        >>> right = np.tile([1.0] + [0.0] * 8, (40, 1))
        >>> table = positions_centred(right, anchors, np.ones((40, 9), bool), Clusters.of([""] * 40))
        >>> [[cell.value for cell in row] for row in table.values]
        [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    at = np.asarray(anchors)
    if at.shape != (right.shape[1], 2):
        raise InputError(f"expected anchors {(right.shape[1], 2)}, row and column of every view, got {at.shape}")
    own = (at[:, 0, None] == np.arange(SIDE))[:, :, None] & (at[:, 1, None] == np.arange(SIDE))[:, None, :]
    return _table(right, np.broadcast_to(own, (len(right), *own.shape)), strict, clusters, measure, "centred", level)


def positions_visible(
    right: NDArray[np.floating],
    visible: Bools,
    strict: Bools,
    clusters: Clusters,
    *,
    measure: Measure = "accuracy",
    level: float = LEVEL,
) -> PositionTable:
    """Tabulate the views in which each anchor is visible, of scales whose crop is a strict part of the image.

    A view belongs to several anchors, so the table is smoother than that of ``positions_centred``.

    Args:
        right: ``(N, V)``.
        visible: ``(N, V, 3, 3)``: ``Places.visible_anchors()``.
        strict: ``(N, V)``: ``Places.strict``.
        clusters: Clusters of the N images.
        measure: As for ``positions_centred``.
        level: Confidence level.

    Raises:
        InputError: Shapes differ, or the measure is unknown.

    Example:
        One view of each image sees the upper row and is right, one the lower row and is wrong:

        >>> import numpy as np
        >>> from bincam.stats import Clusters, positions_visible
        >>> sees = np.zeros((40, 2, 3, 3), bool)
        >>> sees[:, 0, 0] = sees[:, 1, 2] = True
        >>> right = np.tile([1.0, 0.0], (40, 1))
        >>> table = positions_visible(right, sees, np.ones((40, 2), bool), Clusters.of([""] * 40))
        >>> [[cell.value for cell in row] for row in table.values]
        [[1.0, 1.0, 1.0], [nan, nan, nan], [0.0, 0.0, 0.0]]
    """
    return _table(right, visible, strict, clusters, measure, "visible", level)


def _table(
    right: NDArray[np.floating],
    member: Bools,
    strict: Bools,
    clusters: Clusters,
    measure: Measure,
    definition: Literal["centred", "visible"],
    level: float,
) -> PositionTable:
    if measure not in ("accuracy", "any"):
        raise InputError(f"measure={measure!r}: expected 'accuracy' or 'any'")
    if strict.shape != right.shape or member.shape != (*right.shape, SIDE, SIDE):
        raise InputError(
            f"expected strict {right.shape} and places {(*right.shape, SIDE, SIDE)} of images and views, got "
            f"{strict.shape} and {member.shape}"
        )
    usable = strict & np.isfinite(right)
    filled = np.where(usable, right, 0.0)
    of_images = np.empty((len(right), SIDE, SIDE))
    for row in range(SIDE):
        for column in range(SIDE):
            here = member[:, :, row, column]
            count = (here & usable).sum(1)
            hits = np.where(here, filled, 0).sum(1)
            with np.errstate(invalid="ignore", divide="ignore"):
                of_images[:, row, column] = np.where(count, hits / count if measure == "accuracy" else hits > 0, np.nan)
    flat = of_images.reshape(len(right), -1)
    complete = np.isfinite(flat).all(1, keepdims=True)
    differences = np.where(complete, flat - flat.mean(1, keepdims=True), np.nan)
    values = (
        [share(each, clusters, level) for each in flat.T] if measure == "any" else means(flat, clusters, level=level)
    )
    return PositionTable(_rows(values), _rows(means(differences, clusters, (-1.0, 1.0), level)), measure, definition)


def _rows(cells: list[Estimate]) -> Rows:
    return tuple(tuple(cells[row * SIDE : (row + 1) * SIDE]) for row in range(SIDE))
