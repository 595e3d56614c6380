"""Trace of one forward pass, call by call.

torch passes every call on tensors (functions, methods, operators) to a ``TorchFunctionMode``. ``record`` stores the
calls with their inputs, so the computation can be followed back from the logits for any model: modules, functional
calls, reused activations, in-place writes. ``Cut`` uses the same numbering in later passes of the same model at the
same input size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

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


__all__ = ["NO_CALL", "Call", "Trace", "call_name", "record", "tensors_in"]
