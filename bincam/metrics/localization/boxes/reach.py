"""The reach of a grid: the best box that a map on it could give, whatever the model.

A mask is brought to the grid and up again, as a map would be. On a coarse grid even this perfect evidence misses the
box, and a low score says nothing about the model. *Ours.*
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.data.regions.boxes import box_mask, mask_box
from bincam.errors import InputError
from bincam.metrics.localization.boxes.overlaps import iou
from bincam.metrics.localization.boxes.protocols.components import checked_levels, components_at
from bincam.metrics.localization.boxes.protocols.levels import LEVELS
from bincam.resample import matrix, project

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """How well a mask itself is boxed on a grid, as IoU with the box around it.

    Attributes:
        projected: ``(L,)``: of the projected mask at every level.
        best: The best of the projected mask, its square and square root, and the cell nearest the centre of the box,
            each at its best level. Here the threshold may differ from image to image, because this is a bound.
    """

    projected: Floats
    best: float


def grid_reach(
    mask: ArrayLike, grid: tuple[int, int], levels: ArrayLike = LEVELS, box: ArrayLike | None = None
) -> Reach:
    """Measure how well a mask is boxed after it was brought to a grid and up again.

    Args:
        mask: ``(H, W)``, boolean.
        grid: ``(h, w)``.
        levels: ``(L,)``, increasing within [0, 1).
        box: ``(4,)``, the true box where the data states one; by default that around the mask.

    Returns:
        The overlaps; NaN for an empty mask.

    Raises:
        InputError: The grid has no cell, or levels do not increase.

    Example:
        An object that is two cells of four is boxed well, one of a pixel in 64 is not:

        >>> import numpy as np
        >>> from bincam.metrics import grid_reach
        >>> mask, pixel = np.zeros((2, 8, 8), bool)
        >>> mask[:, :4] = True
        >>> pixel[4, 4] = True
        >>> grid_reach(mask, (2, 2)).best, grid_reach(pixel, (2, 2)).best
        (1.0, 0.0625)
    """
    pixels = np.asarray(mask, bool)
    if pixels.ndim != 2:
        raise InputError(f"a mask has shape (H, W), got {pixels.shape}")
    cuts = checked_levels(levels)
    true = mask_box(pixels) if box is None else np.asarray(box, np.float64).reshape(1, 4)
    if not pixels.any() or not len(true):
        return Reach(np.full(len(cuts), np.nan), float("nan"))
    size = (pixels.shape[0], pixels.shape[1])
    fullness = project(pixels, grid) / project(np.ones(size), grid)
    nearest = np.zeros(grid)
    centre = (true[0, :2] + true[0, 2:]) / 2  # x, y
    row, column = (min(int(c * n / s), n - 1) for c, n, s in zip(centre[::-1], grid, size, strict=True))
    nearest[row, column] = 1
    curves = _curves(np.stack([fullness, fullness**2, np.sqrt(fullness)]), size, cuts, true)
    curves += _curves(nearest[None], size, cuts, true)
    return Reach(curves[0], float(np.max(curves)))


def box_reach(box: ArrayLike, size: tuple[int, int], grid: tuple[int, int], levels: ArrayLike = LEVELS) -> Reach:
    """Measure the reach for an object of which only the box is known: the box, filled, is its mask.

    Args:
        box: ``(4,)``, ends exclusive.
        size: ``(H, W)`` of the image.
        grid: ``(h, w)``.
        levels: As for ``grid_reach``.

    Example:
        >>> from bincam.metrics import box_reach
        >>> box_reach([0, 0, 4, 8], (8, 8), (2, 2)).best
        1.0
    """
    return grid_reach(box_mask(box, size), grid, levels, box)


def _curves(cells: Floats, size: tuple[int, int], cuts: Floats, true: Floats) -> list[Floats]:
    """The overlap of the largest component at every level, for maps ``(N, h, w)`` that are positive at the same cells.

    They are upsampled where those cells reach alone. A constant map boxes the image here, as its mask does.
    """
    positive = cells[0] > 0
    rows, columns = (
        matrix(n, m)[:, positive.any(1 - axis)] for axis, (n, m) in enumerate(zip(cells.shape[1:], size, strict=True))
    )
    y, x = (np.flatnonzero(u.any(1)) for u in (rows, columns))
    corner = np.array([x[0], y[0]] * 2)
    inner = cells[:, positive.any(1)][..., positive.any(0)].astype(np.float32)
    pixels = rows[y].astype(np.float32) @ inner @ columns[x].T.astype(np.float32)
    return [np.nan_to_num(iou(components_at(one, cuts).boxes, true - corner)[:, 0]) for one in pixels]
