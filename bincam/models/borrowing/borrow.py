"""Context managers that change a model's state temporarily and restore it, also after an exception."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from bincam.errors import BincamError, InputError, UnsupportedError, out_of_memory
from bincam.models.borrowing.module_state import ModuleState

T = TypeVar("T")


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

    Whatever was derived from the weights, such as a folded head, is then stale. Writes are counted by torch, except
    those through ``.data``, which show in a tensor's sum.
    """
    return hash((_places(model), _sums(model)))


def _places(model: nn.Module) -> int:
    return hash(tuple(_tensor_state(tensor) for tensor in (*model.parameters(), *model.buffers())))


def _sums(model: nn.Module) -> bytes:
    """The sums of all floating parameters and buffers."""
    by_device: dict[torch.device, list[Tensor]] = {}
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point() and tensor.layout == torch.strided:
                total = tensor.sum(dtype=torch.float32 if tensor.element_size() < 4 else None)
                by_device.setdefault(tensor.device, []).append(total.double())
        return b"".join(torch.stack(sums).cpu().numpy().tobytes() for sums in by_device.values())


def _tensor_state(tensor: Tensor) -> tuple[int, torch.device, torch.dtype, int]:
    # torch has no public name for the counter of in-place writes; tensors made in inference mode have no counter.
    writes = -1 if tensor.is_inference() else tensor._version  # noqa: SLF001
    return tensor.data_ptr(), tensor.device, tensor.dtype, writes


class WeightsNumber:
    """A number that changes when a model's parameters or buffers are written to, except by passes that are undone.

    Args:
        model: The model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._number = 0
        self._last: int | None = None
        self.token = 0
        """Fingerprint of the weights when the number changed last: another number of the same model has the same."""

    @contextmanager
    def kept(self) -> Iterator[int]:
        """Yield the number of the present weights, which are restored before this is left."""
        present, places = fingerprint(self._model), _places(self._model)
        if present != self._last:
            self._number += 1
            self.token = present
        try:
            yield self._number
        finally:
            # Buffers that a pass wrote to have been restored, but the writes have been counted.
            self._last = present if _places(self._model) == places else fingerprint(self._model)


_EVALUATED: list[nn.Module] = []
"""Models that are borrowed at present: a second borrowing of the same model changes nothing."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode, let every forward pass begin in the same state, and restore all of it afterwards.

    Modules may override ``train()`` or ``eval()``: to empty a cache, to fold weights for evaluation, to keep a frozen
    part in evaluation mode. Where one does, the model's own ``train()`` and ``eval()`` are called in turn, so that
    nothing is used that was stored from earlier weights; a model whose override raises an error is put in evaluation
    mode by flags, as every other model is.

    A pass may store results in the model: caches, the last attention map, counters, buffers made on first use. They are
    removed before the next pass, so that all passes take the same path, and at the end everything is as it was: modes,
    attributes and the contents of their containers, buffers, parameters and their ``requires_grad``.

    Args:
        model: The model. Where it is borrowed already, nothing is done.

    Raises:
        InputError: A forward pass of the model raised an error of its own, whatever it is; it is the cause.
    """
    if any(borrowed is model for borrowed in _EVALUATED):
        yield
        return
    overriding = [module for module in model.modules() if _overrides_modes(module)]
    before = ModuleState(model, values=bool(overriding))
    _EVALUATED.append(model)
    try:
        start = before
        if overriding and _called_own_modes(model, before):
            start = ModuleState(model)
        else:
            for module in model.modules():
                if module.training:
                    module.training = False
        with _starting_from(start, model):
            yield
    except Exception as error:
        if _is_own(error):
            reason = str(error).strip() or "without a reason"
            raise InputError(f"{_title(model)}: its forward raised {type(error).__name__}: {reason}") from error
        raise
    finally:
        _EVALUATED.remove(model)
        before.restore()


def _is_own(error: Exception) -> bool:
    """True for an error that a module's forward pass raised, and not bincam or the machine."""
    if isinstance(error, (BincamError, OSError)) or out_of_memory(error):
        return False
    calls = {"_call_impl", "_wrapped_call_impl"}  # of nn.Module: what a module is called by
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_name in calls and isinstance(frame.tb_frame.f_locals.get("self"), nn.Module):
            return True
        frame = frame.tb_next
    return False


def _title(model: nn.Module) -> str:
    """The name of a model: that of its card, else of its class."""
    card = getattr(model, "card", None)
    return str(getattr(card, "name", None) or type(getattr(model, "network", model)).__name__)


def _overrides_modes(module: nn.Module) -> bool:
    kind = type(module)
    return (
        kind.train is not nn.Module.train
        or kind.eval is not nn.Module.eval
        or not vars(module).keys().isdisjoint(("train", "eval"))
    )


def _called_own_modes(model: nn.Module, before: ModuleState) -> bool:
    """Call ``train()`` and then ``eval()`` of a model; False, and nothing is changed, if one of them fails."""
    try:
        with torch.no_grad():
            model.train()
            model.eval()
    except Exception:  # a user's method may raise any error
        before.restore()
        return False
    return True


@contextmanager
def _starting_from(state: ModuleState, model: nn.Module) -> Iterator[None]:
    """Let every outermost call of a model begin in a state."""
    running = False

    def enter(_: nn.Module, __: object) -> None:
        nonlocal running
        if not running:
            with torch._C.DisableTorchFunction():  # noqa: SLF001  # a trace must not record this
                state.rewind()
        running = True

    def leave(_: nn.Module, __: object, ___: object) -> None:
        nonlocal running
        running = False

    handles = [
        model.register_forward_pre_hook(enter),
        model.register_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def at_precision(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Convert floating parameters and buffers of a lower precision for some forward passes.

    The original values are restored afterwards, and the same parameters and buffers remain in the model throughout.

    Args:
        model: The model.
        dtype: The lowest precision meanwhile: float32 or float64.
    """
    eps = torch.finfo(dtype).eps
    originals = [
        (tensor, tensor.data)
        for tensor in (*model.parameters(), *model.buffers())
        if tensor.is_floating_point() and torch.finfo(tensor.dtype).eps > eps
    ]
    try:
        for tensor, data in originals:
            tensor.data = data.to(dtype)
        yield
    finally:
        for tensor, data in originals:
            tensor.data = data


def in_full_precision(model: nn.Module, images: Tensor, run: Callable[[Tensor], T]) -> T:
    """Judge a model of half precision in float32, so that rounding hides nothing and is not taken for structure.

    Args:
        model: The model.
        images: Its images.
        run: The judgement, a function of the images.

    Returns:
        What ``run`` returns, in the model's own precision where the model demands that.
    """
    if any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
        try:
            with at_precision(model, torch.float32):
                return run(images.float())
        except UnsupportedError:
            raise
        except (BincamError, RuntimeError):  # the model demands its own precision
            pass
    return run(images)


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
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # a model may use the global one
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
