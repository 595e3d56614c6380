"""Ranking of an image's cells: do those on the object score higher than the others?"""

from __future__ import annotations

import torch
from torch import Tensor

from bincam.metrics.localization.cells.foreground import Foreground, of_rows


def cell_auroc(scores: Tensor, masks: Foreground) -> Tensor:
    """Compute P(s_fg > s_bg) within each image, ties counting half: the AUROC of its cells.

    It needs no threshold, and the image's own level cancels. Objects are often in the centre, and maps are stronger
    there: the null is the same mask with the scores of another image of the same label (``partners``), and the figure
    to report is the paired difference. *Ours*.

    Args:
        scores: s, ``(B, A, h, w)``.
        masks: The foreground of these images, or of masks that all share.

    Returns:
        ``(B, A)`` in [0, 1]; NaN without a foreground, and where it is all cells.

    Raises:
        InputError: The masks have another shape.

    Example:
        >>> import torch
        >>> from bincam.metrics import cell_auroc, foreground
        >>> left = foreground(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), torch.ones(2, 2))
        >>> cell_auroc(torch.tensor([[[[3.0, 1.0], [0.5, 0.0]]]]), left)
        tensor([[0.7500]])
    """
    return of_rows(scores, masks, _auroc)


def _auroc(scores: Tensor, inside: Tensor) -> Tensor:
    """From midranks, as the Mann-Whitney statistic: ``(N, n)`` twice to ``(N,)``."""
    ordered = scores.sort(-1).values.contiguous()
    queries = scores.contiguous()
    below, up_to = (torch.searchsorted(ordered, queries, right=right) for right in (False, True))
    k = inside.sum(-1).double()
    # Each cell of the foreground exceeds (below + up_to)/2 cells, itself counted half, and k²/2 pairs are within it.
    wins = ((below + up_to).double() / 2 * inside).sum(-1) - k * k / 2
    return wins / (k * (scores.shape[-1] - k))  # 0/0, NaN, without background
