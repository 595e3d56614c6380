"""One forward pass, call by call: what a model computes, and where it can be cut.

torch hands every call on tensors (functions, methods, operators) to a ``TorchFunctionMode``. ``record`` keeps them with
what they read, so the way back from the logits can be walked whatever the model is made of: modules, functional calls,
reused activations, in-place writes. ``Cut`` uses the same numbering in a later pass of the same model at the same input
size: it takes out the tensor at one call, and starts the gradient there, so that nothing below it is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from bincam.errors import UnsupportedError

NO_CALL = -1
"""The producer of a tensor that no recorded call made: a parameter, a constant, the images."""


@dataclass(frozen=True)
class Call:
    """One call on tensors.

    Attributes:
        index: Its number in the pass; every later pass over the same input size has the same numbers.
        name: The function's name without leading or trailing underscores: ``"linear"``, ``"relu"``, ``"getitem"``.
        function: What was called.
        args: Positional arguments as given.
        kwargs: Keyword arguments as given.
        inputs: The tensors among the arguments, in order, as they were then: a list may grow afterwards.
        parents: For each of them the index of the call that made it, or ``NO_CALL``.
        output: The first tensor returned.
        module: Dotted name of the innermost module in which it happened; empty for the model itself.
        live: Whether the output depends on the images.
    """

    index: int
    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Tensor, ...]
    parents: tuple[int, ...]
    output: Tensor
    module: str
    live: bool

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument that may have been given by position or by name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)


@dataclass
class Trace:
    """The recorded calls of one pass.

    Attributes:
        calls: By index; calls that return no tensor are left out.
        last: The index of the call that made the logits.
        layers: Dotted module name to the index of the call that made its (last) output.
        images: The input.
        logits: The result, as read by the head.
    """

    images: Tensor
    calls: dict[int, Call] = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)
    last: int = NO_CALL
    logits: Tensor = field(default_factory=lambda: torch.empty(0))

    def live_parents(self, call: Call) -> list[int]:
        """The calls behind a call's arguments that depend on the images; ``NO_CALL`` is the images themselves."""
        return [
            parent
            for parent, tensor in zip(call.parents, call.inputs, strict=True)
            if (parent == NO_CALL and tensor is self.images) or (parent != NO_CALL and self.calls[parent].live)
        ]


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors inside nested tuples, lists and dicts, in order."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


# Calls that read a tensor's shape and none of its values.
_SHAPE_ONLY = {"zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"}


def call_name(function: Any) -> str:
    """``"add"`` for ``torch.add``, ``Tensor.add``, ``Tensor.add_`` and ``Tensor.__add__``."""
    return str(getattr(function, "__name__", function)).strip("_")


class _Recorder(TorchFunctionMode):
    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.trace = Trace(images)
        self.modules: list[str] = []
        self.count = 0
        self.maker: dict[int, int] = {}
        self.kept: list[Tensor] = []  # a freed tensor's id would be given to another one

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        given = tensors_in((args, kwargs))
        parents = tuple(self.maker.get(id(tensor), NO_CALL) for tensor in given)
        result = func(*args, **kwargs)
        index = self.count
        self.count += 1
        made = tensors_in(result)
        if made:
            reads_images = any(tensor is self.trace.images for tensor in given) or any(
                self.trace.calls[parent].live for parent in parents if parent != NO_CALL
            )
            live = reads_images and call_name(func) not in _SHAPE_ONLY
            module = self.modules[-1] if self.modules else ""
            self.trace.calls[index] = Call(
                index, call_name(func), func, args, kwargs, tuple(given), parents, made[0], module, live
            )
            for tensor in made:
                self.maker[id(tensor)] = index
            self.kept += [*given, *made]
        return result


@contextmanager
def _naming(model: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """Tell the recorder in which module it is."""
    handles = []
    for name, module in model.named_modules():

        def enter(_module: nn.Module, _args: Any, name: str = name) -> None:
            recorder.modules.append(name)

        def leave(_module: nn.Module, _args: Any, output: Any, name: str = name) -> None:
            recorder.modules.pop()
            tensors = tensors_in(output)
            if len(tensors) == 1 and id(tensors[0]) in recorder.maker:
                recorder.trace.layers[name] = recorder.maker[id(tensors[0])]

        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def record(model: nn.Module, images: Tensor, read: Callable[[Any], Tensor]) -> Trace:
    """Run a model once and keep every call.

    Args:
        model: In evaluation mode.
        images: ``(B, C, H, W)``; one image is enough.
        read: Makes logits ``(B, A)`` of what the model returns; its calls are recorded too.

    Returns:
        The trace.

    Raises:
        UnsupportedError: No recorded call made the logits, as in a scripted model.
    """
    recorder = _Recorder(images)
    with torch.no_grad(), _naming(model, recorder), recorder:
        logits = read(model(images))
    trace = recorder.trace
    trace.last = recorder.maker.get(id(logits), NO_CALL)
    trace.logits = logits
    if trace.last == NO_CALL or not trace.calls[trace.last].live:
        raise UnsupportedError(
            "the logits cannot be followed back to the images (a scripted or traced model?); give the eager nn.Module"
        )
    return trace


End = Literal["input", "output"]


@dataclass(frozen=True)
class Place:
    """Where a tensor stands in the sequence of calls.

    Attributes:
        call: Index of the call.
        name: Its name, to notice a pass that went another way.
        end: The call's first tensor argument, or what it returns.
    """

    call: int
    name: str
    end: End


class Cut(TorchFunctionMode):
    """Take tensors out of a running forward pass, and start the gradient at one of them.

    Args:
        keep: A place whose tensors are kept in ``kept``, or None. At an input these are all tensors the call reads.
        start: A place at which the graph begins, or None for no gradient at all. The tensor there becomes a leaf
            (``leaf``) and the rest of the pass runs with gradients enabled; the caller restores the gradient mode. The
            pass goes on with a copy of the leaf, because the next call may write in place.
        value: Put this number in the place of every value of the leaf.
    """

    def __init__(self, keep: Place | None, start: Place | None = None, value: float | None = None) -> None:
        super().__init__()
        self._keep = keep
        self._start = start
        self._value = value
        self._count = 0
        self._watched = {place.call: place.name for place in (keep, start) if place is not None}
        self.kept: tuple[Tensor, ...] = ()
        self.leaf: Tensor | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        index = self._count
        self._count += 1
        if index not in self._watched:
            return func(*args, **kwargs)
        name = call_name(func)
        if name != self._watched[index]:
            raise UnsupportedError(
                f"the forward pass took another way than when the model was resolved: call {index} was "
                f"{self._watched[index]!r} and now is {name!r}; a model whose path depends on the values of the images "
                "cannot be cut there, pass layer= with a module above the branch"
            )
        given = tensors_in((args, kwargs))
        passed = self._visit(index, "input", given)
        if passed is not given[0]:
            args = tuple(passed if argument is given[0] else argument for argument in args)
            kwargs = {key: passed if argument is given[0] else argument for key, argument in kwargs.items()}
        result = func(*args, **kwargs)
        made = tensors_in(result)
        passed = self._visit(index, "output", made)
        if passed is made[0]:
            return result
        if not isinstance(result, Tensor):
            raise UnsupportedError(f"{name!r} returns several tensors, and the model cannot be cut there; pass layer=")
        return passed

    def _visit(self, index: int, end: End, tensors: list[Tensor]) -> Tensor:
        here = (index, end)
        starts = self._start is not None and here == (self._start.call, self._start.end)
        keeps = self._keep is not None and here == (self._keep.call, self._keep.end)
        passed = tensors[0]
        if starts:
            leaf = passed.detach() if self._value is None else torch.full_like(passed, self._value)
            self.leaf = leaf.requires_grad_()
            torch.set_grad_enabled(True)
            passed = self.leaf.clone()
            tensors = [self.leaf, *tensors[1:]]
        if keeps:
            self.kept = tuple(tensor.detach() for tensor in tensors)
        return passed
