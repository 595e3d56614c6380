"""The chance of recovery: how often a mask of the same shape would have found a cell that says yes, wherever it lay."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bincam.metrics.localization.cells.foreground import Foreground, of_rows


def recovery_chance(yes: Tensor, masks: Foreground) -> Tensor:
    """Compute the share of all placements of the foreground's cells in which some cell says yes.

    The shape of the foreground is moved to every place at which it stays inside the grid, its own included. All of them
    are enumerated, as one correlation of the cells with the shape. *Ours*.

    Args:
        yes: ``(B, A, h, w)``: 1, 0 or NaN, see ``PredictionGrid.yes``.
        masks: The foreground of these images, or of masks that all share.

    Returns:
        ``(B, A)`` in [0, 1]; NaN without a foreground, and where it fits only one place.

    Raises:
        InputError: The masks have another shape.

    Example:
        One of four cells says yes, and a column of two is placed left and right:

        >>> import torch
        >>> from bincam.metrics import foreground, recovery_chance
        >>> left = foreground(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), torch.ones(2, 2))
        >>> recovery_chance(torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]]), left)
        tensor([[0.5000]])
    """
    h, w = yes.shape[-2:]

    def share(said: Tensor, cells: Tensor) -> Tensor:
        return _share_of_places(said.unflatten(-1, (h, w)), cells.unflatten(-1, (h, w)))

    return of_rows(yes, masks, share)


def independent_chance(yes: Tensor, masks: Foreground) -> Tensor:
    """Compute the same for k cells drawn without order from all n, of which m say yes: 1 - C(n - m, k)/C(n, k).

    A closed form to compare with. For connected masks on smooth maps it is too high, because neighbours say the same.

    Args:
        yes: ``(B, A, h, w)``: 1, 0 or NaN.
        masks: The foreground of these images, or of masks that all share.

    Returns:
        ``(B, A)`` in [0, 1]; NaN without a foreground.

    Raises:
        InputError: The masks have another shape.

    Example:
        >>> import torch
        >>> from bincam.metrics import foreground, independent_chance
        >>> left = foreground(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), torch.ones(2, 2))
        >>> independent_chance(torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]]), left)  # one of four, two drawn
        tensor([[0.5000]])
    """
    return of_rows(yes, masks, _hypergeometric)


def _share_of_places(said: Tensor, cells: Tensor) -> Tensor:
    """``(N, h, w)`` twice to ``(N,)``."""
    h, w = said.shape[-2:]
    rows, columns = cells.any(-1), cells.any(-2)  # (N, h), (N, w)
    top, left = rows.int().argmax(-1), columns.int().argmax(-1)
    height = h - rows.flip(-1).int().argmax(-1) - top
    width = w - columns.flip(-1).int().argmax(-1) - left
    size = (2 * h, 2 * w)  # so that nothing wraps around
    shape = torch.fft.rfft2(cells.float(), size)
    found = torch.fft.irfft2(torch.fft.rfft2(said.float(), size) * shape.conj(), size)  # by shift of the foreground
    down, across = torch.arange(h, device=said.device), torch.arange(w, device=said.device)
    # Shifts run from -top to h - height - top; negative ones are at the end of the axis.
    counts = found[
        torch.arange(len(said), device=said.device)[:, None, None],
        ((down[None] - top[:, None]) % size[0])[:, :, None],
        ((across[None] - left[:, None]) % size[1])[:, None, :],
    ]
    fits = (down[None] <= (h - height)[:, None])[:, :, None] & (across[None] <= (w - width)[:, None])[:, None, :]
    places = fits.sum((-2, -1))
    share = ((counts > 0.5) & fits).sum((-2, -1)).double() / places  # counts are whole numbers up to rounding
    return torch.where(places > 1, share, torch.nan)


def _hypergeometric(said: Tensor, cells: Tensor) -> Tensor:
    """``(N, n)`` twice to ``(N,)``."""
    n = said.shape[-1]
    m, k = said.double().sum(-1), cells.double().sum(-1)

    def log_factorial(count: Tensor) -> Tensor:
        return torch.lgamma(count + 1)

    rest = (n - m - k).clamp(min=0)
    log_none = log_factorial(n - m) + log_factorial(n - k) - log_factorial(rest) - math.lgamma(n + 1)
    return torch.where(m + k > n, 1.0, -torch.expm1(log_none))
