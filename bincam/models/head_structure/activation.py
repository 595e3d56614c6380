"""The activation that makes the pooled tensor, before which a layer may be explained."""

from __future__ import annotations

from dataclasses import replace

from bincam.errors import UnsupportedError
from bincam.models.anatomy import Anatomy
from bincam.models.layers import Layer
from bincam.models.tracing.cut import Place
from bincam.models.tracing.trace import Trace

ACTIVATIONS = {
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "hardswish",
    "hardtanh",
}
RECTIFIERS = {"relu", "leaky_relu", "prelu"}
"""Activations with a(x) = a'(x) x: the output is the gradient times the input."""


def before_activation(trace: Trace, head: Anatomy) -> Anatomy:
    """Move the explained layer to the input of the activation that makes the pooled tensor."""
    if head.pooled is None or head.pooling == "token":
        raise UnsupportedError(f"layer='pre_activation' needs a pooled tensor, but here {head.reason}; pass layer=")
    call = trace.calls[trace.calls[head.pooled.place.call].parents[0]]
    transparent = {"dropout", "contiguous", "identity", "to"}
    while call.name in transparent:
        call = trace.calls[trace.live_parents(call)[0]]
    if call.name not in ACTIVATIONS:
        raise UnsupportedError(
            f"layer='pre_activation': the pooled tensor of this model comes from {call.name!r} in "
            f"{call.module or 'the model'}, not from an activation; omit layer, or name a layer"
        )
    layer = Layer(
        f"input of {call.name} in {call.module or 'the model'}",
        Place(call.index, call.name, "input"),
        head.pooled.layout,
        head.pooled.channels,
    )
    return replace(head, layer=layer, at_pooled=False, pre_activation=True, rectified=call.name in RECTIFIERS)
