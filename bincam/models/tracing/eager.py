"""Eager execution: the calls of a forward pass can be followed only where Python makes them one by one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from bincam.errors import InputError, UnsupportedError


@contextmanager
def eager(model: nn.Module) -> Iterator[None]:
    """Run a model's own forward meanwhile, where ``model.compile()`` or ``torch.compile`` replaced it.

    Compiled code computes the same, and its calls cannot be followed.

    Example:
        >>> from torch import nn
        >>> model = nn.Linear(2, 1)
        >>> model.compile()
        >>> with eager(model):
        ...     model._compiled_call_impl is None
        True
        >>> model._compiled_call_impl is None
        False
    """
    compiled = [
        (module, module._compiled_call_impl)  # noqa: SLF001  # torch's only record of compile()
        for module in model.modules()
        if module.__dict__.get("_compiled_call_impl") is not None
    ]
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):  # torch >= 2.6
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        for module, _ in compiled:
            module._compiled_call_impl = None  # noqa: SLF001
        try:
            yield
        finally:
            for module, implementation in compiled:
                module._compiled_call_impl = implementation  # noqa: SLF001


def check_followable(model: Any) -> None:
    """Refuse a model whose forward pass cannot be followed call by call, with what to give instead.

    Raises:
        InputError: It is no ``nn.Module``.
        UnsupportedError: It is scripted or traced by ``torch.jit``, or its weights are spread over processes.
    """
    if not isinstance(model, nn.Module):
        raise InputError(
            f"the model is a {type(model).__name__}, not an nn.Module; give the module itself, or a module whose "
            "forward calls the function"
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise UnsupportedError(
            "the model is scripted or traced by torch.jit, and its calls cannot be followed; give the eager nn.Module "
            "from which it was made, with its weights: eager.load_state_dict(scripted.state_dict())"
        )
    kinds = {type(parameter).__name__ for parameter in model.parameters()}
    names = {base.__name__ for module in model.modules() for base in type(module).__mro__}
    if "DTensor" in kinds or names & {"FullyShardedDataParallel", "FSDPModule"}:
        raise UnsupportedError(
            "the model's weights are spread over processes (FSDP); load its full state dict into an eager nn.Module: "
            "torch.distributed.checkpoint.state_dict.get_model_state_dict with full_state_dict=True"
        )


def untraceable(model: nn.Module, numbers: list[str]) -> str:
    """State why the logits cannot be followed back to the images, and what to give instead.

    Args:
        model: The model.
        numbers: Names of the calls that converted image-dependent tensors to Python or numpy values.
    """
    scripted = [name for name, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    if scripted:
        cause = (
            f"submodule {scripted[0]!r} is scripted or traced by torch.jit; put the eager nn.Module from which it was "
            f"made in its place, with its weights: eager.load_state_dict(model.{scripted[0]}.state_dict())"
        )
    elif numbers:
        cause = f"the forward pass computes with {numbers[-1]!r} of its tensors; compute with the tensors themselves"
    else:
        cause = (
            "the forward pass computes them outside of torch's calls on tensors, as in a torch.jit function, a "
            "torch.func transform or another library; write that step with tensor operations"
        )
    return f"the logits cannot be followed back to the images: {cause}"
