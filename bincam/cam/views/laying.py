"""Laying the maps of views back into the frame of the image: every cell's evidence is spread over its own area."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 1e-12
"""Share of a cell's area beyond the image that counts as none."""


def overlaps(first: Tensor, last: Tensor, cells: int, frame_cells: int) -> Tensor:
    """Compute which share of each cell of a view falls into each cell of the frame, along one axis.

    Args:
        first: ``(...)``, where the views begin, in shares of the frame's side.
        last: ``(...)``, where they end.
        cells: Number n of cells of a view.
        frame_cells: Number m of cells of the frame, which is from 0 to 1.

    Returns:
        ``(..., m, n)`` float64. Columns sum to 1, and to less where a cell reaches beyond the frame.

    Example:
        A view of two cells, from the middle of the frame to a half beyond it, on a frame of two cells:

        >>> overlaps(torch.tensor(0.5), torch.tensor(1.5), 2, 2)
        tensor([[0., 0.],
                [1., 0.]], dtype=torch.float64)
    """
    begin, end = (edge.double()[..., None, None] for edge in (first, last))
    side = (end - begin) / cells
    left = begin + side * torch.arange(cells, dtype=torch.float64, device=side.device)  # (..., 1, n)
    frame = torch.arange(frame_cells, dtype=torch.float64, device=side.device)[:, None]
    covered = torch.minimum(left + side, (frame + 1) / frame_cells) - torch.maximum(left, frame / frame_cells)
    return covered.clamp(min=0) / side


def lay_back(maps: Tensor, places: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Lay maps of views into the image's frame and average them; where a view shows nothing, it contributes nothing.

    A cell of a view is a rectangle in the image. Its evidence is spread evenly over it, so that sums are kept: what all
    views say is the frame's sum plus what is beyond the image.

    Args:
        maps: ``(B, V, A, h, w)``.
        places: ``(B, V, 4)``: top, left, bottom, right in shares of the image's sides.
        grid: ``(m, p)`` cells of the frame.

    Returns:
        ``(B, A, m, p)``, the mean over the V views; and ``(B, A)``, the mean over views of the sums beyond the image.

    Example:
        One view of the image's left half, another of the whole image, on a frame of 1 × 2 cells:

        >>> maps = torch.tensor([[[[[4.0]]], [[[2.0]]]]], dtype=torch.float64)
        >>> places = torch.tensor([[[0, 0, 1, 0.5], [0, 0, 1, 1]]])
        >>> lay_back(maps, places, (1, 2))
        (tensor([[[[2.5000, 0.5000]]]], dtype=torch.float64), tensor([[0.]], dtype=torch.float64))
    """
    top, left, bottom, right = places.to(maps.device).unbind(-1)
    rows = overlaps(top, bottom, maps.shape[-2], grid[0])[:, :, None]  # (B, V, 1, m, h)
    columns = overlaps(left, right, maps.shape[-1], grid[1])[:, :, None]
    whole = maps.double()
    laid = (rows @ whole @ columns.mT).mean(1)
    outside = 1 - rows.sum(-2)[..., :, None] * columns.sum(-2)[..., None, :]  # (B, V, 1, h, w)
    # The shares of cells inside are 1 up to rounding, of which no evidence beyond the image should come.
    beyond = (whole * outside.where(outside > ROUNDING, 0)).sum((-2, -1)).mean(1)
    return laid.to(maps.dtype), beyond.to(maps.dtype)
