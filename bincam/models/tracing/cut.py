"""Cuts in a pass: tensors that are taken out at a call of the traced pass, and gradients that start there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bincam.errors import UnsupportedError
from bincam.models.tracing.gradient_modes import GradientModes
from bincam.models.tracing.producers import writes
from bincam.models.tracing.trace import call_name, tensors_in

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
