"""Spearman's rank correlation over the cells of two maps."""

from __future__ import annotations

import torch
from torch import Tensor


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """Compute Spearman's rank correlation over the cells of each pair of maps, with ties at their mean rank.

    Args:
        one: ``(B, A, h, w)``.
        other: The same shape.

    Returns:
        ``(B, A)``, float64, in [-1, 1]; NaN where a map is constant or has a cell that is not finite.

    Example:
        >>> import torch
        >>> from bincam.metrics import spearman
        >>> first = torch.tensor([[[[1.0, 2.0], [3.0, 9.0]]]])
        >>> spearman(first, -first).tolist()
        [[-1.0]]
    """
    a, b = _mean_ranks(one), _mean_ranks(other)  # (B, A, hw), centred
    product = (a * b).sum(-1) / (a.square().sum(-1) * b.square().sum(-1)).sqrt()  # 0/0 for constants
    finite = one.flatten(2).isfinite().all(-1) & other.flatten(2).isfinite().all(-1)
    return torch.where(finite, product, torch.nan).clamp(-1, 1)


def _mean_ranks(maps: Tensor) -> Tensor:
    values = maps.detach().double().nan_to_num().flatten(2).contiguous()
    ordered = values.sort(-1).values
    low = torch.searchsorted(ordered, values, right=False)
    high = torch.searchsorted(ordered, values, right=True)
    ranks = (low + high).double() / 2
    return ranks - ranks.mean(-1, keepdim=True)
