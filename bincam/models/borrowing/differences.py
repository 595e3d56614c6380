"""Differences between results of two passes: their size, how they are shown, and the module where they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bincam.models.borrowing.borrow import evaluating, own_rng

ROUNDING = 1e-4
"""Differences up to this share of a result's largest value are rounding, in float32."""


def tolerance(values: Mapping[str, Tensor]) -> float:
    """Compute the largest difference that is rounding, as a share, from the precision of results."""
    coarse = max((torch.finfo(value.dtype).eps for value in values.values()), default=0.0)
    return max(ROUNDING, 8 * coarse)


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference as a share of the largest value; infinite where only one of them is finite."""
    one, other = one.double(), other.double()
    if one.shape != other.shape:
        return float("inf")
    finite = torch.isfinite(one)
    if not torch.equal(finite, torch.isfinite(other)):
        return float("inf")
    if not bool(finite.any()):
        return 0.0
    largest = torch.maximum(one[finite].abs().max(), other[finite].abs().max())
    gap = (one[finite] - other[finite]).abs().max()
    return float(gap / largest) if float(largest) > 0 else 0.0


def shown(one: Tensor, other: Tensor) -> tuple[str, str]:
    """The two values where they differ most, with as many digits as distinguish them."""
    first, second = one.double().flatten(), other.double().flatten()
    if first.shape != second.shape:
        return f"shape {tuple(one.shape)}", f"shape {tuple(other.shape)}"
    at = int((first - second).abs().nan_to_num(nan=torch.inf).argmax())
    a, b = first[at].item(), second[at].item()
    for digits in (3, 4, 6, 9):
        if f"{a:.{digits}g}" != f"{b:.{digits}g}":
            break
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def first_dependent_module(model: nn.Module, images: Tensor) -> str:
    """Name the first module whose output for an image changes with the rest of the batch; empty if none is found."""
    with torch.no_grad(), evaluating(model), own_rng(images.device):
        with _outputs(model) as alone:
            model(images[1:2].clone())
        with _outputs(model) as together:
            model(images.clone())
    for (name, one), (other_name, other) in zip(alone, together, strict=False):
        if name != other_name or len(one) != 1 or len(other) != len(images):
            continue
        if difference(one, other[1:2]) > tolerance({"": one}):
            kind = type(model.get_submodule(name)).__name__
            return f"{kind} {name!r}"
    return ""


@contextmanager
def _outputs(model: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """Collect the floating outputs of all modules in the order in which they return."""
    collected: list[tuple[str, Tensor]] = []

    def collector(name: str) -> Callable[..., None]:
        def collect(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, Tensor) and output.is_floating_point() and output.ndim:
                collected.append((name, output.detach().clone()))

        return collect

    handles = [module.register_forward_hook(collector(name)) for name, module in model.named_modules() if name]
    try:
        yield collected
    finally:
        for handle in handles:
            handle.remove()
