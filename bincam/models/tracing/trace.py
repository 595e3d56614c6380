"""Trace of one forward pass, call by call, and cuts at a call in later passes.

torch passes every call on tensors (functions, methods, operators) to a ``TorchFunctionMode``. ``record`` stores the
calls with their inputs, so the computation can be followed back from the logits for any model: modules, functional
calls, reused activations, in-place writes. ``Cut`` uses the same numbering in a later pass of the same model at the
same input size: it extracts the tensor at one call and starts the gradient there, so that nothing before it is
differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from bincam.errors import UnsupportedError
from bincam.models.grids.places import Places
from bincam.models.tracing.eager import untraceable
from bincam.models.tracing.gradient_modes import GradientModes
from bincam.models.tracing.producers import NO_CALL, Producers, writes


@dataclass(frozen=True)
class Call:
    """One call on tensors.

    Attributes:
        index: Its number in the pass; the same in every later pass at the same input size.
        name: The function's name without leading or trailing underscores: ``"linear"``, ``"relu"``, ``"getitem"``.
        function: The function called.
        args: Positional arguments as passed.
        kwargs: Keyword arguments as passed.
        inputs: The tensors among the arguments at the time of the call, in order.
        parents: For each of them the index of the call that made it, or ``NO_CALL``.
        output: The first tensor returned; the tensor written to if nothing is returned.
        outputs: All tensors returned, or the tensors written to.
        module: Dotted name of the innermost enclosing module; empty for the model itself.
        live: Whether the output depends on the images.
        returns: Whether the call returns a tensor; an assignment ``tensor[index] = value`` does not.
    """

    index: int
    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Tensor, ...]
    parents: tuple[int, ...]
    output: Tensor
    outputs: tuple[Tensor, ...]
    module: str
    live: bool
    returns: bool = True

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument passed by position or by name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)


def _accept(layers: Sequence[Any]) -> list[bool]:
    return [True] * len(layers)


@dataclass
class Trace:
    """The recorded calls of one pass.

    Attributes:
        calls: The calls by index; calls that return no tensor are omitted.
        last: The index of the call that made the logits.
        layers: Dotted module name to the index of the call that made its (last) output.
        runs: Dotted module name to the indices of the calls that made its outputs, one for each time it ran.
        images: The input.
        logits: The result, after ``read``.
        numbers: Calls that convert image-dependent tensors to Python values, ``(name, parents)``: what is computed with
            such a value cannot be followed.
        positions: Places of the outputs of every call, once ``positions.positions`` has computed them.
        proved: Function that states for each of some layers whether its grid is the image's; ``resolve`` sets it.
        usable: Likewise, and whether the logits depend on the layer.
    """

    images: Tensor
    calls: dict[int, Call] = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)
    runs: dict[str, list[int]] = field(default_factory=dict)
    last: int = NO_CALL
    logits: Tensor = field(default_factory=lambda: torch.empty(0))
    numbers: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    positions: dict[int, tuple[Places | None, ...]] = field(default_factory=dict)
    proved: Callable[[Sequence[Any]], list[bool]] = field(default=_accept)
    usable: Callable[[Sequence[Any]], list[bool]] = field(default=_accept)

    def live_parents(self, call: Call) -> list[int]:
        """Indices of the calls that made a call's image-dependent inputs; ``NO_CALL`` stands for the images."""
        return [
            parent
            for parent, tensor in zip(call.parents, call.inputs, strict=True)
            if (parent == NO_CALL and tensor is self.images) or (parent != NO_CALL and self.calls[parent].live)
        ]

    def ancestors(self, index: int) -> set[int]:
        """Indices of the calls on which a call's output depends, with its own."""
        reached, pending = {index}, [index]
        while pending:
            for parent in self.calls[pending.pop()].parents:
                if parent != NO_CALL and parent not in reached:
                    reached.add(parent)
                    pending.append(parent)
        return reached


def tensors_in(value: Any) -> list[Tensor]:
    """Collect the tensors in nested tuples, lists and dicts, in order."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


# Calls that read a tensor's shape but not its values.
_SHAPE_ONLY = {"zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"}


# Calls that return values of a tensor as Python or numpy objects.
_NUMBERS = {"item", "tolist", "bool", "float", "int", "index", "numpy", "array"}


def call_name(function: Any) -> str:
    """Name of a call: ``"add"`` for ``torch.add``, ``Tensor.add``, ``Tensor.add_`` and ``Tensor.__add__``.

    An exported graph's ``aten.add.Tensor`` is ``"add"`` too, and reading a property such as ``Tensor.T`` is ``"T"``.
    """
    name = str(getattr(function, "__name__", function))
    if name == "__get__":
        name = str(getattr(getattr(function, "__self__", None), "__name__", name))
    return name.split(".", maxsplit=1)[0].strip("_")


class _Recorder(TorchFunctionMode):
    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.trace = Trace(images)
        self.modules: list[str] = []
        self.count = 0
        self.producers = Producers()
        self.gradients = GradientModes()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        inputs = tensors_in((args, kwargs))
        parents = tuple(self.producers.of(tensor) for tensor in inputs)
        counted = [writes(tensor) for tensor in inputs]
        result = self.gradients.call(func, args, kwargs)
        index = self.count
        self.count += 1
        outputs = tensors_in(result)
        written = [tensor for tensor, before in zip(inputs, counted, strict=True) if writes(tensor) != before]
        reads_images = any(tensor is self.trace.images for tensor in inputs) or any(
            self.trace.calls[parent].live for parent in parents if parent != NO_CALL
        )
        name = call_name(func)
        if outputs or written:
            module = self.modules[-1] if self.modules else ""
            self.trace.calls[index] = Call(
                index,
                name,
                func,
                args,
                kwargs,
                tuple(inputs),
                parents,
                (outputs or written)[0],
                tuple(outputs or written),
                module,
                live=reads_images and name not in _SHAPE_ONLY,
                returns=bool(outputs),
            )
            self.producers.keep(inputs)
            self.producers.note(index, outputs)
            self.producers.note(index, written, written=True)
        elif reads_images and name in _NUMBERS:
            self.trace.numbers.append((name, parents))
        return result


@contextmanager
def _naming(model: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """Keep the recorder informed of the current module."""
    handles = []
    for name, module in model.named_modules():

        def enter(_module: nn.Module, _args: Any, name: str = name) -> None:
            recorder.modules.append(name)

        def leave(_module: nn.Module, _args: Any, output: Any, name: str = name) -> None:
            recorder.modules.pop()
            tensors = tensors_in(output)
            if len(tensors) == 1 and recorder.producers.of(tensors[0]) != NO_CALL:
                index = recorder.producers.of(tensors[0])
                if recorder.trace.calls[index].output is tensors[0]:  # a pass is cut at the first tensor returned
                    recorder.trace.layers[name] = index
                    recorder.trace.runs.setdefault(name, []).append(index)

        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def record(model: nn.Module, images: Tensor, read: Callable[[Any], Tensor]) -> Trace:
    """Run a model once and record every call.

    Args:
        model: In evaluation mode.
        images: ``(B, C, H, W)``; one image is enough.
        read: Function from the model's return value to logits ``(B, A)``; its calls are recorded too.

    Returns:
        The trace.

    Raises:
        UnsupportedError: No recorded call made the logits, as in a scripted model.
    """
    images = images.clone()  # the model may write to its input
    recorder = _Recorder(images)
    with torch.no_grad(), _naming(model, recorder), recorder:
        logits = read(model(images))
    trace = recorder.trace
    trace.last = recorder.producers.of(logits)
    trace.logits = logits
    if trace.last == NO_CALL or not trace.calls[trace.last].live:
        raise UnsupportedError(untraceable(model, [name for name, _ in trace.numbers]))
    return trace


End = Literal["input", "output"]


@dataclass(frozen=True)
class Place:
    """Place of a tensor in the sequence of calls.

    Attributes:
        call: Index of the call.
        name: Its name, to detect a pass that took another path.
        end: The call's first tensor argument (``input``) or its return value (``output``).
    """

    call: int
    name: str
    end: End


class PathChangedError(UnsupportedError):
    """A forward pass took another path than the one that was traced."""


class Above(Protocol):
    """What runs in place of some calls of a pass, above its places; see ``one_position``."""

    def function(self, index: int, function: Any, args: Any, kwargs: Any) -> Callable[..., Any]:
        """What is called for a call of the pass, with its own arguments."""
        ...


class Below(Above, Protocol):
    """What runs in place of some calls of a pass, below its places; see ``bincam.models.trunk``."""

    def in_place(self, index: int) -> bool:
        """True if a replaced call returns the tensor that the model's own call writes to."""
        ...


class Cut(TorchFunctionMode):
    """Extract tensors from a running forward pass, and start the gradient at one of them.

    Args:
        keep: A place whose tensors are stored in ``kept``, or None. At an input these are all tensors the call reads.
        start: A place at which the graph begins, or None for no gradient at all. The tensor there becomes a leaf
            (``leaf``) and the rest of the pass runs with gradients enabled; the caller restores the gradient mode. The
            pass continues with a copy of the leaf, because the next call may write in place.
        value: Number or tensor that replaces the values of the leaf.
        open_stops: Whether gradients flow through ``detach``, see ``GradientModes``.
        watch: Note the calls at which gradients are lost, in ``lost``.
        below: What is called in place of calls below these places; None for the model's own calls.
        above: What is called in place of calls above them, likewise.
    """

    def __init__(
        self,
        keep: Place | None,
        start: Place | None = None,
        value: float | Tensor | None = None,
        *,
        open_stops: bool = False,
        watch: bool = False,
        below: Below | None = None,
        above: Above | None = None,
    ) -> None:
        super().__init__()
        self._keep = keep
        self._start = start
        self._value = value
        self._count = 0
        self._watched = {place.call: place.name for place in (keep, start) if place is not None}
        self._gradients = GradientModes(open_stops=open_stops, watch=watch)
        self._below = below
        self._above = above
        self.kept: tuple[Tensor, ...] = ()
        self.leaf: Tensor | None = None

    @property
    def lost(self) -> list[str]:
        """Names of the calls at which gradients were lost, if they were watched."""
        return self._gradients.lost

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        index = self._count
        self._count += 1
        name = call_name(func) if index in self._watched else ""
        if self._below is not None:
            func = self._below.function(index, func, args, kwargs)
        if self._above is not None:
            func = self._above.function(index, func, args, kwargs)
        if index not in self._watched:
            return self._gradients.call(func, args, kwargs)
        if name != self._watched[index]:
            raise PathChangedError(
                f"the forward pass took another path than when the model was resolved: call {index} was "
                f"{self._watched[index]!r} and is now {name!r}; a model whose path depends on the values of the images "
                "cannot be cut there, pass layer= with a module above the branch"
            )
        inputs = tensors_in((args, kwargs))
        passed = self._visit(index, "input", inputs)
        if passed is not inputs[0]:
            args = tuple(passed if argument is inputs[0] else argument for argument in args)
            kwargs = {key: passed if argument is inputs[0] else argument for key, argument in kwargs.items()}
        counted = [writes(tensor) for tensor in inputs]
        result = self._gradients.call(func, args, kwargs)
        written = [tensor for tensor, before in zip(inputs, counted, strict=True) if writes(tensor) != before]
        outputs = tensors_in(result) or written
        if self._below is not None and self._below.in_place(index):
            written = outputs[:1]
        passed = self._visit(index, "output", outputs)
        if passed is outputs[0]:
            return result
        if written and _overwrite(written[0], passed):
            return result
        if isinstance(result, tuple) and result[0] is outputs[0]:  # values and indices of a maximum
            kind: Any = type(result)
            return kind((passed, *result[1:])) if kind.__module__ == "torch.return_types" else (passed, *result[1:])
        if not isinstance(result, Tensor):
            raise UnsupportedError(f"the model cannot be cut at {name!r}, which returns no single tensor; pass layer=")
        return passed

    def _visit(self, index: int, end: End, tensors: list[Tensor]) -> Tensor:
        here = (index, end)
        starts = self._start is not None and here == (self._start.call, self._start.end)
        keeps = self._keep is not None and here == (self._keep.call, self._keep.end)
        passed = tensors[0]
        if starts and not passed.is_floating_point():
            raise UnsupportedError(
                f"the tensor to explain is {str(passed.dtype).removeprefix('torch.')}, which has no gradient; explain "
                "the float network from which a quantised one was made, or pass layer= with a layer of real values"
            )
        if starts:
            with torch.inference_mode(mode=False):
                leaf = passed.detach().clone() if passed.is_inference() else passed.detach()
                if isinstance(self._value, Tensor):
                    leaf = self._value.to(leaf).reshape(leaf.shape)
                elif self._value is not None:
                    leaf = torch.full_like(leaf, self._value)
                self.leaf = leaf.requires_grad_()
                with torch.enable_grad():
                    passed = self.leaf.clone()
            torch.set_grad_enabled(True)
            self._gradients.enabled = True
            tensors = [self.leaf, *tensors[1:]]
        if keeps:
            self.kept = tuple(tensor.detach() for tensor in tensors)
        return passed


def _overwrite(tensor: Tensor, values: Tensor) -> bool:
    """Write values into a tensor that a call changed in place, because the model may read it under its old name.

    Returns:
        False if torch refuses, as for a view made without gradients; the tensor is then unchanged.
    """
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            tensor.copy_(values)
    except RuntimeError:
        return False
    return True


__all__ = ["NO_CALL", "Call", "Cut", "End", "Place", "Trace", "call_name", "record", "tensors_in"]
