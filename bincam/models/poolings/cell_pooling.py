"""Poolings of cell scores: the head is applied to every cell of a grid, and its scores are pooled, output by output.

A mean of cell scores equals the head's score of the mean feature; these poolings do not. They are what a classifier is
trained with that should answer from its best cells. ``bincam.postprocessing.cell_pooling`` applies the same functions
to the cells of a classifier that was trained otherwise.

Each function is visible to ``TorchFunctionMode`` as one call, see ``bincam.models.poolings.pooling``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.overrides import wrap_torch_function

from bincam.errors import InputError

SHARE = 0.1
"""Share of the cells that ``top`` averages, unless another is stated."""
_SMALL = -15.0  # below, log softplus(s) is s - exp(s)/2 to float64 precision


def _scores(scores: Tensor, *, share: float = SHARE) -> tuple[Tensor]:
    del share
    return (scores,)


def best_count(cells: int, share: float) -> int:
    """Number of cells that a share of a grid is: the nearest whole number, halves upwards, at least 1.

    Raises:
        InputError: The share is not in (0, 1].

    >>> best_count(49, 0.1), best_count(49, 0.25), best_count(4, 0.1)
    (5, 12, 1)
    """
    if not 0 < share <= 1:
        raise InputError(f"share={share} of the cells; expected a number above 0 and at most 1")
    return max(1, math.floor(share * cells + 0.5))


@wrap_torch_function(_scores)
def top_pool(scores: Tensor, *, share: float = SHARE) -> Tensor:
    """Compute the mean of the best cells of each output.

    Durand et al. 2016, "WELDON: Weakly Supervised Learning of Deep Convolutional Neural Networks", top instances.
    Deviations: a share of the cells in place of a fixed number, so that it does not depend on the input size, and no
    lowest instances.

    Args:
        scores: s, ``(B, A, h, w)``.
        share: Share of the cells, in (0, 1].

    Returns:
        ``(B, A)``.

    Raises:
        InputError: The share is out of range.

    >>> top_pool(torch.tensor([[[[4.0, 2.0], [0.0, -9.0]]]]), share=0.5)
    tensor([[3.]])
    """
    flat = scores.flatten(2)
    return flat.topk(best_count(flat.shape[-1], share), dim=-1).values.mean(-1)


@wrap_torch_function(lambda scores: (scores,))
def noisy_or_pool(scores: Tensor) -> Tensor:
    """Compute the logit of 1 - Π(1 - p_i) with p_i the logistic function of s_i: "at least one cell says yes".

    Zhang, Platt and Viola 2005, "Multiple Instance Boosting for Object Detection" (MILBoost), section 3.1. The scores
    must be log-odds. It is computed from L = Σ softplus(s_i), the negative logarithm of the product, in logarithms, so
    that no p_i near 0 or 1 loses digits: the logit is log(exp(L) - 1).

    Args:
        scores: s, ``(B, A, h, w)``.

    Returns:
        ``(B, A)``. The more cells, the larger: n equal cells with a small p give log(n) more than one of them.

    >>> noisy_or_pool(torch.zeros(1, 1, 1, 2)).sigmoid()  # 1 - 1/4
    tensor([[0.7500]])
    >>> noisy_or_pool(torch.full((1, 1, 1, 2), -200.0)).item().__round__(3)  # log 2 more than one of them
    -199.307
    """
    s = scores.flatten(2)
    # In both branches of a where the gradient is computed, so each gets values that it can take.
    low, high = s.clamp(max=_SMALL), s.clamp(min=_SMALL)
    log_softplus = torch.where(s < _SMALL, low - low.exp() / 2, torch.nn.functional.softplus(high).log())
    log_l = log_softplus.logsumexp(-1)
    small = log_l < _SMALL
    length = log_l.clamp(min=_SMALL).exp()
    large: Tensor = length + torch.log(-torch.expm1(-length))
    below = log_l.clamp(max=_SMALL)
    return torch.where(small, below + below.exp() / 2, large)


@wrap_torch_function(lambda scores: (scores,))
def pcam_pool(scores: Tensor) -> Tensor:
    """Compute Σ w_i s_i with w_i = p_i / Σ p and p_i the logistic function of s_i.

    Ye et al. 2020, "Weakly Supervised Lesion Localization With Probabilistic-CAM Pooling", arXiv 2005.14480: w weights
    the features, and the head follows. For an affine head that is the weighted mean of its scores, because the weights
    sum to 1. Gradients pass through the weights, as there.

    Args:
        scores: s, ``(B, A, h, w)``, log-odds.

    Returns:
        ``(B, A)``.

    >>> pcam_pool(torch.tensor([[[[40.0, -40.0]]]])).item()
    40.0
    """
    flat = scores.flatten(2)
    weights = torch.nn.functional.logsigmoid(flat).softmax(-1)  # p_i / Σ p, also where every p_i underflows
    return (weights * flat).sum(-1)


class CellPool(nn.Module):
    """A pooling of cell scores as a module: it follows the head instead of preceding it."""

    def __init__(self, function: Callable[..., Tensor], **options: float) -> None:
        super().__init__()
        self.function, self.options = function, options

    def forward(self, scores: Tensor) -> Tensor:
        """``(B, A, h, w)`` to ``(B, A)``."""
        return self.function(scores, **self.options)
