"""Batch normalisation with a blend of running and batch statistics, for a few images at test time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bincam.errors import InputError


@contextmanager
def blended(model: nn.Module, prior: int | None) -> Iterator[int]:
    """Let batch normalisation use N/(N+1) of its running and 1/(N+1) of the batch's statistics meanwhile.

    Schneider et al. (NeurIPS 2020, arXiv 2006.16971) with the batch counted as one image, as MEMO's code does. The
    blended statistics are constants for the gradient, also as there, and the variance of the batch is the unbiased one.

    Every batch normalisation with running statistics is blended, also those of timm that contain an activation; the
    published code blends torch's ``BatchNorm2d`` alone. The statistics are set before a layer's call and taken back
    after it, also after an error.

    Args:
        model: A model in evaluation mode.
        prior: N; None leaves the running statistics alone.

    Yields:
        The number of layers that are blended.

    Raises:
        InputError: N is negative; or, in a forward pass, a layer gets a single value per channel, which has no
            variance.

    Example:
        Running means are 0 and the batch's mean is 17, so that with N = 16 the blend is 1:

        >>> import torch
        >>> from torch import nn
        >>> layer = nn.BatchNorm2d(1, affine=False).eval()
        >>> images = torch.full((1, 1, 2, 2), 17.0)
        >>> with blended(layer, 16), torch.no_grad():
        ...     inside = layer(images)
        >>> round(float(inside.mean()), 2), layer.running_mean  # (17 - 1) / sqrt(16/17)
        (16.49, tensor([0.]))
    """
    if prior is None:
        yield 0
        return
    if prior < 0:
        raise InputError(f"prior={prior}: N is the number of images that running statistics count as, at least 0")
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None and not module.training
    }
    share = prior / (prior + 1)
    own: dict[nn.Module, tuple[Tensor | None, Tensor | None]] = {}
    names: dict[nn.Module, str] = {module: name for name, module in layers.items()}

    def enter(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        values: Tensor = arguments[0].detach()
        per_channel = values.numel() // values.shape[1]
        if per_channel < 2:
            raise InputError(
                f"batch normalisation {names[layer]!r} gets a single value per channel, which has no variance; pass "
                "prior=None to use its running statistics alone"
            )
        mean, var = layer._buffers["running_mean"], layer._buffers["running_var"]  # noqa: SLF001  # replaced, not written to
        assert mean is not None
        assert var is not None
        own[layer] = mean, var
        of_batch = torch.zeros_like(mean), torch.ones_like(var)
        if values.device.type in ("cpu", "cuda"):  # the statistics alone, in a fraction of the time of a layer's call
            torch.batch_norm_update_stats(values, *of_batch, 1.0)
        else:
            torch.nn.functional.batch_norm(values, *of_batch, training=True, momentum=1.0)
        layer._buffers["running_mean"] = share * mean + (1 - share) * of_batch[0]  # noqa: SLF001
        layer._buffers["running_var"] = share * var + (1 - share) * of_batch[1]  # noqa: SLF001

    def leave(layer: nn.Module, _: object, __: object) -> None:
        if layer in own:
            layer._buffers["running_mean"], layer._buffers["running_var"] = own.pop(layer)  # noqa: SLF001

    handles = []
    for layer in layers.values():
        handles.append(layer.register_forward_pre_hook(enter))
        handles.append(layer.register_forward_hook(leave, always_call=True))
    try:
        yield len(layers)
    finally:
        for handle in handles:
            handle.remove()
        for left in list(own):
            leave(left, None, None)
