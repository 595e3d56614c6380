"""Calls of which the logits read one position along an axis, run for that position alone.

A class token is one of some hundred tokens, and above the last attention nothing reads the others. What each call has
to compute is found from the logits downwards in a traced pass, and later passes compute no more, so that a gradient for
each of many logits is not propagated through positions at which it is zero. The values are those of the model's own
pass up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map_only

from bincam.models.tracing.cut import PathChangedError
from bincam.models.tracing.trace import NO_CALL, Call, Trace, call_name


@dataclass(frozen=True)
class Position:
    """One position along an axis.

    Attributes:
        axis: From 0.
        index: From 0.
    """

    axis: int
    index: int


_Needs = dict[int, Position]
"""The positions that a call reads of its tensors, by their order; of those that are left out it reads all."""

_BY_ELEMENT = {
    "add", "sub", "mul", "div", "truediv", "neg", "pow", "exp", "sqrt", "rsqrt", "abs", "clamp", "where", "relu",
    "relu6", "leaky_relu", "elu", "gelu", "silu", "mish", "sigmoid", "tanh", "hardswish", "hardsigmoid", "softplus",
    "contiguous", "clone", "float", "to", "type_as", "dropout",
}  # fmt: skip
_RETURNS_ITS_OWN = {"dropout", "contiguous", "float", "to", "type_as"}
"""Calls that return a tensor unchanged where there is nothing to do."""


@dataclass(frozen=True)
class _Reader:
    """What a call of the traced pass has to read.

    Attributes:
        name: Of its function, by which a later pass is recognised.
        needs: The positions, by the order of its tensors; those of which it reads all are left out.
        makers: The calls that made these tensors, likewise.
        output: What is read of its output; None for all of it.
        picks: Whether the call itself picks the position that it needs.
    """

    name: str
    needs: Mapping[int, Position]
    makers: Mapping[int, int]
    output: Position | None
    picks: bool


@dataclass(frozen=True)
class _Narrowed:
    """A call that computes one position.

    Attributes:
        name: Of its function.
        entries: Tensors of which it takes one position here, by their order; others come with one position alone.
        axis: Of its output, or of its input where it picks the position.
        picks: Whether it picks the position.
    """

    name: str
    entries: Mapping[int, Position]
    axis: int
    picks: bool


class OnePosition:
    """The calls of a traced pass that need one position of what they read; without tensors, so that nothing is held.

    Example:
        The mean over features of the first token alone:

        >>> import torch
        >>> from torch import nn
        >>> from bincam.models.tracing.cut import Cut
        >>> from bincam.models.tracing.trace import record
        >>> class FirstToken(nn.Module):
        ...     def forward(self, tokens):
        ...         return nn.functional.gelu(tokens)[:, 0].mean(-1, keepdim=True)
        >>> tokens = torch.rand(2, 5, 3)
        >>> found = one_position(record(FirstToken(), tokens, lambda output: output))
        >>> narrowed = found.above(0)
        >>> with Cut(None, above=narrowed):
        ...     output = FirstToken()(tokens)
        >>> len(narrowed.calls), torch.allclose(output, FirstToken()(tokens))
        (2, True)
    """

    def __init__(self, readers: Mapping[int, _Reader]) -> None:
        self._readers = readers

    def above(self, first: int) -> NarrowedCalls:
        """Narrow the calls from one on: nothing before the explained tensor is changed."""
        calls: dict[int, _Narrowed] = {}
        for index, reader in self._readers.items():
            if index < first:
                continue
            entries = {place: need for place, need in reader.needs.items() if reader.makers[place] not in calls}
            if not reader.picks and reader.output is not None:
                calls[index] = _Narrowed(reader.name, entries, reader.output.axis, picks=False)
            elif reader.picks and not entries:
                calls[index] = _Narrowed(reader.name, {}, reader.needs[0].axis, picks=True)
        return NarrowedCalls(calls)


class NarrowedCalls:
    """Stands for some calls in a pass; a ``Cut`` takes it as ``above``.

    Args:
        calls: The calls, by index.
    """

    def __init__(self, calls: Mapping[int, _Narrowed]) -> None:
        self.calls = calls

    def function(self, index: int, function: Any, args: Any, kwargs: Any) -> Callable[..., Any]:
        """What is called in place of a call of the pass, with its own arguments.

        Raises:
            PathChangedError: The pass is another one.
        """
        del args, kwargs
        narrowed = self.calls.get(index)
        if narrowed is None:
            return function  # type: ignore[no-any-return]
        if call_name(function) != narrowed.name:
            raise PathChangedError(f"call {index} was {narrowed.name!r} and is now {call_name(function)!r}")
        return lambda *given, **named: _run(narrowed, function, given, named)


def _run(call: _Narrowed, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    order = count()

    def entered(tensor: Tensor) -> Tensor:
        position = call.entries.get(next(order))
        return tensor if position is None else tensor.narrow(position.axis, position.index, 1)

    args, kwargs = tree_map_only(Tensor, entered, (args, kwargs))
    if call.picks:
        picked = list(args[1])
        picked[call.axis] = 0
        return function(args[0], tuple(picked))
    if call.name in ("reshape", "view"):
        sizes = list(_sizes(args))
        if sizes[call.axis] != -1:
            sizes[call.axis] = 1
        return function(args[0], sizes)
    return function(*args, **kwargs)


def one_position(trace: Trace) -> OnePosition | None:
    """Find the calls of which one position of the output is read, from the logits downwards.

    Args:
        trace: A pass of the model.

    Returns:
        The calls; None if there are none.
    """
    reading = trace.ancestors(trace.last)
    wanted: dict[int, Position | None] = {id(trace.calls[trace.last].output): None}
    for _, parents in trace.numbers:
        wanted |= {id(trace.calls[parent].output): None for parent in parents if parent != NO_CALL}
    needs_of: dict[int, _Needs] = {}
    for index in sorted(trace.calls, reverse=True):
        call = trace.calls[index]
        needs_of[index] = _needs(call, wanted.get(id(call.output))) if index in reading else {}
        for place, tensor in enumerate(call.inputs):
            need = needs_of[index].get(place)
            agreed = wanted.setdefault(id(tensor), need) == need
            wanted[id(tensor)] = need if agreed else None
    readers: dict[int, _Reader] = {}
    for index in sorted(reading):
        call = trace.calls[index]
        if needs := needs_of[index]:
            # Of a tensor that another call reads whole, this call takes its position itself.
            makers = {n: call.parents[n] if wanted[id(call.inputs[n])] is not None else NO_CALL for n in needs}
            output = wanted.get(id(call.output))
            readers[index] = _Reader(call.name, needs, makers, output, picks=_picked(call) is not None)
    return OnePosition(readers) if any(not reader.picks for reader in readers.values()) else None


def _picked(call: Call) -> Position | None:
    """The position that ``tensor[:, i]`` takes of several; None for any other call."""
    index = call.args[1] if call.name == "getitem" and len(call.args) > 1 else None
    if not isinstance(index, tuple) or len(call.inputs) != 1:
        return None
    numbers = [axis for axis, part in enumerate(index) if isinstance(part, int) and not isinstance(part, bool)]
    if len(numbers) != 1 or any(part != slice(None) for axis, part in enumerate(index) if axis != numbers[0]):
        return None
    axis = numbers[0]
    size = call.inputs[0].shape[axis]
    return Position(axis, index[axis] % size) if size > 1 else None


def _needs(call: Call, output: Position | None) -> _Needs:
    """What a call has to read of its tensors for one position of its output; empty for all of everything."""
    if (picked := _picked(call)) is not None:
        return {0: picked}
    if output is None or len(call.outputs) != 1:
        return {}
    if call.name not in _RETURNS_ITS_OWN and any(call.output is tensor for tensor in call.inputs):
        return {}  # it has written in place, which others may read
    rule = _RULES.get(call.name, _by_element if call.name in _BY_ELEMENT else None)
    return {} if rule is None else rule(call, output)


def _by_element(call: Call, output: Position) -> _Needs:
    if call.name == "dropout" and (call.argument(2, "training", default=True) or call.argument(3, "inplace")):
        return {}
    last, size = call.output.ndim - output.axis, call.output.shape[output.axis]
    return {
        place: Position(tensor.ndim - last, output.index)
        for place, tensor in enumerate(call.inputs)
        if tensor.ndim >= last and tensor.shape[-last] == size
    }


def _layer_norm(call: Call, output: Position) -> _Needs:
    normalised = len(call.argument(1, "normalized_shape"))
    return {0: output} if output.axis < call.output.ndim - normalised else {}


def _linear(call: Call, output: Position) -> _Needs:
    return {0: output} if output.axis < call.output.ndim - 1 else {}


def _softmax(call: Call, output: Position) -> _Needs:
    axis = call.argument(1, "dim")
    return {0: output} if axis is not None and axis % call.output.ndim != output.axis else {}


def _transpose(call: Call, output: Position) -> _Needs:
    axes = [call.argument(place, name) % call.output.ndim for place, name in ((1, "dim0"), (2, "dim1"))]
    exchanged = dict(zip(axes, reversed(axes), strict=True))
    return {0: Position(exchanged.get(output.axis, output.axis), output.index)}


def _permute(call: Call, output: Position) -> _Needs:
    axes = _sizes(call.args) if len(call.args) > 1 else call.kwargs["dims"]
    return {0: Position(axes[output.axis] % call.output.ndim, output.index)}


def _reshape(call: Call, output: Position) -> _Needs:
    """The axis stays whole where the sizes before it have the same product.

    In a pass of one image that is not known of the first axis: (B N, C) may become (B, N, C).
    """
    given, made = call.inputs[0].shape, call.output.shape
    if call.kwargs or not all(isinstance(size, int) for size in _sizes(call.args)):
        return {}
    for axis, size in enumerate(given):
        if axis and size == made[output.axis] and math.prod(given[:axis]) == math.prod(made[: output.axis]):
            return {0: Position(axis, output.index)}
    return {}


def _attention(call: Call, output: Position) -> _Needs:
    """Of the queries one is read, of keys and values all."""
    if output.axis != call.output.ndim - 2 or call.argument(5, "is_causal", default=False):
        return {}
    mask = call.argument(3, "attn_mask")
    needs: _Needs = {0: Position(call.inputs[0].ndim - 2, output.index)}
    if isinstance(mask, Tensor) and mask.shape[-2] > 1:
        place = next(place for place, tensor in enumerate(call.inputs) if tensor is mask)
        needs[place] = Position(mask.ndim - 2, output.index)
    return needs


def _matmul(call: Call, output: Position) -> _Needs:
    rows = output.axis == call.output.ndim - 2 and all(tensor.ndim >= 2 for tensor in call.inputs)
    return {0: Position(call.inputs[0].ndim - 2, output.index)} if rows else {}


def _sizes(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sizes or axes that follow a tensor, one by one or as one argument."""
    return tuple(args[1]) if len(args) == 2 and not isinstance(args[1], int) else tuple(args[1:])


_RULES: Mapping[str, Callable[[Call, Position], _Needs]] = {
    "layer_norm": _layer_norm,
    "linear": _linear,
    "softmax": _softmax,
    "transpose": _transpose,
    "permute": _permute,
    "reshape": _reshape,
    "view": _reshape,
    "scaled_dot_product_attention": _attention,
    "matmul": _matmul,
}
