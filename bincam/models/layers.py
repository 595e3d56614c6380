"""Layers that can be explained: tensors of a traced pass that have a grid, and their names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from torch import nn

from bincam.errors import InputError, UnsupportedError, nearest
from bincam.models.borrowing.borrow import unwrap
from bincam.models.grids.layout import layout_of
from bincam.models.grids.token_grid import Layout
from bincam.models.tracing.cut import Place
from bincam.models.tracing.repeats import last_runs, refuse_copies, refuse_repeated, repeated
from bincam.models.tracing.trace import NO_CALL, Call, Trace


@dataclass(frozen=True)
class Layer:
    """A tensor of the forward pass that can be explained.

    Attributes:
        name: Dotted name of the module that returns it, or a description if no module does.
        place: Its place in the sequence of calls, where the pass can be cut.
        layout: Its axes.
        channels: C.

    Example:
        >>> import torch
        >>> from bincam import models
        >>> model = models.build("resnet10t", ["Bald"], input_size=(64, 64))
        >>> images, name = torch.zeros(1, 3, 64, 64), "network.backbone.layer3"
        >>> anatomy = models.resolve(model, images, lambda logits: logits, layer=name)
        >>> anatomy.layer.name, anatomy.layer.channels, anatomy.layer.layout
        ('network.backbone.layer3', 256, Layout(order='NCHW', grid=(4, 4), prefix=0, suffix=0))
    """

    name: str
    place: Place
    layout: Layout
    channels: int


def dotted_name(model: nn.Module, layer: str | nn.Module) -> str:
    """Find the dotted name of a submodule.

    Raises:
        InputError: The model has no such submodule.
    """
    names: dict[nn.Module, str] = {module: name for name, module in model.named_modules()}
    if isinstance(layer, nn.Module):
        name = names.get(unwrap(layer))
        if name is None:
            raise InputError(f"layer= is a {type(layer).__name__} that is not part of the model")
        return name
    submodules = [name for name in names.values() if name]
    if layer not in submodules:
        raise InputError(f"no layer {layer!r} in this model{nearest(layer, submodules)}")
    return layer


def named_layer(trace: Trace, name: str) -> Layer:
    """Make a layer of a module's output.

    Raises:
        UnsupportedError: The module's output is not one tensor with a grid, or does not depend on the images.
    """
    if name not in trace.layers:
        raise UnsupportedError(f"layer {name!r} does not return one tensor in the forward pass; {listed(trace)}")
    refuse_repeated(trace, name, lambda: listed(trace))
    call = trace.calls[last_runs(trace, name)[0]]
    if not call.live:
        raise UnsupportedError(f"layer {name!r} does not depend on the images; {listed(trace)}")
    refuse_copies(trace, call.output, f"layer {name!r}", lambda: listed(trace))
    try:
        layout = layout_of(trace, call, call.output)
    except UnsupportedError as error:
        raise UnsupportedError(f"layer {name!r}: {error}; {listed(trace)}") from None
    if layout.grid == (1, 1):
        raise UnsupportedError(f"layer {name!r} has one place at this input size; pass larger images; {listed(trace)}")
    layer = _layer(trace, name, call)
    if not trace.proved([layer])[0]:
        raise UnsupportedError(
            f"layer {name!r}: its {layout.grid[0]}x{layout.grid[1]} cells do not respond to their own places in the "
            f"image; {listed(trace)}"
        )
    return layer


def _layer(trace: Trace, name: str, call: Call) -> Layer:
    layout = layout_of(trace, call, call.output)
    return Layer(name, Place(call.index, call.name, "output"), layout, int(layout.grid_of(call.output).shape[-3]))


def layer_at(trace: Trace, call: Call, end: Literal["input", "output"], layout: Layout) -> Layer:
    """Make a layer of a call's first input or its output, named by the outermost module that returns it."""
    source = call.index if end == "output" else call.parents[0]
    names = [name for name, index in trace.layers.items() if index == source and name]
    name = min(names, key=len) if names else f"{end} of {call.name} in {call.module or 'the model'}"
    tensor = call.output if end == "output" else call.inputs[0]
    return Layer(name, Place(call.index, call.name, end), layout, int(layout.grid_of(tensor).shape[-3]))


def attention_input(trace: Trace, select: Call) -> Layer:
    """Find the normalised tokens that the last attention before a token selection reads.

    This is the last place at which every token still affects the logits.

    Raises:
        UnsupportedError: There is no such attention, or its input is not normalised.
    """
    attentions = [
        call
        for call in trace.calls.values()
        if call.index < select.index
        and call.live
        and call.name in ("scaled_dot_product_attention", "multi_head_attention_forward", "softmax")
    ]
    if not attentions:
        raise UnsupportedError(
            f"the head reads one token, but no attention was found before it; pass layer=; {listed(trace)}"
        )
    pending = [attentions[-1].index]
    seen: set[int] = set()
    while pending:
        call = trace.calls[pending.pop(0)]
        if call.name in ("layer_norm", "rms_norm") and call.output.ndim == 3:
            return layer_at(trace, call, "output", layout_of(trace, call, call.output, "NLC"))
        for parent in trace.live_parents(call):
            if parent != NO_CALL and parent not in seen:
                seen.add(parent)
                pending.append(parent)
    raise UnsupportedError(f"no normalised input of the last attention was found; pass layer=; {listed(trace)}")


def candidates(trace: Trace, count: int = 6) -> list[str]:
    """Name the last few layers that can be explained.

    Args:
        trace: The traced pass. Layers whose grid is not proved, or from which nothing reaches the logits, are left out.
        count: The most layers to name.
    """
    layers: dict[int, Layer] = {}
    for name, index in sorted(trace.layers.items(), key=lambda item: (-item[1], len(item[0]))):
        call = trace.calls[index]
        if not name or index in layers or not call.live or call.output.ndim not in (3, 4):
            continue
        if len(call.output) != len(trace.images) or repeated(trace, name):
            continue
        with suppress(UnsupportedError):
            layer = _layer(trace, name, call)
            if layer.layout.grid != (1, 1):
                layers[index] = layer
    names: list[str] = []
    remaining = list(layers.values())
    while remaining and len(names) < count:
        tried, remaining = remaining[:count], remaining[count:]
        names += [layer.name for layer, usable in zip(tried, trace.usable(tried), strict=True) if usable]
    return names[:count]


def listed(trace: Trace) -> str:
    """List the candidates for an error message."""
    return "layers with a grid: " + (", ".join(candidates(trace)) or "none")
