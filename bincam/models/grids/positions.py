"""Positions in the image of every tensor of a trace, by following its calls forward.

Calls that rearrange entries (views, concatenations, windows, indexing) are repeated on the coordinates. Calls that
compute new entries (convolution, attention, elementwise arithmetic) pass the coordinates of their inputs on by the
rules below. Which tokens of a sequence are the grid, and in which order, is thus read off the trace.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from bincam.models.grids.places import (
    Places,
    combined,
    compact,
    either,
    nowhere,
    of_images,
    padded,
    reduced,
    resized,
    shared_along,
)
from bincam.models.tracing.trace import NO_CALL, Call, Trace

REARRANGING = {
    "flatten", "reshape", "view", "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "swapaxes", "swapdims",
    "movedim", "moveaxis", "t", "get", "adjoint", "expand", "expand_as", "view_as", "reshape_as", "repeat", "tile",
    "repeat_interleave", "broadcast_to", "getitem", "select", "narrow", "index_select", "gather", "take_along_dim",
    "chunk", "split", "split_with_sizes", "tensor_split", "unbind", "cat", "concat", "concatenate", "stack", "hstack",
    "vstack", "dstack", "roll", "flip", "fliplr", "flipud", "rot90", "unfold", "channel_shuffle", "pixel_unshuffle",
    "diagonal", "atleast_3d",
}  # fmt: skip
"""Calls that only move entries, so that they can be repeated on coordinates."""
_REDUCING = {
    "mean", "sum", "amax", "amin", "max", "min", "nanmean", "prod", "std", "var", "logsumexp", "norm", "vector_norm",
    "median", "nansum", "aminmax", "std_mean", "var_mean",
}  # fmt: skip
_RESIZING = {
    "interpolate", "upsample", "upsample_nearest", "upsample_bilinear", "pixel_shuffle",
    *(f"{kind}{n}d" for n in (1, 2, 3) for kind in (
        "conv", "conv_transpose", "max_pool", "avg_pool", "lp_pool", "adaptive_avg_pool", "adaptive_max_pool",
    )),
    *(f"{kind}{n}d_with_indices" for n in (1, 2, 3) for kind in ("max_pool", "adaptive_max_pool")),
    "mean_pool", "max_pool", "logsumexp_pool", "attention_pool", "deform_conv2d",
}  # fmt: skip
_MIXING_CHANNELS = {*(f"{kind}{n}d" for n in (1, 2, 3) for kind in ("conv", "conv_transpose")), "deform_conv2d"}
_OWN_POOLS = {"mean_pool", "max_pool", "logsumexp_pool", "attention_pool"}
_OF_QUERY = {
    "scaled_dot_product_attention",
    "multi_head_attention_forward",
    "native_multi_head_attention",
    "transformer_encoder_layer_fwd",
}
"""Attention: an output is where its query is."""
_SCATTERING = {
    "sort", "argsort", "topk", "kthvalue", "nonzero", "masked_select", "scatter", "scatter_add", "index_add",
    "index_put", "bincount", "histc", "randperm", "bernoulli", "multinomial", "fold", "grid_sample", "cdist", "take",
    "put",    "msort", "unique", "unique_consecutive", "scatter_reduce", "index_reduce", "masked_scatter", "embedding",
}  # fmt: skip
"""Calls whose entries have no place, or one that depends on the values of the image."""


def positions(trace: Trace) -> dict[int, tuple[Places | None, ...]]:
    """Compute the places of the outputs of every call that depends on the images.

    Args:
        trace: The traced pass; the result is stored in it.

    Returns:
        Call index to the places of each tensor that the call returned; None where a call is not known.
    """
    if not trace.positions:
        with torch.no_grad():
            for index, call in sorted(trace.calls.items()):
                if call.live:
                    trace.positions[index] = _outputs(trace, call)
    return trace.positions


def places_of(trace: Trace, tensor: Tensor, producer: int) -> Places | None:
    """Look up the places of a tensor that a call reads.

    Args:
        trace: The traced pass.
        tensor: The tensor.
        producer: Index of the call that made it, or ``NO_CALL``.
    """
    if producer == NO_CALL:
        return of_images(tensor.shape) if tensor is trace.images else nowhere(tensor.shape)
    call = trace.calls[producer]
    if not call.live:
        return nowhere(tensor.shape)
    for output, places in zip(call.outputs, positions(trace)[producer], strict=True):
        if output is tensor:
            return places
    return None


def _outputs(trace: Trace, call: Call) -> tuple[Places | None, ...]:
    inputs = [places_of(trace, tensor, parent) for tensor, parent in zip(call.inputs, call.parents, strict=True)]
    try:
        found = _rule(call)(trace, call, inputs)
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
        found = None  # an argument that the rule does not expect
    if found is None:
        return (None,) * len(call.outputs)
    results = found if isinstance(found, list) else [found] * len(call.outputs)
    return tuple(
        places if places is not None and places.shape == tuple(output.shape) else None
        for places, output in zip(results, call.outputs, strict=False)
    ) + (None,) * (len(call.outputs) - len(results))


Rule = Callable[[Trace, Call, "list[Places | None]"], "Places | list[Places | None] | None"]


def _rule(call: Call) -> Rule:
    if call.name in _SCATTERING or call.name.startswith(("fft", "rfft", "irfft", "ifft")):
        return _scatter
    if call.name in ("max", "min") and len(call.inputs) > 1:
        return _elementwise
    rules: list[tuple[set[str], Rule]] = [
        (REARRANGING, _rearranged),
        (_REDUCING, _reduction),
        (_RESIZING, _resize),
        (_OF_QUERY, _query),
        ({"matmul", "rmatmul", "bmm", "mm", "addmm", "baddbmm", "addbmm", "mv"}, _product),
    ]
    named: dict[str, Rule] = {"linear": _linear, "einsum": _einsum, "pad": _pad, "setitem": _assigned}
    return named.get(call.name) or next((rule for names, rule in rules if call.name in names), _elementwise)


def _scatter(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | list[Places | None]:
    del trace, inputs
    return [nowhere(output.shape) for output in call.outputs]


def _elementwise(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | None:
    """Combine what broadcasts to the output; an unknown call that changes the shape is not followed."""
    del trace
    shape = tuple(call.output.shape)
    if not all(_broadcasts(tensor.shape, shape) for tensor in call.inputs):
        same = [places for tensor, places in zip(call.inputs, inputs, strict=True) if tuple(tensor.shape) == shape]
        if not same:
            return None
        inputs = same
    known = [places for places in inputs if places is not None]
    result = combined(known, shape)
    unknown = len(known) < len(inputs)
    return None if unknown and not result.several else result


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    return len(shape) <= len(target) and all(a in (1, b) for a, b in zip(shape[::-1], target[::-1], strict=False))


def _rearranged(trace: Trace, call: Call, inputs: list[Places | None]) -> list[Places | None] | None:
    """Repeat the call on the coordinates, row and column in turn."""
    moved = [n for n, tensor in enumerate(call.inputs) if tensor.is_floating_point()]
    indices = [n for n, tensor in enumerate(call.inputs) if not tensor.is_floating_point()]
    if any(call.parents[n] != NO_CALL and trace.calls[call.parents[n]].live for n in indices):
        return [nowhere(output.shape) for output in call.outputs]
    if any(inputs[n] is None for n in moved):
        return None
    rows = []
    for coordinate in (0, 1):
        full = {id(call.inputs[n]): places.full()[coordinate] for n in moved if (places := inputs[n]) is not None}
        args, kwargs = tree_map(lambda leaf, full=full: full.get(id(leaf), leaf), (call.args, call.kwargs))
        rows.append([leaf for leaf in tree_leaves(call.function(*args, **kwargs)) if isinstance(leaf, Tensor)])
    return [compact(torch.stack([y, x])) if y.ndim == 0 else _stacked(y, x) for y, x in zip(*rows, strict=True)]


def _stacked(y: Tensor, x: Tensor) -> Places:
    """Stack two coordinates without expanding the axes along which both are constant."""
    shape = tuple(y.shape)
    for axis in range(y.ndim):
        if y.stride(axis) == 0 and x.stride(axis) == 0 and y.shape[axis] > 1:
            y, x = y.narrow(axis, 0, 1), x.narrow(axis, 0, 1)
    return Places(compact(torch.stack([y, x])).yx, shape)


def _reduction(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | None:
    if inputs[0] is None:
        return None
    if call.output.shape == call.inputs[0].shape:
        return _elementwise(trace, call, inputs)
    position = 2 if call.name in ("norm", "vector_norm") else 1
    axes = call.argument(position, "dim", call.kwargs.get("axis"))
    if axes is None or isinstance(axes, bool):
        axes = range(call.inputs[0].ndim)
    axes = list(axes) if isinstance(axes, (tuple, list, range)) else [axes]
    return reduced(inputs[0], axes, keepdim=call.output.ndim == call.inputs[0].ndim)


def _resize(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | None:
    places = inputs[0]
    padding = trace.calls.get(call.parents[0])
    if padding is not None and padding.name == "pad" and padding.live:  # belongs to the convolution
        places = places_of(trace, padding.inputs[0], padding.parents[0])
    if places is None or call.name in _OWN_POOLS:
        return None if places is None else nowhere(call.output.shape)
    if call.name in _MIXING_CHANNELS and len(places.shape) > 2:
        depthwise = call.inputs[1].shape[1] == 1 and places.shape[1] == call.output.shape[1]
        if not depthwise and places.yx.shape[2] > 1:
            places = reduced(places, [1])
    if places.yx.shape[2] > 1 and places.shape[1] != call.output.shape[1]:
        return None
    convolution = call.name in _MIXING_CHANNELS
    return resized(places, call.output.ndim - 2, tuple(call.output.shape), keep_strips=convolution)


def _query(trace: Trace, call: Call, inputs: list[Places | None]) -> list[Places | None]:
    del trace
    query = inputs[0]
    first = None if query is None else Places(reduced(query, [-1]).yx, tuple(call.output.shape))
    return [first, *[nowhere(output.shape) for output in call.outputs[1:]]]


def _linear(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | None:
    del trace
    return None if inputs[0] is None else Places(reduced(inputs[0], [-1]).yx, tuple(call.output.shape))


def _product(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | None:
    """Product of matrices: a row is where the first operand's row is, else a column where the second's column is.

    The operand whose entries share their place along the contracted axis comes first: with values ``(C, tokens)``
    before the weights of an attention, a row of the values is a mixture of tokens, and a column of the weights is
    one query.
    """
    del trace
    operands = inputs[1:] if call.name in ("addmm", "baddbmm", "addbmm") else inputs
    if call.name == "rmatmul":
        operands = operands[::-1]
    first, second = operands[:2]
    shape = tuple(call.output.shape)
    if first is None or second is None or min(len(first.shape), len(second.shape)) < 2:
        return None
    rows, columns = reduced(first, [-1]), reduced(second, [-2])
    ndim = len(shape)
    aligned = [
        Places(p.yx.reshape(2, *[1] * (ndim - len(p.shape)), *p.yx.shape[1:]), (1,) * (ndim - len(p.shape)) + p.shape)
        for p in (rows, columns)
    ]
    of_rows, of_columns = (
        mask.reshape(*[1] * (ndim - mask.ndim), *mask.shape)
        for mask in (shared_along(first, -1), shared_along(second, -2))
    )
    usual = either(aligned[0], aligned[1], shape)
    return Places(torch.where(of_columns & ~of_rows, aligned[1].yx, usual.yx), shape)


def _einsum(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | None:
    del trace
    equation = call.args[0]
    if not isinstance(equation, str) or "." in equation or "->" not in equation:
        return None
    left, output = equation.replace(" ", "").split("->")
    result = nowhere(call.output.shape)
    for letters, places in zip(left.split(","), inputs, strict=True):
        if places is None:
            return None
        contracted = [n for n, letter in enumerate(letters) if letter not in output]
        merged = reduced(places, contracted) if contracted else places
        kept = [letters.index(letter) for letter in output if letter in letters]  # in the output's order
        rest = merged.yx.permute(0, *[n + 1 for n in kept], *[n + 1 for n in contracted])
        yx = rest.reshape(rest.shape[: len(kept) + 1])  # the contracted axes have length 1
        for axis, letter in enumerate(output):
            if letter not in letters:
                yx = yx.unsqueeze(axis + 1)
        result = either(result, Places(yx, result.shape), result.shape)
    return result


def _pad(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | list[Places | None] | None:
    if inputs[0] is None:
        return None
    if call.argument(2, "mode", "constant") != "constant":
        return _rearranged(trace, call, inputs)
    return padded(inputs[0], list(call.argument(1, "pad")))


def _assigned(trace: Trace, call: Call, inputs: list[Places | None]) -> Places | None:
    """Write one tensor's places into another's, as ``target[index] = value``."""
    _, index, value = call.args
    if any(tensor.dtype.is_floating_point for tensor in tree_leaves(index) if isinstance(tensor, Tensor)):
        return None
    live = trace.live_parents(call)
    if any(parent != NO_CALL and not trace.calls[parent].output.is_floating_point() for parent in live):
        return nowhere(call.output.shape)
    if inputs[0] is None:
        return None
    rows = inputs[0].full().clone()
    written = inputs[-1] if isinstance(value, Tensor) else nowhere(())
    if written is None:
        return None
    for coordinate in (0, 1):
        rows[coordinate][index] = written.full()[coordinate]
    return compact(rows)
