"""The cells of a grid that a mask covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bincam.errors import InputError

HALF = 0.5
"""Share of a cell's weight from which on a mask covers it."""
ROUNDING = 1e-3  # pixels by which the weight of a cell may be off, because weights are float32
PIXEL = 0.5  # a mask consists of whole pixels, so less than half of one is none


@dataclass(frozen=True)
class Foreground:
    """Cells of B masks of A attributes, or of A masks that all images share; the leading axes are those of the masks.

    Attributes:
        cells: ``(..., A, h, w)``, booleans: the foreground; False everywhere where it is undefined.
        defined: ``(..., A)``, booleans: False without a mask, and for one that is empty or covers everything.
        fallback: ``(..., A)``: 1 where no cell is covered and the fullest stands for the mask; 0; NaN where undefined.
            Such figures are of an object smaller than a cell, and are counted apart.
        share: ``(..., A)``: share of the cells, k/n; NaN where undefined.

    Example:
        >>> import numpy as np, torch
        >>> from bincam.metrics import foreground
        >>> from bincam.resample import project
        >>> masks = np.zeros((2, 8, 8), bool)
        >>> masks[0, :, :4] = True  # the left half, and one pixel
        >>> masks[1, 1, 6] = True
        >>> total = torch.from_numpy(project(np.ones((8, 8)), (2, 2)))
        >>> found = foreground(torch.from_numpy(project(masks, (2, 2))), total)
        >>> found.cells.int().tolist(), found.fallback.tolist()
        ([[[1, 0], [1, 0]], [[0, 1], [0, 0]]], [0.0, 1.0])
    """

    cells: Tensor
    defined: Tensor
    fallback: Tensor
    share: Tensor

    def __getitem__(self, at: Any) -> Foreground:
        """Select masks by an index of their leading axes."""
        return Foreground(self.cells[at], self.defined[at], self.fallback[at], self.share[at])

    def expanded(self, values: Tensor) -> Foreground:
        """Give every image its mask, as in values ``(B, A, h, w)``, on their device."""
        lead = values.shape[:2]
        rest = (each.to(values.device).expand(lead) for each in (self.defined, self.fallback, self.share))
        return Foreground(self.cells.to(values.device).expand(values.shape), *rest)


def foreground(weights: Tensor, total: Tensor) -> Foreground:
    """Find the cells of which a mask covers at least half: (Uᵀ1_M)_i / (Uᵀ1)_i >= 1/2.

    Where there is none, it is the fullest cell, the first of equals in raster order. *Ours*.

    Args:
        weights: Uᵀ1_M, ``(..., A, h, w)``; NaN where there is no mask.
        total: Uᵀ1, ``(h, w)``.

    Returns:
        The cells.

    Raises:
        InputError: The grids differ.

    Example:
        >>> import torch
        >>> from bincam.metrics import foreground
        >>> found = foreground(torch.tensor([[[8.0, 3.0], [0.0, 0.0]]]), torch.full((2, 2), 16.0))
        >>> found.cells.int().tolist(), found.fallback.item(), found.share.item()
        ([[[1, 0], [0, 0]]], 0.0, 0.25)
    """
    if weights.shape[-2:] != total.shape:
        raise InputError(f"weights have a grid of {tuple(weights.shape[-2:])} cells, their total {tuple(total.shape)}")
    whole = total.to(weights).flatten()
    w = weights.flatten(-2)
    covered = w / whole  # (..., n)
    area = w.double().sum(-1)
    defined = (area > PIXEL) & (area < whole.double().sum() - PIXEL)  # False for NaN
    inside = covered >= HALF - ROUNDING / whole
    fallback = defined & ~inside.any(-1)
    fullest = torch.nn.functional.one_hot(covered.nan_to_num(-1.0).argmax(-1), w.shape[-1]).bool()
    inside = torch.where(fallback[..., None], fullest, inside) & defined[..., None]
    nan = torch.full(area.shape, torch.nan, dtype=w.dtype, device=w.device)
    return Foreground(
        cells=inside.view(weights.shape),
        defined=defined,
        fallback=torch.where(defined, fallback.to(w), nan),
        share=torch.where(defined, inside.to(w).mean(-1), nan),
    )


def of_rows(values: Tensor, masks: Foreground, measure: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Apply a measure of flat cells where it is defined: where there is a foreground, and no value is NaN.

    Args:
        values: ``(B, A, h, w)``.
        masks: Of these images, or shared by all.
        measure: Function of values ``(N, n)`` and foreground ``(N, n)`` to ``(N,)``.

    Returns:
        ``(B, A)``; NaN elsewhere.

    Raises:
        InputError: The masks have another shape.
    """
    if masks.cells.shape not in (values.shape, values.shape[1:]):
        raise InputError(f"the foreground has shape {tuple(masks.cells.shape)}, the cells {tuple(values.shape)}")
    flat = values.flatten(2)
    usable = masks.defined.to(values.device).expand(values.shape[:2]) & flat.isfinite().all(-1)
    result = torch.full(values.shape[:2], torch.nan, dtype=values.dtype, device=values.device)
    if bool(usable.any()):
        cells = masks.cells.to(values.device).expand_as(values).flatten(2)
        result[usable] = measure(flat[usable], cells[usable]).to(values.dtype)
    return result
