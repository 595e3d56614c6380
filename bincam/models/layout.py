"""Axes of a feature tensor: channel axis, grid, and tokens without a position in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from bincam.errors import UnsupportedError
from bincam.models.trace import NO_CALL, Call, Trace

Order = Literal["NCHW", "NHWC", "NLC", "NCL"]

# Calls whose definition determines the channel axis of their output.
_CHANNEL_SECOND = {
    "conv2d",
    "batch_norm",
    "group_norm",
    "instance_norm",
    "max_pool2d",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "interpolate",
}
_CHANNEL_LAST = {"linear", "layer_norm", "rms_norm", "scaled_dot_product_attention", "multi_head_attention_forward"}
_MAX_PREFIX = 16
"""Upper bound of register, class and distillation tokens; no published model has so many."""


@dataclass(frozen=True)
class Layout:
    """The axes of a feature tensor.

    Attributes:
        order: ``NCHW``, ``NHWC``, tokens ``NLC`` (B, prefix + hw, C), or transposed tokens ``NCL``.
        grid: ``(h, w)``.
        prefix: Number of tokens before the grid without a position in the image (class, distillation, register tokens).
    """

    order: Order
    grid: tuple[int, int]
    prefix: int = 0

    def grid_of(self, tensor: Tensor) -> Tensor:
        """The grid of a tensor as ``(..., C, h, w)``, a view where strides allow; leading axes are kept."""
        if self.order == "NCHW":
            return tensor
        if self.order == "NHWC":
            return tensor.movedim(-1, -3)
        tokens = tensor if self.order == "NLC" else tensor.transpose(-1, -2)  # (..., L, C)
        places = tokens[..., self.prefix :, :].transpose(-1, -2)  # (..., C, hw)
        return places.reshape(*places.shape[:-1], *self.grid)

    def prefix_of(self, tensor: Tensor) -> Tensor:
        """The prefix tokens of a tensor as ``(..., prefix, C)``; the prefix axis has length 0 if there are none."""
        if self.order in ("NCHW", "NHWC"):
            return self.grid_of(tensor).flatten(-2).transpose(-1, -2)[..., :0, :]
        tokens = tensor if self.order == "NLC" else tensor.transpose(-1, -2)
        return tokens[..., : self.prefix, :]


def layout_of(trace: Trace, call: Call, tensor: Tensor, order: Order | None = None) -> Layout:
    """Find the axes of a tensor in a trace.

    Args:
        trace: The traced pass.
        call: The call that made the tensor.
        tensor: The tensor.
        order: The order of the axes, if the call that reads the tensor determines it; else it is inferred from the
            calls that computed it.

    Returns:
        The layout.

    Raises:
        UnsupportedError: The axes or the token grid cannot be inferred.
    """
    shape = tuple(tensor.shape)
    if order is None:
        if tensor.ndim not in (3, 4):
            raise UnsupportedError(f"features of shape {shape} have no grid; pass layer= with a tensor of 3 or 4 axes")
        axis = _channel_axis(trace, call, tensor.ndim)
        if axis is None:
            raise UnsupportedError(
                f"the channel axis of features of shape {shape} cannot be inferred; pass another layer="
            )
        orders: dict[tuple[int, int], Order] = {(4, 1): "NCHW", (4, 3): "NHWC", (3, 2): "NLC", (3, 1): "NCL"}
        if (tensor.ndim, axis) not in orders:
            raise UnsupportedError(
                f"the channel axis of features of shape {shape} is between the grid's axes; pass another layer="
            )
        order = orders[tensor.ndim, axis]
    if order == "NCHW":
        return Layout(order, (shape[2], shape[3]))
    if order == "NHWC":
        return Layout(order, (shape[1], shape[2]))
    grid, prefix = _token_grid(trace, call.index, shape[1] if order == "NLC" else shape[2])
    return Layout(order, grid, prefix)


def _channel_axis(trace: Trace, call: Call, ndim: int) -> int | None:
    """Follow shape-preserving calls back to one that determines the channel axis."""
    while True:
        if call.name in _CHANNEL_SECOND:
            axis = 1
            break
        if call.name in _CHANNEL_LAST:
            axis = call.output.ndim - 1
            break
        parents = [trace.calls[p] for p in trace.live_parents(call) if p != NO_CALL]
        if call.name in ("permute", "transpose", "movedim", "swapaxes") and parents:
            source = parents[0]
            inner = _channel_axis(trace, source, source.output.ndim)
            return None if inner is None else _moved(call, inner)
        if call.name in ("flatten", "reshape", "view", "unflatten") and parents:
            source = parents[0]
            inner = _channel_axis(trace, source, source.output.ndim)
            if inner is None:
                return None
            channels = source.output.shape[inner]
            if inner == source.output.ndim - 1:
                return ndim - 1 if call.output.shape[-1] == channels else None
            return inner if call.output.ndim > inner and call.output.shape[inner] == channels else None
        same = [p for p in parents if p.output.ndim == call.output.ndim]
        if not same:
            return None
        call = same[0]
    return axis if call.output.ndim == ndim else None


def _moved(call: Call, axis: int) -> int | None:
    """Position of an axis after a permute or transpose."""
    ndim = call.output.ndim
    rest = call.args[1:] if len(call.args) > 1 else (call.kwargs.get("dims"),)
    numbers = list(rest[0]) if rest and isinstance(rest[0], (tuple, list)) else list(rest)
    if call.name == "permute" and all(isinstance(n, int) for n in numbers):
        return [n % ndim for n in numbers].index(axis)
    if call.name in ("transpose", "swapaxes") and all(isinstance(n, int) for n in numbers) and len(numbers) == 2:
        a, b = (n % ndim for n in numbers)
        return b if axis == a else a if axis == b else axis
    return None


def _token_grid(trace: Trace, before: int, length: int) -> tuple[tuple[int, int], int]:
    """Match the number of tokens to the last convolution's grid (the patch embedding); the rest is the prefix."""
    for index in sorted(trace.calls, reverse=True):
        call = trace.calls[index]
        if index < before and call.live and call.name == "conv2d" and call.output.ndim == 4:
            h, w = call.output.shape[-2:]
            if h * w > 1 and 0 <= length - h * w <= _MAX_PREFIX:
                return (int(h), int(w)), int(length - h * w)
    raise UnsupportedError(
        f"{length} tokens match no patch grid of this model; pass layer= with a tensor that has a grid, for example "
        "the output of the patch embedding"
    )
