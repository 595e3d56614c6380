"""Convolutions with the batch normalisation that follows them folded in: found in a traced pass, replaced call by call.

In evaluation mode a batch normalisation is an affine function of each channel, so y = γ (W x + b - μ) / √(σ² + ε) + β
is a convolution with the weights W γ / √(σ² + ε) and the bias (b - μ) γ / √(σ² + ε) + β (Jacob et al. 2018,
Quantization and Training of Neural Networks, arXiv 1712.05877, equation 14). That holds for the calls, whatever the
modules are, so calls are replaced and no module is: a layer that runs twice, or shares its weights, needs no care.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bincam.models.tracing.cut import PathChangedError
from bincam.models.tracing.trace import NO_CALL, Call, Trace
from bincam.models.trunk.packed import PackedConvolution, pack, packable

_PLAIN = (F.conv1d, F.conv2d, F.conv3d)
_TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_FULL = (torch.float32, torch.float64)
"""Precisions in which folded weights are the same weights but for rounding; in half precision they are others."""


@dataclass
class FoldedConvolution:
    """A convolution and the batch normalisation of its output, as one convolution.

    Attributes:
        convolution: Index of its call in the pass.
        norm: Index of the call of the normalisation.
        given: The convolution's own weight, by which a later pass is recognised.
        weight: The folded weight.
        bias: The folded bias.
    """

    convolution: int
    norm: int
    given: Tensor
    weight: Tensor
    bias: Tensor
    _copies: dict[tuple[torch.dtype, bool], tuple[Tensor, Tensor]] = field(default_factory=dict)
    _packed: tuple[Any, PackedConvolution | None] | None = None

    def replacements(self, *, packing: bool = True) -> dict[int, Callable[..., Any]]:
        """What is called in place of the two calls, by index: with the function, its arguments and keywords.

        Args:
            packing: Keep the weights in the order that oneDNN computes in, where it does; a compiler has its own ways.
        """
        return {self.convolution: self._convolve if packing else self._convolve_plainly, self.norm: self._pass_on}

    def _convolve(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        images = _argument(args, kwargs, 0, "input")
        packed = self._as_packed(images, args, kwargs) if function is F.conv2d else None
        if packed is None or _argument(args, kwargs, 1, "weight") is not self.given:
            return self._convolve_plainly(function, *args, **kwargs)
        return packed(images.to(packed.bias.dtype))

    def _convolve_plainly(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if _argument(args, kwargs, 1, "weight") is not self.given:
            raise PathChangedError("the forward pass took another path than when its convolutions were folded")
        images = _argument(args, kwargs, 0, "input")
        weight, bias = self._as(images)
        further = {name: value for name, value in kwargs.items() if name not in ("input", "weight", "bias")}
        return function(images, weight, bias, *args[3:], **further)

    def _pass_on(self, _: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return _argument(args, kwargs, 0, "input")

    def _as_packed(self, images: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> PackedConvolution | None:
        """The convolution in oneDNN's order, for the first options and the first size that it is called with."""
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else self.weight.dtype
        if not packable(images, dtype) or not (images.dtype == dtype or torch.is_autocast_enabled("cpu")):
            return None  # torch's own convolution refuses images of another type
        stated = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
        options = [_argument(args, kwargs, at, name, stated[name]) for at, name in enumerate(stated, 3)]
        key = dtype, [tuple(one) if isinstance(one, list) else one for one in options]
        if self._packed is None or self._packed[0] != key:
            self._packed = key, pack(images, self.weight.to(dtype), self.bias.to(dtype), options)
        return self._packed[1]

    def _as(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and bias in the order of memory of the images and, under autocast, in its precision."""
        kind = images.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self.weight.dtype
        last = self.weight.ndim == 4 and images.is_contiguous(memory_format=torch.channels_last)
        if (dtype, last) not in self._copies:
            order = torch.channels_last if last else torch.contiguous_format
            self._copies.clear()  # a pass has one precision and one order, so that one copy is kept
            self.weight, self.bias = self.weight.to(memory_format=order), self.bias
            self._copies[dtype, last] = self.weight.to(dtype), self.bias.to(dtype)
        return self._copies[dtype, last]


def foldable(trace: Trace, model: nn.Module) -> list[FoldedConvolution]:
    """Fold every convolution of a pass whose output nothing reads but a batch normalisation with fixed statistics.

    Args:
        trace: A pass of the model in evaluation mode.
        model: The model. Weights that are computed in the pass (parametrised, or standardised ones) are not folded, as
            nothing would tell that they have changed.

    Returns:
        The folded convolutions, in the order of the pass; copies of the weights, so that the model's are not changed.
    """
    own = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    readers: dict[int, list[int]] = {}
    for call in trace.calls.values():
        for parent in set(call.parents) - {NO_CALL}:
            readers.setdefault(parent, []).append(call.index)
    for _, parents in trace.numbers:
        for parent in parents:
            readers.setdefault(parent, []).append(NO_CALL)
    found = (_folded(trace, call, readers, own) for call in trace.calls.values() if call.function is F.batch_norm)
    return [folded for folded in found if folded is not None]


def _folded(trace: Trace, norm: Call, readers: dict[int, list[int]], own: Collection[int]) -> FoldedConvolution | None:
    images = norm.argument(0, "input")
    mean, variance = norm.argument(1, "running_mean"), norm.argument(2, "running_var")
    gamma, beta = norm.argument(3, "weight"), norm.argument(4, "bias")
    made = norm.parents[0] if norm.inputs and norm.inputs[0] is images else NO_CALL
    convolution = trace.calls.get(made)
    if convolution is None or convolution.function not in (*_PLAIN, *_TRANSPOSED):
        return None
    if norm.argument(5, "training", default=False) or mean is None or variance is None:
        return None  # the statistics are those of the batch
    if convolution.output is not images or readers[made] != [norm.index] or made == trace.last:
        return None
    weight, bias = convolution.argument(1, "weight"), convolution.argument(2, "bias")
    stated = [tensor for tensor in (weight, bias, mean, variance, gamma, beta) if tensor is not None]
    if any(id(tensor) not in own or tensor.dtype not in _FULL for tensor in stated):
        return None
    scale = (variance.detach().double() + norm.argument(7, "eps", 1e-5)).rsqrt()
    scale = scale if gamma is None else scale * gamma.detach().double()
    offset = (0.0 if bias is None else bias.detach().double()) - mean.detach().double()
    moved = offset * scale if beta is None else offset * scale + beta.detach().double()
    folded = weight.detach().double() * _by_output(convolution, weight, scale)
    if not bool(folded.isfinite().all() & moved.isfinite().all()):
        return None
    return FoldedConvolution(made, norm.index, weight, folded.to(weight.dtype), moved.to(weight.dtype))


def _by_output(convolution: Call, weight: Tensor, scale: Tensor) -> Tensor:
    """The scale of each output channel, in the shape in which it multiplies the weights."""
    behind = [1] * (weight.ndim - 2)
    if convolution.function in _PLAIN:
        return scale.view(-1, 1, *behind)
    groups = int(convolution.argument(6, "groups", 1))  # of a transposed convolution: (inputs, outputs / groups, ...)
    rows = scale.view(groups, 1, -1).expand(groups, weight.shape[0] // groups, -1)
    return rows.reshape(weight.shape[0], -1, *behind)


def _argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, usual: Any = None) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, usual)
