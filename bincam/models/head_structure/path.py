"""The path of calls from the pooled tensor to the logits, and the claim that they permit."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from bincam.errors import UnsupportedError
from bincam.models.grids.positions import places_of
from bincam.models.grids.token_grid import Order
from bincam.models.head_structure.branches import SeveralPooledError
from bincam.models.head_structure.claim import OF_CELL_SCORES, HeadPath, classify
from bincam.models.layers import listed
from bincam.models.tracing.repeats import FLIPS, several_pooled
from bincam.models.tracing.trace import NO_CALL, Call, Trace

# Calls that rearrange values without changing them.
SHAPING = {
    "flatten", "reshape", "view", "unflatten", "squeeze", "unsqueeze", "contiguous", "permute", "transpose", "to",
    "float", "double", "type", "clone", "expand", "getitem", "select", "identity", "alias", "view_as", "movedim",
    "unbind", "chunk", "split",
}  # fmt: skip
_DECLARED = {"mean_pool", "max_pool", "logsumexp_pool", "attention_pool", *OF_CELL_SCORES}
ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward", "matmul", "bmm", "einsum"}
_REDUCTIONS = {
    "mean_pool": "mean",
    "max_pool": "max",
    "logsumexp_pool": "logsumexp",
    "attention_pool": "attention",
    **OF_CELL_SCORES,
    "adaptive_avg_pool2d": "mean",
    "avg_pool2d": "mean",
    "mean": "mean",
    "adaptive_max_pool2d": "max",
    "max_pool2d": "max",
    "amax": "max",
    "logsumexp": "logsumexp",
}


def walk(trace: Trace) -> HeadPath:
    """Walk back from the logits to the call that reduces a grid to a vector, and classify the calls on the way.

    A grid is a tensor whose entries have several places in the image. bincam's own poolings end the path whatever the
    size of their grid. Over a single cell any other pooling cannot be distinguished from a change of shape, and the
    walk continues.

    Raises:
        UnsupportedError: There is no such call.
        SeveralPooledError: There are several, which do not read the same tensor.
    """
    last = trace.calls[trace.last]
    pending, seen = [(last, trace.logits)], {(last.index, id(trace.logits))}
    between: dict[int, Call] = {}
    ends: dict[int, tuple[Call, str, Order | None]] = {}
    pools_one_cell = False
    while pending:
        call, tensor = pending.pop()
        inputs = [
            (parent, source)
            for parent, source in zip(call.parents, call.inputs, strict=True)
            if _live(trace, parent, source)
        ]
        end = _end(call, tensor, any(has_places(trace, source, parent) for parent, source in inputs))
        if end is not None:
            ends[call.index] = (call, *end)
            continue
        pools_one_cell = pools_one_cell or (_pooling(call) is not None and call.index != trace.last)
        between[call.index] = call
        for parent, source in inputs:
            if parent == NO_CALL:
                raise UnsupportedError("no call was found that reduces a grid to a vector; pass layer=")
            key = (parent, id(source))  # a call in place returns the tensor that it reads
            if key not in seen:
                seen.add(key)
                pending.append((trace.calls[parent], source))
    reductions = [ends[index] for index in sorted(ends)]
    terminal, name, order = reductions[0]
    if any(pooling == "other" for _, pooling, _ in reductions):
        return _unknown_pooling(trace, terminal, pools_one_cell)
    sources = {call.parents[0] for call, _, _ in reductions}
    if len(sources) != 1:
        repeats = several_pooled(trace, sources)
        if repeats:
            raise UnsupportedError(
                f"the logits pool {len(sources)} different tensors, {repeats}; {listed(trace)}; {FLIPS}"
            )
        first_of = {call.parents[0]: call for call, _, _ in reversed(reductions)}  # one pooling of each tensor
        raise SeveralPooledError(sorted(first_of.values(), key=lambda call: call.index))
    if len({other for _, other, _ in reductions}) > 1 or (len(reductions) > 1 and name != "token"):
        ends_and_rest = sorted([*between.values(), *(end for end, _, _ in reductions)], key=lambda call: call.index)
        reason = "several poolings of one tensor are combined"
        means = {other for _, other, _ in reductions} == {"mean"}
        return HeadPath(terminal, "means" if means else "mixed", order, "diagnostic", reason, tuple(ends_and_rest))
    return classify(trace, terminal, name, order, [between[index] for index in sorted(between)])


def _live(trace: Trace, parent: int, tensor: Tensor) -> bool:
    return tensor is trace.images if parent == NO_CALL else trace.calls[parent].live


def has_places(trace: Trace, tensor: Tensor, producer: int) -> bool:
    """True if a tensor has a grid: several places in the image; by its shape where these could not be followed."""
    places = places_of(trace, tensor, producer)
    if places is not None:
        return tensor.ndim > 2 and places.several
    if tensor.ndim == 3:
        return min(tensor.shape[1:]) > 1
    return tensor.ndim > 3 and sum(n > 1 for n in tensor.shape[1:]) >= 2


def _unknown_pooling(trace: Trace, terminal: Call, pools_one_cell: bool) -> HeadPath:
    reason = (
        "the head pools a single cell at this input size, which has no place in the image; larger images give it more"
        if pools_one_cell
        else f"the grid is reduced by {terminal.name!r}, which is not a known pooling"
    )
    # Rather than a view, the tensor of which it is one; rather than keys and values, what they are computed from.
    passed_over = SHAPING | ({"linear"} if terminal.name in ATTENTION else set())
    grids = list(bottlenecks(trace))
    chosen = next((call for call in grids if call.name not in passed_over), grids[0] if grids else None)
    if chosen is not None:
        return HeadPath(terminal, "other", None, "diagnostic", reason, source=chosen, one_cell=pools_one_cell)
    raise UnsupportedError(
        f"{reason}; no single tensor with a grid determines the logits; pass layer=" if not pools_one_cell else reason
    )


def bottlenecks(trace: Trace, before: int | None = None) -> Iterator[Call]:
    """Yield the calls, last first, whose output has places and is all that the logits know of the images.

    Args:
        trace: The traced pass.
        before: Only calls before this index.
    """
    frontier = {trace.last}
    while frontier:
        index = max(frontier)
        frontier.discard(index)
        call = trace.calls[index]
        alone = not frontier and len(call.outputs) == 1 and call.name != "setitem" and call.output.ndim in (3, 4)
        if alone and (before is None or index < before) and has_places(trace, call.output, index):
            yield call
        parents = trace.live_parents(call)
        if NO_CALL in parents:
            return
        frontier.update(parents)


def _pooling(call: Call) -> tuple[str, Order | None] | None:
    """The pooling that a call performs, by its name and axes, and the order of axes that it implies."""
    name = _REDUCTIONS.get(call.name)
    if name is None or not call.inputs:
        return None
    tensor = call.inputs[0]
    if call.name.endswith("_pool"):
        return name, "NCHW"
    if call.name.endswith("pool2d"):
        return (name, "NCHW") if tensor.ndim == 4 and tuple(call.output.shape[-2:]) == (1, 1) else None
    dims = call.argument(1, "dim", call.kwargs.get("axis"))
    if dims is None:
        return None
    axes = {d % tensor.ndim for d in (dims if isinstance(dims, (tuple, list)) else (dims,))}
    orders: dict[tuple[int, frozenset[int]], Order] = {
        (4, frozenset({2, 3})): "NCHW",
        (4, frozenset({1, 2})): "NHWC",
        (3, frozenset({1})): "NLC",
        (3, frozenset({2})): "NCL",
    }
    order = orders.get((tensor.ndim, frozenset(axes)))
    return (name, order) if order is not None else None


def _end(call: Call, output: Tensor, from_grid: bool) -> tuple[str, Order | None] | None:
    """The kind of reduction from a grid to a vector that a call performs, or None."""
    if call.name in _DECLARED:
        return _pooling(call)
    if not from_grid:
        return None
    pooling = _pooling(call)
    if pooling is not None:
        return pooling
    source = call.inputs[0]
    if call.name in ("getitem", "select", "unbind", "split", "chunk") and source.ndim == 3:
        return "token", "NLC"
    if call.name in ("flatten", "reshape", "view") and output.ndim == 2:
        return ("flatten", None) if output.numel() == source.numel() else ("other", None)
    return ("flatten", "NCHW") if covers_grid(call) else ("other", None)


def covers_grid(call: Call) -> bool:
    """True for a convolution whose kernel is the whole grid: a flattened grid under a linear layer."""
    if call.name != "conv2d" or len(call.inputs) < 2 or call.inputs[0].ndim != 4:
        return False
    size, kernel = call.inputs[0].shape[-2:], call.inputs[1].shape[-2:]
    return size == kernel and call.argument(4, "padding", 0) in (0, (0, 0), [0, 0], "valid")
