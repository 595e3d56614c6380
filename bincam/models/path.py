"""The path of calls from the pooled tensor to the logits, and the claim that they permit."""

from __future__ import annotations

from torch import Tensor

from bincam.errors import UnsupportedError
from bincam.models.claim import HeadPath, classify
from bincam.models.layout import Order
from bincam.models.trace import NO_CALL, Call, Trace

_REDUCTIONS = {
    "mean_pool": "mean",
    "max_pool": "max",
    "logsumexp_pool": "logsumexp",
    "attention_pool": "attention",
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

    Raises:
        UnsupportedError: There is no such call, or there are several that do not read the same tensor.
    """
    spatial = _spatial_calls(trace)
    pending, seen = [trace.last], {trace.last}
    between: list[Call] = []
    ends: dict[int, tuple[Call, str, Order | None]] = {}
    flat_pools: list[
        tuple[Call, str, Order | None]
    ] = []  # poolings over a single cell, which shapes alone do not reveal
    while pending:
        call = trace.calls[pending.pop()]
        parents = trace.live_parents(call)
        end = _end(call, any(p == NO_CALL or p in spatial for p in parents))
        if end is not None:
            ends[call.index] = (call, end[0], end[1])
            continue
        pooling = _pooling(call)
        if pooling is not None and call.index != trace.last:
            flat_pools.append((call, *pooling))
        between.append(call)
        for parent in parents:
            if parent == NO_CALL:
                raise UnsupportedError("no call was found that reduces a grid to a vector; pass layer=")
            if parent not in seen:
                seen.add(parent)
                pending.append(parent)
    if flat_pools and all(pooling == "other" for _, pooling, _ in ends.values()):
        first = min(flat_pools, key=lambda pool: pool[0].index)
        ends = {first[0].index: first}
        between = [call for call in between if call.index > first[0].index]
    sources = {call.parents[0] for call, _, _ in ends.values()}
    if len(sources) != 1:
        raise UnsupportedError(f"the logits pool {len(sources)} different tensors; explain one of them with layer=")
    reductions = sorted(ends.values(), key=lambda item: item[0].index)
    terminal, name, order = reductions[0]
    if len({other for _, other, _ in reductions}) > 1 or (len(reductions) > 1 and name != "token"):
        ends_and_rest = sorted([*between, *(end for end, _, _ in reductions)], key=lambda call: call.index)
        reason = "several poolings of one tensor are combined"
        means = {other for _, other, _ in reductions} == {"mean"}
        return HeadPath(terminal, "means" if means else "mixed", order, "diagnostic", reason, tuple(ends_and_rest))
    return classify(trace, terminal, name, order, sorted(between, key=lambda call: call.index))


def _spatial_calls(trace: Trace) -> set[int]:
    """Calls whose output still has a grid, following the images forward."""
    spatial: set[int] = set()
    for index in sorted(trace.calls):
        call = trace.calls[index]
        if call.live and _has_grid(call.output) and any(p == NO_CALL or p in spatial for p in trace.live_parents(call)):
            spatial.add(index)
    return spatial


def _has_grid(tensor: Tensor) -> bool:
    if tensor.ndim == 3:
        return min(tensor.shape[1:]) > 1
    return tensor.ndim > 3 and sum(n > 1 for n in tensor.shape[1:]) >= 2


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


def _end(call: Call, from_grid: bool) -> tuple[str, Order | None] | None:
    """The kind of reduction from a grid to a vector that a call performs, or None."""
    if not from_grid:
        return None
    pooling = _pooling(call)
    if pooling is not None:
        return pooling
    if _has_grid(call.output):
        return None
    source = call.inputs[0]
    if call.name in ("getitem", "select", "unbind") and source.ndim == 3:
        return "token", "NLC"
    if call.name in ("flatten", "reshape", "view") and call.output.ndim == 2:
        return ("flatten", None) if call.output.numel() == source.numel() else ("other", None)
    return "other", None
