"""Context managers that change a model's state temporarily and restore it, also after an exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def unwrap(model: nn.Module) -> nn.Module:
    """Return the eager module inside ``torch.compile``, ``DataParallel`` or ``DistributedDataParallel``.

    Compiled code cannot be traced; the module from which it was compiled computes the same.
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
    """Compute a number that changes when any parameter or buffer is written to, replaced, moved or converted.

    Whatever was derived from the weights, such as a folded head, is then stale.
    """
    return hash(tuple(_tensor_state(tensor) for tensor in (*model.parameters(), *model.buffers())))


def _tensor_state(tensor: Tensor) -> tuple[int, torch.device, torch.dtype, int]:
    # torch has no public name for the counter of in-place writes; tensors made in inference mode have no counter.
    writes = -1 if tensor.is_inference() else tensor._version  # noqa: SLF001
    return tensor.data_ptr(), tensor.device, tensor.dtype, writes


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every submodule in evaluation mode, and restore the mode of each afterwards."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False  # Module.eval() may be overridden and cannot be undone per module
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def channels_last(model: nn.Module) -> Iterator[None]:
    """Keep weights in channels-last order during many forward passes, which then need not reorder them each time.

    The original tensors are restored afterwards.
    """
    originals = [(parameter, parameter.data) for parameter in model.parameters() if parameter.ndim == 4]
    try:
        for parameter, data in originals:
            parameter.data = data.contiguous(memory_format=torch.channels_last)
        yield
    finally:
        for parameter, data in originals:
            parameter.data = data


@contextmanager
def outside_grad_modes() -> Iterator[None]:
    """Run without gradients and outside inference mode, independent of the caller's modes.

    Tensors made in inference mode can never enter a graph, and a cut needs its tensor in a graph.
    """
    with torch.inference_mode(False), torch.no_grad():
        yield


@contextmanager
def own_rng(device: torch.device) -> Iterator[None]:
    """Restore the caller's random state afterwards, because a model may draw random numbers even in evaluation mode."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
