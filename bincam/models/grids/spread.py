"""Spread of a folded head over the cells of its grid, checked cell by cell against the gradient.

That a folded head reproduces the logits shows that its sum over cells is right. The gradient of the logits with respect
to the pooled tensor also shows the part of every single cell, and whether anything but the pooling reads the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bincam.models.layers import Layer
from bincam.models.tracing.cut import Cut

_TOLERANCE = 1e-3
"""Largest difference in relation to the largest gradient, from float32 on."""


def spreads_as_claimed(
    model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], layer: Layer, pooling: str, weight: Tensor
) -> bool:
    """Compare the claimed gradient of every cell with that of the model.

    Args:
        model: In evaluation mode.
        images: ``(1, C, H, W)``.
        read: Function from the model's return value to logits ``(B, A)``.
        layer: The pooled tensor, where the model's pass is cut.
        pooling: ``mean``, ``max`` or ``flatten``.
        weight: The folded head: ``(A, C)``, or ``(A, C, h, w)`` for ``flatten``.

    Returns:
        False if any cell, or any token without a place, has another part than claimed. True also where the model lets
        no gradient pass, so that nothing contradicts the claim.
    """
    cut = Cut(None, layer.place)
    images = images.clone()  # the model may write to its input
    try:
        with torch.no_grad(), cut:
            logits = read(model(images))
    except RuntimeError:  # a call without a derivative, such as one with out=
        return True
    if cut.leaf is None or not logits.requires_grad:
        return True
    signs = torch.randn(logits.shape[1], generator=torch.Generator().manual_seed(0)).to(logits)
    with torch.enable_grad():
        total = (logits @ signs).sum()
    gradients: Sequence[Tensor | None] = torch.autograd.grad(total, cut.leaf, allow_unused=True)
    if (gradient := gradients[0]) is None:
        return True
    layout = layer.layout
    features, cells, tokens = (
        layout.grid_of(cut.leaf.detach()),
        layout.grid_of(gradient),
        layout.prefix_of(gradient),  # (1, n, C)
    )
    folded = torch.einsum("a,ac...->c...", signs, weight.to(signs))  # (C,) or (C, h, w)
    if pooling == "flatten":
        claimed, others = folded[None], torch.zeros_like(tokens)
    elif pooling == "max":
        maxima = features == features.amax((-2, -1), keepdim=True)
        claimed = folded[:, None, None] * maxima / maxima.sum((-2, -1), keepdim=True)
        others = torch.zeros_like(tokens)
    else:
        share = folded / (cells.shape[-2] * cells.shape[-1] + tokens.shape[-2])
        claimed, others = share[:, None, None].expand_as(cells), share.expand_as(tokens)
    size = float(gradient.abs().max()) or 1.0
    differences = [float((a - b).abs().max()) if a.numel() else 0.0 for a, b in ((cells, claimed), (tokens, others))]
    tolerance = 8 * torch.finfo(gradient.dtype).eps ** 0.5 if gradient.dtype.itemsize < 4 else _TOLERANCE
    return max(differences) <= tolerance * size
