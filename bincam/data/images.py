"""Image files to RGB arrays: whole, upright, eight bits, or refused."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def decode(file: str | os.PathLike[str] | bytes, name: str | None = None) -> NDArray[np.uint8]:
    """Read an image as ``(H, W, 3)`` uint8.

    Turned upright by its EXIF orientation, so landmarks are read in the upright frame; CMYK and palettes are
    converted, alpha is dropped, grey is repeated, and 16 bits keep their upper eight.

    Args:
        file: A path, or the file's bytes.
        name: What to call it in an error; the path by default.

    Raises:
        InputError: It is missing, empty, truncated, no image, or of a kind with no fixed white (floating point).
    """
    from PIL import Image, UnidentifiedImageError

    shown = name or ("image" if isinstance(file, bytes) else os.fspath(file))
    try:
        data = file if isinstance(file, bytes) else Path(file).read_bytes()
        if _plain_jpeg(data) and (fast := _opencv(data)) is not None:
            return fast
        with Image.open(BytesIO(data)) as image:
            return _rgb(image)
    except FileNotFoundError:
        raise InputError(f"{shown}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{shown}: a folder, not an image") from None
    except UnidentifiedImageError:
        raise InputError(f"{shown}: {'not an image' if data else 'empty file (0 bytes)'}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{shown}: broken image: {error}") from None


def _plain_jpeg(data: bytes) -> bool:
    """Whether this is a whole JPEG, grey or in colour. Opencv fills what is missing with grey and says nothing."""
    if data[:2] != b"\xff\xd8" or not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        return False
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # a frame header; then length, depth, H, W
            return data[at + 9] in {1, 3}
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _opencv(data: bytes) -> NDArray[np.uint8] | None:
    """The same libjpeg as pillow's, in half the time; None where it gives up, so that pillow says why."""
    import cv2

    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)


def _rgb(opened: Picture) -> NDArray[np.uint8]:
    from PIL import ImageOps

    image = ImageOps.exif_transpose(opened) if opened.getexif() else opened
    if image.mode == "F":
        raise ValueError("floating-point pixels have no fixed white; convert to 8 or 16 bits")
    if image.mode.startswith("I"):
        wide = np.asarray(image, dtype=np.int64)
        if wide.min() < 0 or wide.max() > 0xFFFF:
            raise ValueError("integer pixels outside 0 to 65535; convert to 8 or 16 bits")
        return np.repeat((wide >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)
