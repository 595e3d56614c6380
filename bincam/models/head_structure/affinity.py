"""Numerical proof that one recorded call is affine in the tensors that depend on the images.

A call between the pooled features and the logits is repeated with random values in place of these tensors, in float64,
and f(a + b) - f(a) - f(b) + f(0) must vanish at scales from 10⁻³ to 10⁸. A function that is piecewise affine, such as a
ReLU, a clip at 6 or at 1,000, or a maximum, has different slopes at some of these scales or signs and is not affine.
Each call is proved alone, so that no kink of an inner layer is hidden by a bias before it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from bincam.models.tracing.trace import NO_CALL, Call, Trace, tensors_in

_SCALES = (1e-3, 1.0, 30.0, 1e4, 1e8)
_ROUNDING = 1e5
"""Units of rounding by which a sum of many terms may differ."""

# Calls that rearrange values without changing them.
SHAPING = {
    "flatten", "reshape", "view", "unflatten", "squeeze", "unsqueeze", "contiguous", "permute", "transpose", "to",
    "float", "double", "half", "bfloat16", "type", "type_as", "clone", "expand", "expand_as", "getitem", "select",
    "identity", "alias", "view_as", "movedim", "moveaxis", "swapaxes", "unbind", "chunk", "split", "tensor_split",
    "narrow", "T", "mT", "t", "ravel", "reshape_as", "data", "detach", "requires_grad", "atleast_2d", "swapdims",
}  # fmt: skip
# Calls that are affine in their first argument if nothing else depends on the images; their weights can be large.
_LINEAR_IN_FIRST = {"linear", "conv1d", "conv2d", "conv3d", "matmul", "mm"}


def affine(trace: Trace, call: Call) -> bool:
    """Prove that a call is affine in all its image-dependent inputs together.

    Args:
        trace: The traced pass.
        call: A call of it.

    Returns:
        True if it is; False if it is not, cannot be repeated, or draws random numbers.
    """
    places = live_inputs(trace, call)
    live = list({id(call.inputs[place]): call.inputs[place] for place in places}.values())
    if not live or not all(tensor.is_floating_point() for tensor in (*live, call.output)):
        return False
    if call.name in SHAPING:
        return True
    if call.name in _LINEAR_IN_FIRST and places == [0]:
        return True
    try:
        return _vanishing(call, live)
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError):  # not repeatable in float64
        return False


def live_inputs(trace: Trace, call: Call) -> list[int]:
    """Positions among a call's tensors of those that depend on the images."""
    return [
        place
        for place, (parent, tensor) in enumerate(zip(call.parents, call.inputs, strict=True))
        if (parent == NO_CALL and tensor is trace.images) or (parent != NO_CALL and trace.calls[parent].live)
    ]


def _vanishing(call: Call, live: list[Tensor]) -> bool:
    generator = torch.Generator().manual_seed(0)

    def draw(scale: float) -> list[Tensor]:
        return [
            (torch.randn(tensor.shape, generator=generator, dtype=torch.float64) * scale).to(tensor.device)
            for tensor in live
        ]

    repeated = _Repeated(call, live)
    zero = repeated([torch.zeros_like(tensor, dtype=torch.float64) for tensor in live])
    for scale in _SCALES:
        first, second = draw(scale), draw(scale)
        both = repeated([a + b for a, b in zip(first, second, strict=True)])
        parts = zip(both, repeated(first), repeated(second), zero, strict=True)
        for total, a, b, constant in parts:
            if not total.is_floating_point():
                return False
            magnitude = torch.stack([part.abs().max().double() for part in (total, a, b, constant) if part.numel()])
            rounding = torch.finfo(total.dtype).eps * _ROUNDING
            error = (total.double() - a.double() - b.double() + constant.double()).abs().max() if total.numel() else 0.0
            if not bool(magnitude.isfinite().all()) or not float(error) <= rounding * float(magnitude.max()):
                return False
    return True


class _Repeated:
    """A recorded call as a function of its image-dependent tensors, in float64."""

    def __init__(self, call: Call, live: list[Tensor]) -> None:
        self._call = call
        self._places = {id(tensor): place for place, tensor in enumerate(live)}
        constants = {id(tensor): tensor for tensor in call.inputs if id(tensor) not in self._places}
        self._constants = {key: _double(tensor) for key, tensor in constants.items()}
        name = str(getattr(call.function, "__name__", ""))
        self._in_place = not call.returns or (name.endswith("_") and not name.endswith("__")) or name.startswith("__i")

    def __call__(self, values: list[Tensor]) -> list[Tensor]:
        first: list[Tensor] = []

        def substitute(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            place = self._places.get(id(leaf))
            tensor = self._constants[id(leaf)] if place is None else values[place]
            tensor = tensor.clone() if self._in_place else tensor
            first.append(tensor)
            return tensor

        args, kwargs = tree_map(substitute, (self._call.args, self._call.kwargs))
        result = self._call.function(*args, **kwargs)
        return tensors_in(result) or first[:1]


def _double(tensor: Tensor) -> Tensor:
    return tensor.detach().double() if tensor.is_floating_point() else tensor
