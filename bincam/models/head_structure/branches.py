"""Models whose logits combine several pooled tensors, and the layers of each branch that can be explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from bincam.errors import UnsupportedError
from bincam.models.grids.layout import layout_of
from bincam.models.layers import Layer, layer_at
from bincam.models.tracing.cut import Cut
from bincam.models.tracing.trace import NO_CALL, Call, Trace

_ATTEMPTS = 12
"""Modules tried per branch, from the pooling backwards; each costs a few passes of one image."""


class SeveralPooledError(UnsupportedError):
    """The logits depend on poolings of several tensors.

    Args:
        ends: The calls that pool them.
    """

    def __init__(self, ends: Sequence[Call]) -> None:
        self.ends = tuple(ends)
        poolings = ", ".join(_described(call) for call in self.ends)
        super().__init__(f"the logits combine {len(self.ends)} pooled tensors ({poolings})")


def _described(call: Call) -> str:
    shape = "x".join(str(length) for length in call.inputs[0].shape[1:])
    return f"{call.name!r} of {shape} in {call.module or 'the model'}"


def advice(
    model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], trace: Trace, error: SeveralPooledError
) -> str:
    """Compose the message that names a layer for each branch.

    Args:
        model: The traced model, in evaluation mode.
        images: The traced images.
        read: Function from the model's return value to logits.
        trace: The trace.
        error: The poolings that were found.

    Returns:
        One line. Every layer that it names has a grid, and its gradient is not zero.
    """
    layers = branch_layers(model, images, read, trace, error.ends)
    if not layers:
        return f"{error}, and no module before them returns one tensor with a grid; pool a single tensor"
    names = " or ".join(f"layer={layer.name!r}" for layer in layers)
    return f"{error}; pass {names}: maps are diagnostic, and leave out what reaches the logits around that layer"


def branch_layers(
    model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], trace: Trace, ends: Sequence[Call]
) -> list[Layer]:
    """Find for each pooling the last module before it that can be explained.

    A layer that only this branch passes through is preferred to one that several share, and one whose cells all reach
    the logits to one of which some do, as above the last attention of a class token or before a maximum.

    Args:
        model: The traced model, in evaluation mode.
        images: The traced images.
        read: Function from the model's return value to logits.
        trace: The trace.
        ends: The calls that pool.

    Returns:
        The layers, without repetitions, in the order of ``ends``.
    """
    ancestors = [_ancestors(trace, call) for call in ends]
    chosen: dict[str, Layer] = {}
    for number, own in enumerate(ancestors):
        others = set().union(*(other for position, other in enumerate(ancestors) if position != number))
        layer = _best(model, images, read, trace, own, others)
        if layer is not None:
            chosen[layer.name] = layer
    return list(chosen.values())


def _ancestors(trace: Trace, end: Call) -> set[int]:
    """Indices of the calls on which a call depends."""
    pending = [parent for parent in trace.live_parents(end) if parent != NO_CALL]
    ancestors = set(pending)
    while pending:
        for parent in trace.live_parents(trace.calls[pending.pop()]):
            if parent != NO_CALL and parent not in ancestors:
                ancestors.add(parent)
                pending.append(parent)
    return ancestors


def _best(
    model: nn.Module,
    images: Tensor,
    read: Callable[[Any], Tensor],
    trace: Trace,
    own: set[int],
    others: set[int],
) -> Layer | None:
    """The last layer of a branch that can be explained; a shared one if the branch has none of its own."""
    partial: Layer | None = None
    for exclusive in (True, False):
        for layer in _last_modules(trace, own - others if exclusive else own & others):
            reached = _share_of_cells_with_gradient(model, images, read, layer)
            if reached == 0 or (reached < 1 and partial is not None) or not trace.usable([layer])[0]:
                continue
            if reached == 1:
                return layer
            partial = layer
    return partial


def _last_modules(trace: Trace, calls: set[int]) -> Iterator[Layer]:
    """The outputs of modules among some calls that have a grid, last first, each under its shortest name.

    Outputs of linear layers, softmax and dropout are left out: these are usually the queries, keys, values or weights
    of an attention, so that another part of the branch passes beside them. The normalisation before them has all of
    them after it.
    """
    returned = {
        index
        for name, index in trace.layers.items()
        if name
        and index in calls
        and not (trace.calls[index].name in ("linear", "softmax", "dropout") and trace.calls[index].module == name)
    }
    for index in sorted(returned, reverse=True)[:_ATTEMPTS]:
        call = trace.calls[index]
        with suppress(UnsupportedError):
            layer = layer_at(trace, call, "output", layout_of(trace, call, call.output))
            if layer.layout.grid[0] * layer.layout.grid[1] > 1:
                yield layer


def _share_of_cells_with_gradient(
    model: nn.Module, images: Tensor, read: Callable[[Any], Tensor], layer: Layer
) -> float:
    cut = Cut(None, layer.place)
    with torch.no_grad(), cut:
        logits = read(model(images))
        if cut.leaf is None or not logits.requires_grad:
            return 0.0
        weights = torch.arange(1, logits.numel() + 1, dtype=logits.dtype, device=logits.device)
        total = (logits.flatten() * weights).sum()  # weighted, because the sum of a softmax has no gradient
    gradients: Sequence[Tensor | None] = torch.autograd.grad(total, cut.leaf, allow_unused=True)
    if gradients[0] is None:
        return 0.0
    cells = layer.layout.grid_of(gradients[0]).abs().sum(-3) > 0
    return float(cells.float().mean())
