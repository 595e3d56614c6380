"""Precisions of the training step, and the faster one of a device."""

from __future__ import annotations

from typing import Literal

Precision = Literal["auto", "fp32", "bf16", "fp16"]
"""What a configuration may state; one that was read states another than ``auto``."""
_NATIVE = ("avx512_bf16", "amx_bf16", "bf16")
"""Names that torch has for instructions of processors that multiply in bfloat16."""
_AMPERE = (8, 0)
"""The first compute capability of NVIDIA's with bfloat16."""


def fastest_precision(device: str = "auto") -> Literal["fp32", "bf16"]:
    """The precision of ``precision: auto``: bf16 where the device has instructions for it, else fp32.

    Processors without them emulate bf16, many times slower than fp32. Versions of torch that do not tell what a
    processor can do (without ``torch.cpu.get_capabilities``) get fp32.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; ``auto`` is a GPU if there is one.

    >>> fastest_precision("cpu") in ("fp32", "bf16")
    True
    """
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.get_device_capability() >= _AMPERE else "fp32"
    stated: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if device != "cuda" and any(stated.get(name) for name in _NATIVE) else "fp32"
