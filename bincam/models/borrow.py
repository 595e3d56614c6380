"""Borrow a model: whatever was changed to look inside is as before afterwards, also when something raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def unwrap(model: nn.Module) -> nn.Module:
    """The eager module inside ``torch.compile``, ``DataParallel`` or ``DistributedDataParallel``.

    Compiled code cannot be looked into; the module it was compiled from computes the same.
    """
    while True:
        compiled_from = getattr(model, "_orig_mod", None)
        if isinstance(compiled_from, nn.Module):
            model = compiled_from
        elif isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        else:
            return model


def fingerprint(model: nn.Module) -> int:
    """A number that changes when any parameter or buffer is written to, replaced, moved or converted.

    What was learned from the weights, such as a folded head, is stale when it changes.
    """
    return hash(tuple(_written(tensor) for tensor in (*model.parameters(), *model.buffers())))


def _written(tensor: Tensor) -> tuple[int, torch.device, torch.dtype, int]:
    # torch has no public name for the counter of in-place writes; tensors made in inference mode have none at all.
    writes = -1 if tensor.is_inference() else tensor._version  # noqa: SLF001
    return tensor.data_ptr(), tensor.device, tensor.dtype, writes


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every submodule in evaluation mode, and each one back in its own mode afterwards."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False  # Module.eval() may be overridden and would not come back one by one
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def channels_last(model: nn.Module) -> Iterator[None]:
    """Hold weights in channels-last order for the time of many forward passes, which then need not reorder them each.

    The very tensors come back afterwards, in the order that they had.
    """
    held = [(parameter, parameter.data) for parameter in model.parameters() if parameter.ndim == 4]
    try:
        for parameter, data in held:
            parameter.data = data.contiguous(memory_format=torch.channels_last)
        yield
    finally:
        for parameter, data in held:
            parameter.data = data


@contextmanager
def outside_grad_modes() -> Iterator[None]:
    """Run without gradients and outside inference mode, whatever the caller's modes are.

    Tensors made in inference mode can never enter a graph, so what is to be cut for a gradient is made outside of it.
    """
    with torch.inference_mode(False), torch.no_grad():
        yield


@contextmanager
def own_rng(device: torch.device) -> Iterator[None]:
    """Keep the caller's random state, in case the model draws numbers even in evaluation mode."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
