"""The head's additive decomposition z = b + p + ΣS: exact, or with an image's statistics or attention fixed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bincam.cam.maps.methods import cam
from bincam.cam.requests.combination import Combination
from bincam.models.anatomy import Anatomy
from bincam.models.head_structure.norm import norm_scale


@dataclass(frozen=True)
class Decomposition:
    """Contributions of every cell, of the tokens without a position, and of the constant to the logits.

    They sum to the logit; of an output's log-odds against its alternatives, less the entropy of the alternatives, which
    ``Explanation.alternatives`` states.

    Attributes:
        evidence: ``(B, A, h, w)``, S for the positive class.
        prefix: ``(B, A)``, p.
        bias: ``(B, A)``, b.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bincam import Explainer
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        >>> explanation = Explainer(model)(torch.rand(4, 3, 16, 16))
        >>> parts = explanation.decomposition
        >>> logits = parts.evidence.sum((-2, -1)) + parts.prefix + parts.bias
        >>> torch.allclose(logits, explanation.logits, atol=1e-5)
        True
    """

    evidence: Tensor
    prefix: Tensor
    bias: Tensor


def decompose(anatomy: Anatomy, kept: tuple[Tensor, ...], columns: Tensor | Combination) -> Decomposition:
    """Spread the folded head over the grid that it pools.

    Args:
        anatomy: Of a model with a folded head.
        kept: Tensors that the pooling reads: the features, and under attention pooling their scores.
        columns: Indices of the attributes, ``(A,)``, or the combination of the outputs that is explained.

    Returns:
        The three parts; their sum is the logit, or the combination of the outputs.

    Example:
        A head that averages a 1 x 2 grid of one channel, with weight 2 and bias 1:

        >>> import torch
        >>> from torch import nn
        >>> from bincam.cam import decompose
        >>> from bincam.models import resolve
        >>> convolution, head = nn.Conv2d(1, 1, 1, bias=False), nn.Linear(1, 1)
        >>> model = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).requires_grad_(False)
        >>> _ = convolution.weight.fill_(1.0), head.weight.fill_(2.0), head.bias.fill_(1.0)
        >>> images = torch.tensor([[[[4.0, -1.0]]]])
        >>> anatomy = resolve(model, images, lambda output: output)
        >>> parts = decompose(anatomy, (convolution(images),), torch.tensor([0]))
        >>> parts.evidence.tolist(), parts.bias.tolist(), model(images).item()
        ([[[[4.0, -1.0]]]], [[1.0]], 4.0)
    """
    assert anatomy.weight is not None
    assert anatomy.bias is not None
    assert anatomy.pooled is not None
    features, spread, tokens = pooled_features(anatomy, kept)
    # Combining the maps of all outputs, rather than the weights, is cheaper where most of them are explained.
    maps_first = isinstance(columns, Combination) and not columns.plain and not columns.few
    weight, bias = anatomy.weight.to(features.dtype), anatomy.bias.to(features.dtype)
    if not maps_first:
        weight, bias = combined(columns, weight), combined(columns, bias)
    if anatomy.norm is not None:
        assert isinstance(spread, float)
        vector = (features.sum((-2, -1)) + tokens.sum(-2)) * spread  # (B, C)
        weight = weight * norm_scale(vector, anatomy.norm)[:, :, None]  # (B, A, C)
    evidence = cam(features, weight, spread)
    prefix = torch.zeros_like(evidence[..., 0, 0])
    if tokens.shape[-2]:
        assert isinstance(spread, float)
        prefix = (weight @ tokens.sum(-2)[..., None])[..., 0] * spread
    bias = bias.expand_as(prefix)
    if maps_first:
        assert isinstance(columns, Combination)
        evidence, prefix, bias = (columns.apply(part) for part in (evidence, prefix, bias))
    return Decomposition(evidence, prefix, bias)


def combined(columns: Tensor | Combination, values: Tensor) -> Tensor:
    """Select or combine values ``(A, ...)`` of all outputs: ``(A, ...)``, or ``(B, A, ...)`` if images differ."""
    if isinstance(columns, Tensor):
        return values[columns]
    result = columns.apply(values[None])
    return result[0] if columns.plain else result


def pooled_features(anatomy: Anatomy, kept: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | float, Tensor]:
    """Return the pooled grid, the share of each cell in the pooled vector, and the tokens pooled with the grid.

    Args:
        anatomy: Of a model whose head pools.
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
    """Compute the gradient of max pooling, ``(B, C, h, w)``: 1 at each channel's maximum, shared equally by ties."""
    at_maximum = features == features.amax((-2, -1), keepdim=True)
    return at_maximum / at_maximum.sum((-2, -1), keepdim=True)


def full_precision(tensor: Tensor) -> Tensor:
    """Convert half precision to float32, because maps are sums over thousands of features."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
