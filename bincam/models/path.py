"""The path of calls from the pooled tensor to the logits, and the claim that they permit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from bincam.errors import UnsupportedError
from bincam.models.affinity import affine
from bincam.models.layout import Order
from bincam.models.trace import NO_CALL, Call, Trace

# Calls of a normalisation, whether written as one function or as steps.
_FUSED_NORMS = {"layer_norm", "rms_norm", "group_norm", "normalize", "cosine_similarity", "fast_layer_norm"}
_NORM_STEPS = {
    "pow", "square", "mul", "div", "truediv", "true_divide", "rsqrt", "sqrt", "reciprocal", "norm", "linalg_norm",
    "linalg_vector_norm", "vector_norm", "var", "std", "var_mean", "std_mean", "clamp", "clamp_min", "clip", "maximum",
    "max", "abs", "float_power", "multiply", "divide", "inner", "rpow", "einsum",
}  # fmt: skip
_STATISTICS = {"rsqrt", "sqrt", "norm", "linalg_norm", "linalg_vector_norm", "vector_norm", "std", "std_mean"}
_STATISTICS |= _FUSED_NORMS
# Calls of which several can cancel: log-odds of a softmax or sigmoid are differences of its inputs.
CANCELLING = {
    "softmax", "log_softmax", "logsumexp", "sigmoid", "logsigmoid", "log_sigmoid", "logit", "log", "log2", "log1p",
    "exp", "expm1", "div", "truediv", "true_divide", "divide", "special_logit", "special_expit", "rtruediv", "rdiv",
    "reciprocal",
}  # fmt: skip
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
        pooling: Kind of pooling; ``means`` if separate calls average the same tensor.
        order: Order of the tensor's axes, if the pooling determines it.
        kind: The claim that the calls after the pooling permit.
        reason: Reason for the kind.
        calls: The calls after the pooling.
        proof: What the numbers have to confirm: an affine head, steps that cancel to one, or a normalisation.
    """

    terminal: Call
    pooling: str
    order: Order | None
    kind: Literal["exact", "conditional", "diagnostic"]
    reason: str
    calls: tuple[Call, ...] = ()
    proof: Literal["affine", "cancelling", "norm"] = "affine"

    @property
    def inverse(self) -> bool:
        """True if a logit is taken back from a probability, whose rounding near 1 it amplifies."""
        return any(call.name in ("logit", "special_logit", "log1p") for call in self.calls)


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


def classify(trace: Trace, terminal: Call, pooling: str, order: Order | None, between: list[Call]) -> HeadPath:
    """Determine the claim that the calls after a pooling permit, if the numbers confirm it."""
    calls = tuple(between)

    def path(
        kind: Literal["exact", "conditional", "diagnostic"],
        reason: str,
        proof: Literal["affine", "cancelling", "norm"] = "affine",
    ) -> HeadPath:
        return HeadPath(terminal, pooling, order, kind, reason, calls, proof)

    if pooling == "token":
        return path("diagnostic", "the head reads a class token, which has no position in the image")
    if pooling == "other":
        return path("diagnostic", f"the grid is reduced by {terminal.name!r}, which is not a known pooling")
    if pooling == "logsumexp":
        return path("diagnostic", "log-sum-exp pooling is not linear in the features")
    bent = [call for call in between if not affine(trace, call)]
    fused = [call for call in bent if call.name in _FUSED_NORMS]
    for call in bent:
        step = call.name in _FUSED_NORMS | _NORM_STEPS | CANCELLING
        if not step or not any(other.name in _STATISTICS | CANCELLING for other in bent):
            return path("diagnostic", f"{call.name!r} in {call.module or 'the head'} after pooling is not affine")
    if len(fused) > 1:
        return path("diagnostic", "several normalisations follow the pooling")
    cancelling = all(call.name in CANCELLING for call in bent)
    if bent and not cancelling:
        name = fused[0].name if fused else "a normalisation"
        if pooling != "mean":
            return path("diagnostic", f"{name} follows {pooling} pooling")
        return path("conditional", f"{name} after pooling: exact with this image's statistics fixed", "norm")
    proof: Literal["affine", "cancelling"] = "cancelling" if bent else "affine"
    if pooling == "attention":
        return path("conditional", "attention pooling: exact with this image's attention weights fixed", proof)
    reason = f"{pooling} pooling, then affine layers" if pooling != "flatten" else "affine in every cell"
    if bent:
        reason += f"; the {bent[0].name} cancels in the logit"
    return path("exact", reason, proof)


def number_of_features(trace: Trace, source: Call) -> str:
    """Name of a call that converts a tensor computed from the source to a Python value; empty if there is none."""
    after = descendants(trace, source)
    return next((name for name, parents in trace.numbers if after.intersection(parents)), "")


def descendants(trace: Trace, source: Call) -> set[int]:
    """Indices of a call and of all calls that depend on it."""
    after = {source.index}
    for index in sorted(trace.calls):
        if index > source.index and after.intersection(trace.live_parents(trace.calls[index])):
            after.add(index)
    return after
