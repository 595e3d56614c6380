"""Image files to RGB arrays: whole, upright, eight bits, or refused."""

from __future__ import annotations

import os
import warnings
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
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data)) as image:
                return _rgb(image)
    except FileNotFoundError:
        raise InputError(f"{shown}: no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{shown}: {'not an image' if data else 'empty file (0 bytes)'}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{shown}: broken image: {error}") from None


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
