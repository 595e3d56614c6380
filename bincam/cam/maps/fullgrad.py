"""Signed FullGrad: the input gradient and the bias gradients of all layers, each at its position.

Srinivas and Fleuret 2019, arXiv 1905.00780, equations 2 and 4: f(x) = ∇f·x + Σ_layers Σ (bias ⊙ ∂f/∂layer output) for a
network of affine layers and ReLUs. Deviations: no absolute value and no rescaling of each term (their ψ), so that maps
are signed and complete; a bias map is upsampled to the image size such that its sum does not change; the biases of
layers without a grid are returned separately.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bincam.cam.requests.combination import Combination
from bincam.errors import UnsupportedError
from bincam.models.tracing.gradient_modes import GradientsEverywhere, lost_gradient
from bincam.models.tracing.trace import call_name, record, tensors_in
from bincam.resample import project, upsample

_BIASED = {"conv2d", "linear", "batch_norm"}
_COMPLETE = _BIASED | {"relu", "leaky_relu", "prelu"}
# Calls that are linear in the tensors that depend on the images, or only rearrange them.
_LINEAR = {
    "add", "iadd", "radd", "cat", "concat", "flatten", "reshape", "view", "permute", "transpose", "contiguous", "to",
    "mean", "sum", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "amax", "dropout",
    "dropout2d", "squeeze", "unsqueeze", "getitem", "select", "sub", "neg", "clone", "pad", "mean_pool", "max_pool",
    "stack", "identity", "narrow", "chunk", "split", "zero_pad2d",
}  # fmt: skip


class _BiasCatcher(TorchFunctionMode):
    """A mode that keeps, for every affine call, the graph's edge at its output and the bias added there."""

    def __init__(self) -> None:
        super().__init__()
        self.edges: list[Any] = []
        self.biases: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = call_name(func)
        if name in _BIASED and isinstance(result, Tensor) and result.requires_grad:
            bias = _bias(name, *_python_arguments(func, args, kwargs))
            if bias is not None:
                # The edge, not the tensor: an activation may overwrite the tensor in place.
                self.edges.append(torch.autograd.graph.get_gradient_edge(result))
                shape = (1, -1, 1, 1) if name != "linear" and result.ndim == 4 else (-1,)
                self.biases.append(bias.detach().view(shape))
        return result


def _python_arguments(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments by name if a call of an exported graph orders them otherwise than ``torch.nn.functional`` does."""
    if not isinstance(func, torch._ops.OpOverload):  # noqa: SLF001  # has no public name
        return args, kwargs
    names = [argument.name for argument in func._schema.arguments]  # noqa: SLF001
    return (), {**dict(zip(names, args, strict=False)), **kwargs}


def _bias(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    def argument(position: int, key: str) -> Any:
        return args[position] if len(args) > position else kwargs.get(key)

    if name != "batch_norm":
        bias: Tensor | None = argument(2, "bias")
        return bias
    mean, variance = argument(1, "running_mean"), argument(2, "running_var")
    weight, shift = argument(3, "weight"), argument(4, "bias")
    eps = argument(7, "eps")
    scale = torch.rsqrt(variance + (1e-5 if eps is None else eps))
    scale = scale if weight is None else scale * weight
    mean_shift: Tensor = -mean * scale
    return mean_shift if shift is None else shift + mean_shift


def maps(
    model: nn.Module, read: Callable[[Any], Tensor], images: Tensor, columns: Combination
) -> tuple[Tensor, Tensor]:
    """Compute signed FullGrad maps by one backward pass through the whole network per attribute.

    Args:
        model: The model, in evaluation mode.
        read: Conversion of the model's raw output to logits.
        images: ``(B, C, H, W)``.
        columns: The A explained combinations of outputs.

    Returns:
        S ``(B, A, H, W)``, and the contributions of biases without a position ``(B, A)``.
    """
    leaf = images.detach().clone().requires_grad_()
    lost: list[str] = []
    for open_stops in (False, True):
        catcher = _BiasCatcher()
        everywhere = GradientsEverywhere(open_stops=open_stops, watch=True)
        with torch.enable_grad(), everywhere, catcher:
            logits = read(model(leaf.clone()))  # it may write to its input, which a leaf does not allow
        terms = _terms(logits, leaf, catcher, columns)
        if terms is not None:
            return terms
        lost = everywhere.modes.lost
    raise UnsupportedError(f"fullgrad needs the gradient of the images, but {lost_gradient(model, lost)}")


def _terms(logits: Tensor, leaf: Tensor, catcher: _BiasCatcher, columns: Combination) -> tuple[Tensor, Tensor] | None:
    """Compute S and the constant by one backward pass per attribute; None if no graph from the images reaches them."""
    images, size = leaf.detach(), (int(leaf.shape[2]), int(leaf.shape[3]))
    if not logits.requires_grad:
        return None
    located, constant = [], []
    for place in range(len(columns.owners)):
        direction = columns.part(slice(place, place + 1)).directions()[:, 0].to(logits)
        try:
            slopes = torch.autograd.grad(
                logits, [leaf, *catcher.edges], direction, retain_graph=True, allow_unused=True
            )
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise UnsupportedError(f"fullgrad needs the gradient of the images: {reason}") from error
        if slopes[0] is None:  # torch's type stubs do not model allow_unused
            return None  # type: ignore[unreachable]
        total = (slopes[0] * images).sum(1)  # (B, H, W)
        rest = torch.zeros_like(logits[:, 0])
        for slope, bias in zip(slopes[1:], catcher.biases, strict=True):
            if slope is None:  # torch's type stubs do not model allow_unused
                continue  # type: ignore[unreachable]
            term = slope * bias
            if term.ndim == 4 and term[0, 0].numel() > 1:
                total = total + _upsample_sum(term.sum(1), size)
            else:
                rest = rest + term.flatten(1).sum(1)
        located.append(total)
        constant.append(rest)
    return torch.stack(located, 1).detach(), torch.stack(constant, 1).detach()


def _upsample_sum(grid: Tensor, size: tuple[int, int]) -> Tensor:
    """Upsample without changing the sum: every cell is divided by its weight in the image."""
    weight = torch.from_numpy(project(torch.ones(size).numpy(), (int(grid.shape[-2]), int(grid.shape[-1]))))
    return upsample(grid / weight.to(grid), size)


def completes(model: nn.Module, read: Callable[[Any], Tensor], image: Tensor) -> bool:
    """Check that every call that depends on the image is affine, a ReLU or a LeakyReLU, so that the terms add up."""
    trace = record(model, image, read)
    for call in trace.calls.values():
        if not call.live or call.name in _COMPLETE or call.name in _LINEAR:
            continue
        if not call.output.is_floating_point() or not tensors_in(call.output):
            continue
        return False
    return True


__all__ = ["completes", "maps"]
