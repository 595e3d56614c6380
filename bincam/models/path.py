"""The path of calls from the pooled tensor to the logits, and the claim that they permit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from bincam.errors import UnsupportedError
from bincam.models.layout import Order
from bincam.models.trace import NO_CALL, Call, Trace

# Calls that rearrange values without changing them.
_SHAPING = {
    "flatten", "reshape", "view", "unflatten", "squeeze", "unsqueeze", "contiguous", "permute", "transpose", "to",
    "float", "double", "type", "clone", "expand", "getitem", "select", "identity", "alias", "view_as", "movedim",
    "unbind", "chunk", "split",
}  # fmt: skip
# Calls that are affine when exactly one argument depends on the images, or (first group) however many do.
_LINEAR = {"linear", "add", "radd", "sub", "rsub", "neg", "cat", "stack", "concat", "sum", "mean"}
_LINEAR_IF_ALONE = {"mul", "rmul", "div", "truediv", "matmul", "rmatmul"}
_NORMS = {"layer_norm", "rms_norm"}
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


@dataclass(frozen=True)
class HeadPath:
    """The path from the pooled tensor to the logits.

    Attributes:
        terminal: The call that reads the pooled tensor.
        pooling: Kind of pooling.
        order: Order of the tensor's axes, if the pooling determines it.
        kind: The claim that the calls after the pooling permit.
        reason: Reason for the kind.
        norm: The only normalisation on the path, for a conditional kind.
    """

    terminal: Call
    pooling: str
    order: Order | None
    kind: Literal["exact", "conditional", "diagnostic"]
    reason: str
    norm: Call | None = None


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
        return HeadPath(terminal, "mixed", order, "diagnostic", "several poolings of one tensor are combined")
    return _classify(trace, terminal, name, order, sorted(between, key=lambda call: call.index))


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


def _classify(trace: Trace, terminal: Call, pooling: str, order: Order | None, between: list[Call]) -> HeadPath:
    def path(kind: Literal["exact", "conditional", "diagnostic"], reason: str, norm: Call | None = None) -> HeadPath:
        return HeadPath(terminal, pooling, order, kind, reason, norm)

    if pooling == "token":
        return path("diagnostic", "the head reads a class token, which has no position in the image")
    if pooling == "other":
        return path("diagnostic", f"the grid is reduced by {terminal.name!r}, which is not a known pooling")
    if pooling == "logsumexp":
        return path("diagnostic", "log-sum-exp pooling is not linear in the features")
    norms = [call for call in between if call.name in _NORMS]
    for call in between:
        if call.name not in _NORMS and not _affine(trace, call):
            return path("diagnostic", f"{call.name!r} in {call.module or 'the head'} after pooling is not affine")
    if len(norms) > 1:
        return path("diagnostic", "several normalisations follow the pooling")
    if norms and pooling != "mean":
        return path("diagnostic", f"a normalisation follows {pooling} pooling")
    if norms:
        return path("conditional", f"{norms[0].name} after pooling: exact with this image's statistics fixed", norms[0])
    if pooling == "attention":
        return path("conditional", "attention pooling: exact with this image's attention weights fixed")
    return path("exact", f"{pooling} pooling, then affine layers" if pooling != "flatten" else "affine in every cell")


def _affine(trace: Trace, call: Call) -> bool:
    """True if a call after the pooling is affine in the pooled vector."""
    if call.name in _SHAPING or call.name in _LINEAR:
        return True
    if call.name in ("dropout", "feature_dropout", "dropout2d", "alpha_dropout"):
        return not call.argument(2, "training", True)
    if call.name == "batch_norm":
        return not call.argument(5, "training", False)
    if call.name == "conv2d":  # on one cell a convolution of any kernel size is a matrix product
        return tuple(call.output.shape[-2:]) == (1, 1)
    if call.name in _LINEAR_IF_ALONE:
        if call.name in ("div", "truediv") and not (call.parents[:1] and _depends(trace, call.parents[0])):
            return False
        return len(trace.live_parents(call)) <= 1
    if call.name in ("adaptive_avg_pool2d", "avg_pool2d"):  # over the only remaining cell
        return tuple(call.inputs[0].shape[-2:]) == (1, 1)
    if call.name in ("sigmoid", "logit"):  # head='probabilities' inverts the model's last sigmoid
        return _inverse_pair(trace, call)
    return False


def _depends(trace: Trace, parent: int) -> bool:
    return parent != NO_CALL and trace.calls[parent].live


def _inverse_pair(trace: Trace, call: Call) -> bool:
    """True if a sigmoid and a logit cancel, with only shaping calls between them."""
    if call.name == "sigmoid":
        return any(
            other.name == "logit" and _source_through_shaping(trace, other) == call.index
            for other in trace.calls.values()
            if other.index > call.index and other.live
        )
    source = _source_through_shaping(trace, call)
    return source != NO_CALL and trace.calls[source].name == "sigmoid"


def _source_through_shaping(trace: Trace, call: Call) -> int:
    parents = trace.live_parents(call)
    while len(parents) == 1 and parents[0] != NO_CALL and trace.calls[parents[0]].name in _SHAPING:
        parents = trace.live_parents(trace.calls[parents[0]])
    return parents[0] if len(parents) == 1 else NO_CALL
