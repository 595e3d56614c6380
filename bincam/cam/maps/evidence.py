"""Signed evidence S at one layer by a native method, with as few gradients as the head requires."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bincam.cam.decompose import combined, full_precision, max_spread, pooled_features
from bincam.cam.maps.gradients import choose_chunk, gradients
from bincam.cam.maps.methods import Function
from bincam.cam.requests.combination import Combination
from bincam.models.anatomy import Anatomy


@dataclass(frozen=True)
class Pass:
    """Tensors kept from one forward pass.

    Attributes:
        scores: ``(B, all outputs)``, raw scores; on a graph from ``leaf`` if there is one.
        kept: Tensors that the head's pooling reads.
        leaf: Tensor from which the gradient starts: the pooled vectors or the explained layer. None if the head alone
            determines the gradient.
    """

    scores: Tensor
    kept: tuple[Tensor, ...]
    leaf: Tensor | None


def evidence(
    function: Function, anatomy: Anatomy, passed: Pass, side: Tensor, columns: Combination, chunk: int | None
) -> Tensor | None:
    """Compute S by a native method.

    Args:
        function: The method's function.
        anatomy: Structure of the model.
        passed: The forward pass.
        side: σ, ``(B, A)``.
        columns: The explained combinations of outputs.
        chunk: Number of attributes differentiated together, or None to choose.

    Returns:
        ``(B, A, h, w)``; None if the gradient is zero in every cell of every image although the features are not, which
        means that nothing of this layer reaches the logits.
    """
    parts = []
    reaches_logits = False
    features, blocks = _blocks(anatomy, passed, columns, chunk)
    for attributes, g in blocks:
        reaches_logits = reaches_logits or passed.leaf is None or anatomy.at_pooled or bool(g.any())
        parts.append(function(features, g, side[:, attributes]))
    return torch.cat(parts, 1) if reaches_logits or not bool(features.any()) else None


def _blocks(
    anatomy: Anatomy, passed: Pass, columns: Combination, chunk: int | None
) -> tuple[Tensor, Iterator[tuple[slice, Tensor]]]:
    """Return the features, and their gradients ``(B or 1, chunk, C, h or 1, w or 1)`` by slices of attributes."""
    if passed.leaf is None:
        features, _, _ = pooled_features(anatomy, passed.kept)
        return features, _head_gradients(anatomy, passed.kept, columns, chunk)
    size = choose_chunk(passed.leaf, len(columns.owners), chunk)
    differentiated = gradients(passed.scores, passed.leaf, columns, size)
    if anatomy.at_pooled and anatomy.pooling == "mean" and anatomy.vector is not None:
        features, spread, _ = pooled_features(anatomy, passed.kept)
        return features, (
            (attributes, full_precision(rows.flatten(2))[..., None, None] * spread)
            for attributes, rows in differentiated
        )
    layout = anatomy.layer.layout
    features = full_precision(layout.grid_of(passed.leaf.detach()))
    return features, ((attributes, full_precision(layout.grid_of(rows))) for attributes, rows in differentiated)


def _head_gradients(
    anatomy: Anatomy, kept: tuple[Tensor, ...], columns: Combination, chunk: int | None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the gradients of an exact head without a backward pass: the folded weight, spread as by the pooling."""
    assert anatomy.weight is not None
    features, spread, _ = pooled_features(anatomy, kept)
    weight = anatomy.weight.to(features.dtype)
    count = len(columns.owners)
    if anatomy.pooling == "mean":
        size = count if columns.plain else choose_chunk(features[:, :, 0, 0], count, chunk)
    else:
        size = choose_chunk(features, count, chunk)
    share = max_spread(features)[:, None] if anatomy.pooling == "max" else 1.0
    for begin in range(0, count, size):
        rows = combined(columns.part(slice(begin, begin + size)), weight)
        rows = rows[None] if columns.plain else rows  # (B or 1, chunk, C), or (B or 1, chunk, C, h, w)
        chosen = slice(begin, begin + rows.shape[1])
        if anatomy.pooling == "mean":
            yield chosen, (rows * spread)[..., None, None]
            continue
        g = rows if rows.ndim == 5 else rows[..., None, None]
        yield chosen, (g * share).expand(len(features), rows.shape[1], *features.shape[1:])
