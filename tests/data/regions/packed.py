"""Writes the bit-packed runs of *rle-pack*, from the description of its code."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

_SIZES = (3, 4, 8, 16)


def packed(values: NDArray[np.uint8]) -> bytes:
    """Write runs of equal values as one value each, and values between them as they are."""
    bits = f"{len(values):032b}{8 - 1:05b}" + "".join(f"{size - 1:04b}" for size in _SIZES)
    single: list[int] = []

    def flush() -> str:
        text = "".join(
            "0" + _count(len(part)) + "".join(f"{value:08b}" for value in part)
            for part in (single[at : at + 8] for at in range(0, len(single), 8))
        )
        single.clear()
        return text

    for value, run in groupby(values.tolist()):
        length = len(list(run))
        if length == 1:
            single.append(value)
            continue
        bits += flush() + "1" + _count(length) + f"{value:08b}"
    bits += flush()
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def _count(length: int) -> str:
    number = next(number for number, size in enumerate(_SIZES) if length - 1 < 2**size)
    return f"{number:02b}{length - 1:0{_SIZES[number]}b}"


def painted(opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The values of an image painted with this opacity, four channels of every pixel."""
    return np.stack([np.full_like(opacity, 7)] * 3 + [opacity], axis=-1).reshape(-1)
