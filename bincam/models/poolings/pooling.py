"""Poolings from a grid of features to one vector, between a backbone and its attribute head.

Each function is visible to ``TorchFunctionMode`` as one call, so that the anatomy resolver sees ``mean_pool`` and not
its parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.overrides import wrap_torch_function

from bincam.errors import InputError, nearest
from bincam.models.poolings.cell_pooling import CellPool, best_count, noisy_or_pool, pcam_pool, top_pool

Pooling = Literal["mean", "max", "logsumexp", "attention", "top", "noisy_or", "pcam"]
"""The first four pool features before the head, the others the head's scores of every cell."""
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
OF_LOG_ODDS: tuple[Pooling, ...] = ("noisy_or", "pcam")
"""Poolings that read a cell's score as log-odds, so of yes-or-no attributes only."""
_OPTIONS: dict[str, tuple[str, ...]] = {"top": ("share",), "logsumexp": ("sharpness",)}


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


def check_pooling(name: str, options: Mapping[str, float]) -> None:
    """Refuse options that a pooling does not have, or values that it cannot take.

    Raises:
        InputError: The name or an option is unknown, or a value is out of range.
    """
    if name not in POOLINGS:
        raise InputError(f"unknown pooling {name!r}{nearest(name, POOLINGS)}")
    own = _OPTIONS.get(name, ())
    for option, value in options.items():
        if option not in own:
            has = f"; it has {', '.join(own)}" if own else ", which has no options"
            raise InputError(f"option {option!r} of pooling {name!r}{has}")
        if option == "sharpness" and not value > 0:
            raise InputError(f"sharpness={value} of pooling {name!r}; expected a number above 0")
        if option == "share":
            best_count(1, value)


def make_pool(name: str, channels: int, options: Mapping[str, float] | None = None) -> nn.Module:
    """Make a pooling module by name.

    Args:
        name: One of ``POOLINGS``.
        channels: C of the features.
        options: Keyword arguments of the pooling: ``share`` of ``top``, ``sharpness`` of ``logsumexp``.

    Returns:
        A ``CellPool`` where scores of cells are pooled, otherwise a module that pools features.

    Raises:
        InputError: The name or an option is unknown, or a value is out of range.
    """
    stated = dict(options or {})
    check_pooling(name, stated)
    functions: dict[str, Callable[[Tensor], Tensor]] = {"mean": mean_pool, "max": max_pool}
    if name in functions:
        return Pool(functions[name])
    if name == "logsumexp":
        return Pool(partial(logsumexp_pool, sharpness=stated["sharpness"]) if stated else logsumexp_pool)
    if name == "attention":
        return AttentionPool(channels)
    of_scores = {"top": top_pool, "noisy_or": noisy_or_pool, "pcam": pcam_pool}
    return CellPool(of_scores[name], **stated)
