"""Poolings from a grid of features to one vector, between a backbone and its attribute head.

Each function is visible to ``TorchFunctionMode`` as one call, so that the anatomy resolver sees ``mean_pool`` and not
its parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.overrides import wrap_torch_function

from bincam.errors import InputError, nearest

Pooling = Literal["mean", "max", "logsumexp", "attention"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


@wrap_torch_function(lambda features: (features,))
def mean_pool(features: Tensor) -> Tensor:
    """Compute v_c = mean over the grid of F_c (Zhou et al. 2016, arXiv 1512.04150). ``(B, C, h, w)`` to ``(B, C)``."""
    return features.mean((-2, -1))


@wrap_torch_function(lambda features: (features,))
def max_pool(features: Tensor) -> Tensor:
    """Compute v_c = max over the grid of F_c (Oquab et al. 2015). ``(B, C, h, w)`` to ``(B, C)``.

    Cells with equal maxima share the gradient.
    """
    return features.amax((-2, -1))


def _dispatch_features(features: Tensor, *, sharpness: float = 1.0) -> tuple[Tensor]:
    del sharpness
    return (features,)


@wrap_torch_function(_dispatch_features)
def logsumexp_pool(features: Tensor, *, sharpness: float = 1.0) -> Tensor:
    """Compute v_c = (1/r) log mean exp(r F_c), between mean (r → 0) and max (r → ∞).

    Pinheiro and Collobert 2015, arXiv 1411.6228, equation 6.

    Args:
        features: ``(B, C, h, w)``.
        sharpness: r > 0.

    Returns:
        ``(B, C)``.

    Raises:
        InputError: r is not above 0.
    """
    if not sharpness > 0:
        raise InputError(
            f"sharpness must be above 0 (the limit 0 is mean pooling, infinity is max pooling), got {sharpness}"
        )
    cells = features.shape[-2] * features.shape[-1]
    return (torch.logsumexp(sharpness * features, dim=(-2, -1)) - math.log(cells)) / sharpness


@wrap_torch_function(lambda features, scores: (features, scores))
def attention_pool(features: Tensor, scores: Tensor) -> Tensor:
    """Compute v = Σ_ij a_ij F_ij with a = softmax of the scores over the grid.

    Ilse et al. 2018, arXiv 1802.04712, equations 7 and 8, with grid cells as the instances of a bag.

    Args:
        features: ``(B, C, h, w)``.
        scores: ``(B, 1, h, w)``.

    Returns:
        ``(B, C)``.
    """
    weights = scores.flatten(1).softmax(-1)  # (B, hw)
    return torch.einsum("bcl,bl->bc", features.flatten(2), weights)


class AttentionPool(nn.Module):
    """Attention pooling with scores u·tanh(V F_ij) (Ilse et al. 2018, equation 8).

    Args:
        channels: C.
        hidden: Width of V.
    """

    def __init__(self, channels: int, hidden: int = 128) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, hidden, 1)
        self.score = nn.Conv2d(hidden, 1, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, C)``."""
        pooled: Tensor = attention_pool(features, self.score(torch.tanh(self.project(features))))
        return pooled


class Pool(nn.Module):
    """A parameter-free pooling as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, C)``."""
        return self.function(features)


def make_pool(name: str, channels: int) -> nn.Module:
    """Make a pooling module by name.

    Raises:
        InputError: The name is unknown.
    """
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "mean": mean_pool,
        "max": max_pool,
        "logsumexp": logsumexp_pool,
    }
    if name in functions:
        return Pool(functions[name])
    if name == "attention":
        return AttentionPool(channels)
    raise InputError(f"unknown pooling {name!r}{nearest(name, POOLINGS)}")
