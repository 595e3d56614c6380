"""Convolutions on a CPU whose weights stay in the order that oneDNN computes in.

``torch.conv2d`` brings its weights into that order in every call, which takes a seventh of its time with few images.
torch's compiler keeps them in it, by two operators that have no public name; here they are called directly, and nothing
is compiled. oneDNN can also apply an activation to what a convolution returns, but its ReLU makes 0 of NaN, so that is
left to torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class PackedConvolution:
    """A convolution of two dimensions with weights in oneDNN's order; ``pack`` makes one.

    Attributes:
        weight: The weights, which no other operator can read.
        bias: ``(out,)``.
        stride: Along both axes, as of ``torch.conv2d``.
        padding: Likewise.
        dilation: Likewise.
        groups: Likewise.
    """

    weight: Tensor
    bias: Tensor
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    def __call__(self, images: Tensor) -> Tensor:
        """Convolve images ``(B, in, H, W)`` of the weights' type."""
        convolved: Tensor = torch.ops.mkldnn._convolution_pointwise(  # noqa: SLF001  # see the module
            images, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups, "none", [], ""
        )
        return convolved


def packable(images: Tensor, dtype: torch.dtype) -> bool:
    """True if oneDNN convolves such images in a precision here, and torch is allowed to use it.

    The operator returns images in channels-last order whatever it gets, so those of another order are left to torch.
    """
    if images.device.type != "cpu" or images.ndim != 4 or not images.numel():
        return False
    if not images.is_contiguous(memory_format=torch.channels_last):
        return False
    if torch.is_grad_enabled() and images.requires_grad:
        return False  # the operator has no derivative
    if not (torch.backends.mkldnn.is_available() and torch._C._get_mkldnn_enabled()):  # noqa: SLF001  # no public name
        return False
    operators = torch.ops.mkldnn
    if not (hasattr(operators, "_convolution_pointwise") and hasattr(operators, "_reorder_convolution_weight")):
        return False
    return dtype == torch.float32 or (
        dtype == torch.bfloat16 and bool(operators._is_mkldnn_bf16_supported())  # noqa: SLF001  # see the module
    )


def pack(images: Tensor, weight: Tensor, bias: Tensor, options: Sequence[Any]) -> PackedConvolution | None:
    """Bring the weights of a convolution into oneDNN's order.

    Args:
        images: ``(B, in, H, W)``, such as will be convolved; ``packable`` in the weights' type.
        weight: ``(out, in / groups, h, w)``.
        bias: ``(out,)``.
        options: Stride, padding, dilation and groups, as ``torch.conv2d`` takes them.

    Returns:
        The convolution; None if the padding is stated by name.

    Example:
        >>> images, weight = torch.ones(1, 2, 4, 4), torch.ones(3, 2, 3, 3)
        >>> packed = pack(images, weight, torch.zeros(3), (1, 1, 1, 1))
        >>> torch.equal(packed(images), torch.conv2d(images, weight, padding=1))
        True
    """
    stride, padding, dilation, groups = options
    if isinstance(padding, str):
        return None
    sides = [(one, one) if isinstance(one, int) else tuple(one) for one in (stride, padding, dilation)]
    stride, padding, dilation = [(one[0], one[-1]) for one in sides]
    order = torch.ops.mkldnn._reorder_convolution_weight  # noqa: SLF001  # see the module
    packed = order(weight.contiguous(), padding, stride, dilation, groups, list(images.shape))
    return PackedConvolution(packed, bias, stride, padding, dilation, int(groups))
