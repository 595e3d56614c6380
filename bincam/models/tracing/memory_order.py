"""Order of images in memory: channels last where the model takes it, because convolutions are then faster."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from bincam.models.borrowing.borrow import channels_last, evaluating, outside_grad_modes, own_rng
from bincam.models.tracing.eager import eager
from bincam.models.tracing.trace import tensors_in

_known: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], bool]] = WeakKeyDictionary()
_ROUNDING = 1e-2
"""Relative difference that rounding explains, also in half precision; another order of values changes everything."""


def takes_channels_last(model: nn.Module, images: Tensor) -> bool:
    """Decide whether a model computes the same from images in channels-last order; remembered for each image size.

    ``x.view(len(x), -1)`` after a convolution raises an error for such images, and code that reads memory itself may
    compute something else. The model is run once with an image in either order.

    Args:
        model: The model.
        images: ``(B, C, H, W)``, as the model takes them; the first is used.

    Returns:
        False if only images in plain order are computed rightly. True otherwise, also if both raise an error.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> class LeNet(nn.Sequential):
        ...     def forward(self, images):
        ...         features = self[0](images)
        ...         return self[1](features.view(len(features), -1))
        >>> takes_channels_last(LeNet(nn.Conv2d(3, 4, 3), nn.Linear(144, 1)), torch.zeros(1, 3, 8, 8))
        False
    """
    known = _known.setdefault(model, {})
    size = tuple(images.shape[1:])
    if False in known.values():
        return False
    if size not in known:
        image = images[:1].detach()
        plain, last = (
            image.clone(memory_format=torch.contiguous_format),
            image.contiguous(memory_format=torch.channels_last),
        )
        with evaluating(model), eager(model), outside_grad_modes():
            result: list[Tensor] | None
            expected: list[Tensor] | None
            try:
                with channels_last(model):
                    result = _run(model, last)
            except Exception:  # the model's code may raise any exception
                result = None
            try:
                # An order that fails has to be compared; one that does not, once.
                expected = _run(model, plain) if result is None or not known else result
            except Exception:  # likewise; the caller's own pass will report it
                expected = result
        known[size] = _same(result, expected)
    return known[size]


def plain_image(model: nn.Module, channels: int, size: tuple[int, int]) -> Tensor:
    """Make one image of random values ``(1, channels, H, W)`` for ``takes_channels_last``, where the parameters are."""
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    image = torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(0))
    return image if parameter is None else image.to(parameter.device, parameter.dtype)


def _run(model: nn.Module, image: Tensor) -> list[Tensor]:
    with ExitStack() as stack:
        stack.enter_context(own_rng(image.device))
        torch.manual_seed(0)
        result: Any = model(image.clone(memory_format=torch.preserve_format))
    return [tensor for tensor in tensors_in(result) if tensor.is_floating_point()]


def _same(first: list[Tensor] | None, second: list[Tensor] | None) -> bool:
    if first is None or second is None:
        return first is second
    return len(first) == len(second) and all(
        a.shape == b.shape and bool(((a - b).abs() <= _ROUNDING * b.abs().max()).all() | ~b.isfinite().all())
        for a, b in zip(first, second, strict=True)
        if b.numel()
    )
