"""The state of a model's modules besides its weights: attributes, containers, buffers, counters, random generators.

A forward pass may write to all of them: caches of attention biases, the last attention map, counters, buffers that are
made on first use. ``ModuleState`` remembers them when it is made, and puts them back into the same objects.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from operator import is_
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_OF_TORCH = frozenset(vars(nn.Module())) - {"_buffers", "_non_persistent_buffers_set"}
"""Attributes that torch gives every module and a forward pass does not use to store results: hooks, submodules."""
_PLAIN = (int, float, bool, str, bytes, complex, type(None), torch.dtype, torch.device, torch.Size)
_CLOSED = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType, torch.Generator, property)
_DEPTH = 6
"""Levels of containers and objects below a module's attribute that are remembered."""
_SCANNED = 10_000
"""Entries of a container up to which they are searched for further containers."""


class ModuleState:
    """State of all modules of a model, remembered when this is made.

    Containers (dicts, lists, sets, queues), tensors that are not parameters, arrays, random generators and plain
    objects are followed from every module's attributes. Parameters are remembered by their storage and by
    ``requires_grad``; their values only on request, because a copy costs as much memory as the model.

    Args:
        model: The model.
        values: Remember the values of parameters too.

    Example:
        >>> from torch import nn
        >>> from bincam.models.borrowing.module_state import ModuleState
        >>> model = nn.Linear(2, 1)
        >>> model.calls = []
        >>> state = ModuleState(model)
        >>> model.calls.append("first")
        >>> model.last = "first"
        >>> state.restore()
        >>> model.calls, hasattr(model, "last")
        ([], False)
    """

    def __init__(self, model: nn.Module, *, values: bool = False) -> None:
        self._objects: list[tuple[dict[str, Any], dict[str, Any], bool]] = []  # attributes, their copy, of a module
        self._containers: list[tuple[Any, Any, bool]] = []  # container, its copy, reached through a user's attribute
        self._tensors: list[tuple[Tensor, int | None, Tensor]] = []  # tensor, number of writes, copy
        self._arrays: list[Callable[[], None]] = []  # what puts numpy arrays back
        self._generators: list[Callable[[], None]] = []  # what puts random generators back
        self._seen: dict[int, Any] = {}  # by id, and kept alive, so that no id is used again
        self._flags = [(module, module.training) for module in model.modules()]
        self._parameters = [
            (parameter, parameter.data, parameter.requires_grad, parameter.detach().clone() if values else None)
            for parameter in model.parameters()
        ]
        self._follow(model, 0, True)
        self._seen.clear()

    def _follow(self, value: Any, depth: int, own: bool) -> None:
        """Remember a value and what it contains."""
        if isinstance(value, _PLAIN) or id(value) in self._seen:
            return
        if isinstance(value, nn.Module):
            self._seen[id(value)] = value
            attributes = vars(value)
            self._objects.append((attributes, dict(attributes), True))
            for name, inner in attributes.items():
                if name == "_modules" or name not in _OF_TORCH:
                    self._follow(inner, 0, name != "_modules")
                elif isinstance(inner, dict):  # hooks, which belong to the caller, and parameters
                    self._containers.append((inner, inner.copy(), False))
            return
        if isinstance(value, Tensor):
            if isinstance(value, nn.Parameter):
                return
            self._seen[id(value)] = value
            self._tensors.append((value, _writes(value), value.detach().clone()))
        elif isinstance(value, (dict, list, set, deque)):
            self._seen[id(value)] = value
            self._containers.append((value, value.copy(), own))
            if len(value) <= _SCANNED and depth < _DEPTH:
                self._follow_all(value.values() if isinstance(value, dict) else value, depth + 1, own)
        elif isinstance(value, (tuple, frozenset)):
            if len(value) <= _SCANNED and depth < _DEPTH:
                self._follow_all(value, depth + 1, own)
        elif isinstance(value, np.ndarray):
            self._seen[id(value)] = value
            self._arrays.append(_putter(value))
        elif (put := _generator(value)) is not None:
            self._seen[id(value)] = value
            self._generators.append(put)
        elif not isinstance(value, _CLOSED) and depth < _DEPTH and isinstance(getattr(value, "__dict__", None), dict):
            self._seen[id(value)] = value
            self._objects.append((vars(value), dict(vars(value)), False))
            self._follow_all(vars(value).values(), depth + 1, own)

    def _follow_all(self, values: Iterable[Any], depth: int, own: bool) -> None:
        for value in values:
            self._follow(value, depth, own)

    def rewind(self) -> None:
        """Put back what a forward pass may have stored.

        Hooks, submodules and parameters are left as they are, because whoever runs the pass may have changed them.
        Random generators are left too: a pass that draws from one is random, and must be seen to be.
        """
        for attributes, saved, of_module in self._objects:
            if of_module:
                if not _same(attributes, saved):
                    ours = {name: value for name, value in attributes.items() if name in _OF_TORCH}
                    _refill(attributes, {**{n: v for n, v in saved.items() if n not in _OF_TORCH}, **ours})
            elif not _same(attributes, saved):
                _refill(attributes, saved)
        for container, saved, own in self._containers:
            if own and not _same(container, saved):
                _refill(container, saved)
        for tensor, writes, copy in self._tensors:
            if _writes(tensor) != writes:
                _write(tensor, copy)
        for put in self._arrays:
            put()

    def restore(self) -> None:
        """Put everything back."""
        for attributes, saved, _ in self._objects:
            if not _same(attributes, saved):
                _refill(attributes, saved)
        for container, saved, _ in self._containers:
            if (container or saved) and not _same(container, saved):
                _refill(container, saved)
        for module, training in self._flags:
            if module.training != training:
                module.training = training
        for tensor, writes, copy in self._tensors:
            # ``.data`` can be written to without being counted; on an accelerator comparing costs more than copying.
            if _writes(tensor) != writes or tensor.device.type != "cpu" or not torch.equal(tensor, copy):
                _write(tensor, copy)
        for parameter, data, requires_grad, values in self._parameters:
            if parameter.data_ptr() != data.data_ptr() or parameter.dtype != data.dtype:
                parameter.data = data
            if values is not None and not torch.equal(parameter, values):
                data.copy_(values)
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)
        for put in (*self._arrays, *self._generators):
            put()


def _same(container: Any, saved: Any) -> bool:
    """True if a container has the very objects that it had, in the same order."""
    if len(container) != len(saved):
        return False
    if isinstance(container, dict):
        return all(map(is_, container, saved)) and all(map(is_, container.values(), saved.values()))
    if isinstance(container, set):
        return bool(container == saved)
    return all(map(is_, container, saved))


def _refill(container: Any, saved: Any) -> None:
    container.clear()
    if isinstance(container, (list, deque)):
        container.extend(saved)
    else:
        container.update(saved)


def _writes(tensor: Tensor) -> int | None:
    """Number of in-place writes; None for a tensor of inference mode, which does not count them."""
    return None if tensor.is_inference() else tensor._version  # noqa: SLF001  # torch has no public name for it


def _write(tensor: Tensor, copy: Tensor) -> None:
    with torch.inference_mode(tensor.is_inference()), torch.no_grad():
        if tensor.shape != copy.shape or tensor.dtype != copy.dtype:
            tensor.data = copy.clone()
        else:
            tensor.data.copy_(copy)  # not counted as a write: the tensor is what it was


def _putter(array: Any) -> Callable[[], None]:
    saved = array.copy()

    def put() -> None:
        if array.flags.writeable and array.dtype != object and array.tobytes() != saved.tobytes():
            array[...] = saved

    return put


def _generator(value: Any) -> Callable[[], None] | None:
    """Return what puts a random generator back, or None if the value is none."""
    if isinstance(value, torch.Generator):
        state = value.get_state()
        return lambda: _discard(value.set_state(state))
    if isinstance(value, random.Random):
        of_python = value.getstate()
        return lambda: value.setstate(of_python)
    if isinstance(value, np.random.RandomState):
        of_numpy = value.get_state()
        return lambda: value.set_state(of_numpy)
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        of_bits = bits.state
        return lambda: setattr(bits, "state", of_bits)
    return None


def _discard(_: object) -> None:
    return None
