"""Rendered images, part maps and masks as files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.files import atomic

_PNG_LEVEL = 4  # 0.6 ms an image; level 6 is a quarter smaller and takes twice as long


def image_name(number: int) -> str:
    """``000001.jpg`` for 1."""
    return f"{number:06d}.jpg"


def jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """(H, W, 3) as JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=int(quality))
    return buffer.getvalue()


def parts_png(parts: NDArray[np.uint8]) -> bytes:
    """(H, W) part numbers as an indexed PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.frombytes("P", parts.shape[::-1], np.ascontiguousarray(parts).tobytes())
    picture.putpalette(_palette())
    picture.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def _palette() -> list[int]:
    """256 colours, neighbours far apart; 0 is black. Only for the eye: the index is what counts."""
    ids = np.arange(256)
    return np.stack([ids * 73 % 256, ids * 151 % 256, ids * 199 % 256], axis=1).ravel().tolist()


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """(H, W) as a grey PNG of 0 and 255."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with atomic(path) as part:
        part.write_bytes(content)
