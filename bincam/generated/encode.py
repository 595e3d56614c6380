"""Encoding of images, part maps and masks as files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bincam.files import atomic

_PNG_LEVEL = 4  # 0.6 ms per image; files of level 6 are a quarter smaller and take twice as long


def image_name(number: int) -> str:
    """Return the file name of an image, counted from 1 as in CelebA.

    >>> image_name(1)
    '000001.jpg'
    """
    return f"{number:06d}.jpg"


def jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """Encode an image (H, W, 3) as JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=int(quality))
    return buffer.getvalue()


def parts_png(parts: NDArray[np.uint8]) -> bytes:
    """Encode part numbers (H, W) as an indexed PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.frombytes("P", parts.shape[::-1], np.ascontiguousarray(parts).tobytes())
    picture.putpalette(_palette())
    picture.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def _palette() -> list[int]:
    """Return 256 distinct colours, 0 black, for viewing only: readers use the index."""
    ids = np.arange(256)
    return np.stack([ids * 73 % 256, ids * 151 % 256, ids * 199 % 256], axis=1).ravel().tolist()


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """Encode a mask (H, W) as a grey PNG of 0 and 255."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def write(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic(path) as part:
        part.write_bytes(content)


def rgb_png(image: NDArray[np.uint8]) -> bytes:
    """Encode an image (H, W, 3) without loss.

    Matches are not searched for: images with noise have none, so Huffman coding alone takes half the time and gives
    smaller files.
    """
    import cv2

    options = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()
