"""The head's own account: z = b + p + ΣS, exact, or with the image's own statistics or attention weights held fixed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bincam.cam.methods import cam
from bincam.models.anatomy import Anatomy, norm_scale


@dataclass(frozen=True)
class Decomposition:
    """What every cell, the tokens without a place, and the constant contribute to the logits.

    Attributes:
        evidence: ``(B, A, h, w)``, S for the positive class.
        prefix: ``(B, A)``, p.
        bias: ``(B, A)``, b.
    """

    evidence: Tensor
    prefix: Tensor
    bias: Tensor


def decompose(anatomy: Anatomy, kept: tuple[Tensor, ...], columns: Tensor) -> Decomposition:
    """Spread the folded head over the grid that it pools.

    Args:
        anatomy: With a folded head.
        kept: What the pooling reads: the features, and under attention pooling their scores.
        columns: Indices of the attributes, ``(A,)``.

    Returns:
        The three parts; their sum is the logit.
    """
    assert anatomy.weight is not None
    assert anatomy.bias is not None
    assert anatomy.pooled is not None
    features, spread, tokens = pooled_features(anatomy, kept)
    weight = anatomy.weight[columns].to(features.dtype)
    bias = anatomy.bias[columns].to(features.dtype)
    if anatomy.norm is not None:
        assert isinstance(spread, float)
        vector = (features.sum((-2, -1)) + tokens.sum(-2)) * spread  # (B, C)
        weight = weight * norm_scale(vector, anatomy.norm)[:, :, None]  # (B, A, C)
    evidence = cam(features, weight, spread)
    prefix = torch.zeros_like(evidence[..., 0, 0])
    if tokens.shape[-2]:
        assert isinstance(spread, float)
        prefix = (weight @ tokens.sum(-2)[..., None])[..., 0] * spread
    return Decomposition(evidence, prefix, bias.expand_as(prefix))


def pooled_features(anatomy: Anatomy, kept: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | float, Tensor]:
    """The pooled grid, the share of each cell in the pooled vector, and the tokens that are pooled with it.

    Args:
        anatomy: Of the model.
        kept: As for ``decompose``.

    Returns:
        Features ``(B, C, h, w)``; the spread as in ``methods.cam``; tokens ``(B, prefix, C)``.
    """
    assert anatomy.pooled is not None
    layout = anatomy.pooled.layout
    tensor = full_precision(kept[0])
    features, tokens = layout.grid_of(tensor), layout.prefix_of(tensor)
    if anatomy.pooling == "max":
        return features, max_spread(features), tokens
    if anatomy.pooling == "attention":
        scores = full_precision(kept[1])
        return features, scores.flatten(1).softmax(-1).view_as(scores), tokens
    cells = features.shape[-2] * features.shape[-1] + tokens.shape[-2]
    return features, 1.0 / cells, tokens


def max_spread(features: Tensor) -> Tensor:
    """The gradient of max pooling: one at each channel's maximum, shared where several cells tie. ``(B, C, h, w)``."""
    at_maximum = features == features.amax((-2, -1), keepdim=True)
    return at_maximum / at_maximum.sum((-2, -1), keepdim=True)


def full_precision(tensor: Tensor) -> Tensor:
    """Half-precision features in float32; maps are sums of thousands of them."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
