"""Normalisation of a pooled vector by a statistic of the same vector: LayerNorm, RMSNorm, division by the length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Statistic = Literal["mean_square", "unbiased_variance", "length"]


@dataclass(frozen=True)
class Norm:
    """The normalisation between a pooled vector and an affine head, whose statistics a conditional claim fixes.

    Attributes:
        center: Whether the statistic is of the vector minus its mean (LayerNorm) or of the vector (RMSNorm).
        eps: Added to the variance or mean square; the least length.
        statistic: ``mean_square``: 1/√(mean + eps); ``unbiased_variance``: the same with C - 1 in place of C;
            ``length``: 1/max(length, eps).
    """

    center: bool
    eps: float
    statistic: Statistic = "mean_square"


def norm_scale(vector: Tensor, norm: Norm | None) -> Tensor:
    """Compute the reciprocal of the statistic by which a normalisation divides.

    Args:
        vector: ``(B, C)``, the pooled vectors.
        norm: The normalisation; None gives 1.

    Returns:
        ``(B, 1)``.
    """
    if norm is None:
        return torch.ones_like(vector[:, :1])
    centered = vector - vector.mean(-1, keepdim=True) if norm.center else vector
    if norm.statistic == "length":
        length: Tensor = torch.linalg.vector_norm(centered, dim=-1, keepdim=True)
        return length.clamp_min(norm.eps).reciprocal()
    if norm.statistic == "unbiased_variance":
        return torch.rsqrt(centered.square().sum(-1, keepdim=True) / (vector.shape[-1] - 1) + norm.eps)
    return torch.rsqrt(centered.square().mean(-1, keepdim=True) + norm.eps)


def candidates(eps: list[float]) -> list[Norm]:
    """List the normalisations that a head can contain, with each value of eps."""
    return [
        Norm(center, value, statistic)
        for statistic in ("mean_square", "unbiased_variance", "length")
        for center in (True, False)
        for value in eps
    ]
