"""What the cells on an object and the cells elsewhere say, and whether some cell on the object says what is true."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bincam.metrics.localization.cells.foreground import Foreground, of_rows


@dataclass(frozen=True)
class CellShares:
    """Shares of the cells that say yes, each ``(B, A)``; NaN without a foreground, or without a background.

    Attributes:
        inside: Of the foreground.
        outside: Of the background.
        contrast: Inside less outside, of the same image.

    Example:
        >>> import torch
        >>> from bincam.metrics import cell_shares, foreground
        >>> corner = foreground(torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), torch.ones(2, 2))
        >>> cell_shares(torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]]), corner).contrast.item()
        1.0
    """

    inside: Tensor
    outside: Tensor
    contrast: Tensor


def cell_shares(yes: Tensor, masks: Foreground) -> CellShares:
    """Compute the shares of foreground and background cells that say yes.

    Args:
        yes: ``(B, A, h, w)``: 1, 0 or NaN, see ``PredictionGrid.yes``. For images without the attribute, pass
            ``1 - yes`` to count the cells with the true side.
        masks: The foreground of these images, or of masks that all share.

    Raises:
        InputError: The masks have another shape.

    Example:
        >>> import torch
        >>> from bincam.metrics import cell_shares, foreground
        >>> left = foreground(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), torch.ones(2, 2))
        >>> shares = cell_shares(torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]]), left)
        >>> shares.inside.item(), shares.outside.item(), shares.contrast.item()
        (1.0, 0.5, 0.5)
    """
    inside = of_rows(yes, masks, lambda said, cells: (said * cells).sum(-1) / cells.sum(-1))
    outside = of_rows(yes, masks, lambda said, cells: (said * ~cells).sum(-1) / (~cells).sum(-1))
    return CellShares(inside, outside, inside - outside)


def recovery(yes: Tensor, masks: Foreground) -> Tensor:
    """Decide whether some cell of the foreground says yes: the evidence was there, whatever pooling made of it.

    Easy by chance (of 49 cells of which half say yes, five hold one in 98 % of their choices), so it is never shown
    without ``recovery_chance`` and the false alarm: the same of images without the attribute, in their own region or
    the mask of another image (``donors``). *Ours*.

    Args:
        yes: ``(B, A, h, w)``: 1, 0 or NaN, see ``PredictionGrid.yes``.
        masks: The foreground of these images, or of masks that all share.

    Returns:
        ``(B, A)``: 1 or 0; NaN without a foreground.

    Raises:
        InputError: The masks have another shape.

    Example:
        >>> import torch
        >>> from bincam.metrics import foreground, recovery
        >>> left = foreground(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), torch.ones(2, 2))
        >>> recovery(torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]], [[[0.0, 1.0], [0.0, 1.0]]]]), left).tolist()
        [[1.0], [0.0]]
    """
    return of_rows(yes, masks, lambda said, cells: (said * cells).amax(-1))


def recoverable(recovered: Tensor, chance: Tensor, wrong: Tensor) -> Tensor:
    """Compute recovery less its chance on the images with the attribute that the model gets wrong.

    Args:
        recovered: ``recovery``, ``(B, A)``.
        chance: ``recovery_chance``, ``(B, A)``.
        wrong: ``(B, A)``, booleans: false negatives.

    Returns:
        ``(B, A)``; NaN elsewhere, and where there is no chance to compare with.

    Example:
        >>> import torch
        >>> from bincam.metrics import recoverable
        >>> recoverable(torch.ones(1, 2), torch.tensor([[0.25, 0.25]]), torch.tensor([[True, False]]))
        tensor([[0.7500,    nan]])
    """
    return torch.where(wrong, recovered - chance, torch.nan)
