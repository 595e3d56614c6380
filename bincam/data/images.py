"""Decoding of image files to upright 8-bit RGB arrays; broken or ambiguous files are refused."""

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

    The EXIF orientation is applied, so landmarks refer to the upright image. CMYK and palette images are converted,
    alpha is dropped, greyscale is repeated over the channels, and 16-bit values keep their upper eight bits.

    Args:
        file: A path, or the file's bytes.
        name: Name of the file in error messages; the path by default.

    Raises:
        InputError: The file is missing, empty, truncated, not an image, or has pixels without a fixed white level
            (floating point).

    Example:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> from bincam.data.images import decode
        >>> Image.new("L", (4, 2), 255).save(file := BytesIO(), "PNG")
        >>> decode(file.getvalue()).shape
        (2, 4, 3)
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
    """True for a complete greyscale or colour JPEG; opencv silently fills the missing part of a truncated one."""
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
    """Decode in half of pillow's time with the same libjpeg; None on failure, so that pillow reports the reason."""
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
        raise ValueError("floating-point pixels have no fixed white level; convert to 8 or 16 bits")
    if image.mode.startswith("I"):
        wide = np.asarray(image, dtype=np.int64)
        if wide.min() < 0 or wide.max() > 0xFFFF:
            raise ValueError("integer pixels outside 0 to 65535; convert to 8 or 16 bits")
        return np.repeat((wide >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)
