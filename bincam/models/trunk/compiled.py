"""The calls of a pass below a place, compiled for one shape of batch; the model's own code runs above it.

The calls are traced into a graph, which ``torch.compile`` fuses, with the weights as constants. In a later pass they
return what the graph has computed, where a call above reads it, and else an empty tensor of the shape that they would
return, so that the model's code, its hooks above the place and cuts there see what they always see.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from bincam.errors import out_of_memory
from bincam.models.tracing.cut import PathChangedError, Place
from bincam.models.tracing.gradient_modes import GradientModes
from bincam.models.tracing.trace import NO_CALL, Trace, call_name, record, tensors_in

_ROUNDING = {torch.float32: 1e-4, torch.float64: 1e-9}
"""Relative difference of compiled results that rounding explains; in half precision it is ``_IN_HALF``."""
_IN_HALF = 5e-2


class NotCompiledError(Exception):
    """The part of the network cannot be compiled; the message says why."""


@dataclass(frozen=True)
class _Slot:
    """One of the tensors that calls above read."""

    number: int


@dataclass(frozen=True)
class _Made:
    """What a call below returns: tensors as slots and placeholders."""

    name: str
    result: Any
    in_place: bool


class _Stopped(Exception):  # noqa: N818  # no error: the calls below are done
    pass


class _Capture(TorchFunctionMode):
    """Run the calls below a place, note what each returns, and stop."""

    def __init__(
        self, end: int, read: Mapping[tuple[int, int], int], replaced: Mapping[int, Callable[..., Any]]
    ) -> None:
        super().__init__()
        self._end, self._read, self._replaced = end, read, replaced
        self._count = 0
        self._modes = GradientModes()
        self.slots: dict[int, Tensor] = {}
        self.made: dict[int, _Made] = {}
        self.names: list[str] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        index, kwargs = self._count, kwargs or {}
        if index == self._end:
            raise _Stopped
        self._count += 1
        name = call_name(func)
        self.names.append(name)
        called = partial(self._replaced[index], func) if index in self._replaced else func
        inputs = {id(tensor) for tensor in tensors_in((args, kwargs))}
        result = self._modes.call(called, args, kwargs)
        outputs = tensors_in(result)
        places = {id(tensor): self._read.get((index, place)) for place, tensor in enumerate(outputs)}
        for tensor in outputs:
            slot = places[id(tensor)]
            if slot is not None:
                self.slots[slot] = tensor
        if outputs or name in ("setitem", "setattr"):
            described = tree_map(lambda leaf: _described(leaf, places) if isinstance(leaf, Tensor) else leaf, result)
            in_place = any(id(tensor) in inputs for tensor in outputs)
            self.made[index] = _Made(name, described, in_place)
        return result


def _described(tensor: Tensor, places: Mapping[int, int | None]) -> Any:
    slot = places[id(tensor)]
    if slot is not None:
        return _Slot(slot)
    return _Placeholder(tensor.shape, tensor.dtype, tensor.device)


@dataclass(frozen=True)
class _Placeholder:
    shape: torch.Size
    dtype: torch.dtype
    device: torch.device

    def tensor(self) -> Tensor:
        return torch.empty((), dtype=self.dtype, device=self.device).expand(self.shape)


class CompiledPart:
    """The calls below a place, compiled for one shape of batch; ``compile_below`` makes it."""

    def __init__(self, run: Callable[[Tensor], Sequence[Tensor]], made: Mapping[int, _Made], end: int) -> None:
        self._run, self._made, self._end = run, made, end

    def __call__(self, images: Tensor) -> Skipped:
        """Compute what calls above read of a batch."""
        with _compiling(), torch.no_grad():
            return Skipped(self._run(images), self._made, self._end)


class Skipped:
    """Stands for the calls below a place in one pass; a ``Cut`` takes it as ``below``."""

    def __init__(self, values: Sequence[Tensor], made: Mapping[int, _Made], end: int) -> None:
        self._values, self._made, self._end = values, made, end
        self._empty: dict[int, Tensor] = {}  # by id, and kept alive, so that no id is used again

    def function(self, index: int, function: Any, args: Any, kwargs: Any) -> Callable[..., Any]:
        """What is called in place of a call of the pass.

        Raises:
            PathChangedError: The pass is another one, or reads what was not computed.
        """
        if index >= self._end:
            if any(id(tensor) in self._empty for tensor in tensors_in((args, kwargs))):
                raise PathChangedError(f"{call_name(function)!r} reads a tensor that the compiled part does not return")
            return function  # type: ignore[no-any-return]
        made = self._made.get(index)
        if made is None:  # asks for a shape, a device or the like
            return function  # type: ignore[no-any-return]
        if made.name != call_name(function):
            raise PathChangedError(f"call {index} was {made.name!r} and is now {call_name(function)!r}")
        return lambda *_, **__: tree_map(self._value, made.result)

    def in_place(self, index: int) -> bool:
        """True if a call returns the tensor that it has written to."""
        return index in self._made and index < self._end and self._made[index].in_place

    def _value(self, leaf: Any) -> Any:
        if isinstance(leaf, _Slot):
            return self._values[leaf.number]
        if isinstance(leaf, _Placeholder):
            tensor = leaf.tensor()
            self._empty[id(tensor)] = tensor
            return tensor
        return leaf


def compile_below(
    model: nn.Module,
    images: Tensor,
    read: Callable[[Any], Tensor],
    places: Sequence[Place],
    replaced: Mapping[int, Callable[..., Any]],
) -> CompiledPart:
    """Compile the calls below the first of some places.

    Args:
        model: In evaluation mode, in the precision in which it will run.
        images: ``(B, C, H, W)``, a batch of the shape that will be run.
        read: Conversion of the raw output to raw scores.
        places: At least one.
        replaced: Calls that are replaced, by index, with what is called in their place.

    Raises:
        NotCompiledError: There is no compiler, the pass cannot be made a graph, or its results are others.
    """
    first = min(places, key=lambda place: (place.call, place.end == "output"))
    end = first.call + (first.end == "output")
    trace = record(model, images[:1], read)
    slots = _read_above(trace, end, first)

    def run(batch: Tensor) -> list[Tensor]:
        capture, images = _Capture(end, slots, replaced), batch.clone()  # the model may write to its input
        with torch.no_grad(), capture, suppress(_Stopped):
            model(images)
        captures.append(capture)
        return [capture.slots[number] for number in range(len(set(slots.values())))]

    captures: list[_Capture] = []
    try:
        expected = run(images)
        _check(trace, captures[0], end)
        from torch.fx.experimental.proxy_tensor import make_fx

        with warnings.catch_warnings(), _compiling():
            warnings.simplefilter("ignore")  # of torch's own modules
            graph = make_fx(run)(images).eval()
            compiled = torch.compile(graph, fullgraph=True, dynamic=False, options={"freezing": True})
            with torch.no_grad():
                results = compiled(images)
    except NotCompiledError:
        raise
    except Exception as error:  # of the compiler, of a code that it made, or of the model
        if out_of_memory(error):
            raise
        message = str(error).strip().splitlines() or [type(error).__name__]
        raise NotCompiledError(f"torch.compile failed: {type(error).__name__}: {message[0]}") from error
    for result, tensor in zip(results, expected, strict=True):
        if not _close(result, tensor):
            raise NotCompiledError("the compiled part computes something else than the network")
    return CompiledPart(compiled, captures[0].made, end)


def _read_above(trace: Trace, end: int, first: Place) -> dict[tuple[int, int], int]:
    """Number the tensors that are made below and read above, by their first call and position there."""
    below = [call for call in trace.calls.values() if call.index < end]
    for name, parents in trace.numbers:
        if any(parent != NO_CALL and parent < end for parent in parents):
            raise NotCompiledError(f"the network computes with {name!r} of its own tensors")
    made = {id(tensor): (call.index, place) for call in below for place, tensor in enumerate(call.outputs)}
    wanted: dict[int, Tensor] = {}
    if first.end == "output":
        wanted[id(trace.calls[first.call].output)] = trace.calls[first.call].output
    for call in trace.calls.values():
        if call.index < end:
            continue
        for parent, tensor in zip(call.parents, call.inputs, strict=True):
            if id(tensor) in made:
                wanted[id(tensor)] = tensor
            elif parent != NO_CALL and parent < end:
                raise NotCompiledError(f"{call.name!r} reads what a call below it has written to")
    memories = [tensor.untyped_storage().data_ptr() for tensor in wanted.values()]
    if len(set(memories)) < len(memories):
        raise NotCompiledError("calls above the explained tensor read several views of one tensor")
    numbers = {name: number for number, name in enumerate(wanted)}
    return {
        (call.index, place): numbers[id(tensor)]
        for call in below
        for place, tensor in enumerate(call.outputs)
        if id(tensor) in numbers
    }


def _check(trace: Trace, capture: _Capture, end: int) -> None:
    """Check that the pass of a batch is that of one image."""
    names = {index: call.name for index, call in trace.calls.items() if index < end}
    if len(capture.names) != end or any(capture.names[index] != name for index, name in names.items()):
        raise NotCompiledError("the forward pass of a batch takes another path than that of one image")


def _close(result: Tensor, expected: Tensor) -> bool:
    if result.shape != expected.shape or result.dtype != expected.dtype:
        return False
    if not expected.is_floating_point():
        return torch.equal(result, expected)
    allowed = _ROUNDING.get(expected.dtype, _IN_HALF)
    size, difference = expected.double().abs().max(), (result.double() - expected.double()).abs().max()
    return bool(difference <= allowed * size)


@contextmanager
def _compiling() -> Iterator[None]:
    """Let torch compile meanwhile, although the model's own calls run one by one."""
    with ExitStack() as stack:
        if hasattr(torch.compiler, "set_stance"):  # torch >= 2.6
            stack.enter_context(torch.compiler.set_stance("default"))
        yield
