"""Axes of a feature tensor: channel axis, grid, and tokens without a position in the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from bincam.errors import InputError, UnsupportedError
from bincam.models.grids.places import Places
from bincam.models.grids.positions import places_of
from bincam.models.grids.token_grid import Layout, Order, token_grid
from bincam.models.tracing.trace import NO_CALL, Call, Trace, record

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


def layout_of(trace: Trace, call: Call, tensor: Tensor, order: Order | None = None) -> Layout:
    """Find the axes of a tensor in a trace.

    Args:
        trace: The traced pass.
        call: The call that made the tensor.
        tensor: The tensor.
        order: The order of the axes, if the call that reads the tensor determines it; else it is inferred from the
            places of the tensor's entries, or from the calls that computed it.

    Returns:
        The layout.

    Raises:
        UnsupportedError: The axes or the grid cannot be inferred, or the entries have no place in the image.
    """
    shape = tuple(tensor.shape)
    places = places_of(trace, tensor, call.index)
    if order == "NCHW" and shape[2:] == (1, 1):  # of bincam's own pooling; a single cell has no place
        return Layout(order, (1, 1))
    order = order or (None if places is None else _varying_order(places)) or _computed_order(trace, call, tensor)
    if places is not None:
        return token_grid(places, order)
    if order == "NCHW":
        return Layout(order, (shape[2], shape[3]), traced=False)
    if order == "NHWC":
        return Layout(order, (shape[1], shape[2]), traced=False)
    return Layout(order, _patch_grid(trace, call.index, shape[1] if order == "NLC" else shape[2]), traced=False)


def feature_layout(backbone: nn.Module, images: Tensor, width: int) -> Layout:
    """Find the axes of what a timm model's ``forward_features`` returns.

    Args:
        backbone: A timm model, in evaluation mode.
        images: ``(1, C, H, W)``; their values do not matter.
        width: Number of channels of the features.

    Raises:
        InputError: It returns no tensor with a grid.
    """
    try:
        trace = record(_Features(backbone), images, _tensor_of(backbone))
    except UnsupportedError as error:
        got = _tensor_of(backbone)(_Features(backbone)(images)).shape
        shown = f"{got[1]} tokens" if len(got) == 3 else f"features of shape {tuple(got)}"
        raise InputError(
            f"{type(backbone).__name__} returns {shown} without a grid: {error}; choose another backbone"
        ) from None
    features = trace.logits
    shape = tuple(features.shape)
    orders: list[Order] = ["NLC"] if len(shape) == 3 else ["NCHW", "NHWC"]
    channels = {"NLC": -1, "NCHW": 1, "NHWC": -1}
    fitting = [order for order in orders if len(shape) in (3, 4) and shape[channels[order]] == width]
    if not fitting:
        raise InputError(
            f"{type(backbone).__name__} returns features of shape {shape}, which is not a grid; choose another backbone"
        )
    places = places_of(trace, features, trace.last)
    order = None if places is None else _varying_order(places)
    if order not in fitting:
        order = fitting[-1] if getattr(backbone, "output_fmt", "NCHW") == "NHWC" else fitting[0]
    if len(shape) == 4 and (shape[2:] if order == "NCHW" else shape[1:3]) == (1, 1):
        return Layout(order, (1, 1))
    try:
        return layout_of(trace, trace.calls[trace.last], features, order)
    except UnsupportedError as error:
        raise InputError(f"{type(backbone).__name__}: {error}; choose another backbone or size") from None


class _Features(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Any:
        timm_model: Any = self.backbone  # has more than nn.Module promises
        return timm_model.forward_features(images)


def _tensor_of(backbone: nn.Module) -> Callable[[Any], Tensor]:
    def read(value: Any) -> Tensor:
        if isinstance(value, Tensor):
            return value
        raise InputError(
            f"{type(backbone).__name__} returns a {type(value).__name__}, which is not a grid; choose another backbone"
        )

    return read


def _varying_order(places: Places) -> Order | None:
    """The order of axes in which the coordinates vary along all axes of the grid but not along that of the channels."""
    axes = set(places.varying)
    if len(places.shape) == 3:
        orders: dict[tuple[int, ...], Order] = {(1,): "NLC", (2,): "NCL"}
        return orders.get(tuple(sorted(axes)))
    if len(places.shape) != 4:
        return None
    single = {axis for axis in (1, 2, 3) if places.shape[axis] == 1}
    if axes <= {2, 3} and {2, 3} <= axes | single:
        return "NCHW"
    return "NHWC" if axes <= {1, 2} <= axes | single else None


def _computed_order(trace: Trace, call: Call, tensor: Tensor) -> Order:
    shape = tuple(tensor.shape)
    if tensor.ndim not in (3, 4):
        raise UnsupportedError(f"features of shape {shape} have no grid; pass layer= with a tensor of 3 or 4 axes")
    axis = _channel_axis(trace, call, tensor.ndim)
    if axis is None:
        raise UnsupportedError(f"the channel axis of features of shape {shape} cannot be inferred; pass another layer=")
    orders: dict[tuple[int, int], Order] = {(4, 1): "NCHW", (4, 3): "NHWC", (3, 2): "NLC", (3, 1): "NCL"}
    if (tensor.ndim, axis) not in orders:
        raise UnsupportedError(
            f"the channel axis of features of shape {shape} is between the grid's axes; pass another layer="
        )
    return orders[tensor.ndim, axis]


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


def _patch_grid(trace: Trace, before: int, length: int) -> tuple[int, int]:
    """The grid of the last convolution, if it has exactly as many cells as there are tokens."""
    for index in sorted(trace.calls, reverse=True):
        call = trace.calls[index]
        if index < before and call.live and call.name == "conv2d" and call.output.ndim == 4:
            h, w = call.output.shape[-2:]
            if h * w > 1 and length == h * w:
                return int(h), int(w)
    raise UnsupportedError(
        f"which of {length} tokens are places in the image cannot be followed through the calls of this model; pass "
        "another layer="
    )
