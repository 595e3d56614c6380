"""Decoding of image files to upright 8-bit RGB arrays; broken or ambiguous files are refused."""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bincam.data.containers.address import member_wanted, read_bytes
from bincam.data.decoding.netpbm import header, netpbm_values
from bincam.data.decoding.size import check_size
from bincam.errors import InputError
from bincam.files import regular

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


_ORIENTATION, _TURNED, _SIDEWAYS = 0x0112, range(2, 9), range(5, 9)
"""The tag of EXIF, its values that turn or mirror an image, and those that exchange its sides."""


def decode(file: str | os.PathLike[str] | bytes, name: str | None = None) -> NDArray[np.uint8]:
    """Read an image as ``(H, W, 3)`` uint8.

    The orientation that EXIF or XMP states is applied, so landmarks refer to the upright image. CMYK and palette images
    are converted, alpha is dropped, and greyscale is repeated over the channels. Values of more than 8 bits are
    refused: 8, 10, 12 or 14 of 16 bits may be in use, so that what is white has to be stated
    (``bincam.data.decode_bands``). PGM and PPM files state it.

    Args:
        file: A path, or an address in a file that holds many images (``bincam.data.containers``), or the file's bytes.
        name: Name of the file in error messages; the path by default.

    Raises:
        InputError: The file is missing, no regular file, empty, truncated, not an image, claims more than ``LARGEST``
            pixels, or has values of more than 8 bits.

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
        data = file if isinstance(file, bytes) else read_bytes(file)
        if (size := _plain_jpeg(data)) is not None:
            check_size(size, shown)
            if _is_upright(data) and (fast := _opencv(data)) is not None:
                return fast
        if (stated := header(data)) is not None:
            values = netpbm_values(data, stated, shown)
            whole = np.rint((values * (255 / stated.white)).astype(np.float32)).astype(np.uint8)
            return np.repeat(whole, 3, axis=2) if whole.shape[2] == 1 else whole
        with Image.open(BytesIO(data)) as image:
            check_size(image.size, shown)
            return _rgb(image, shown)
    except InputError:
        raise
    except UnidentifiedImageError:
        what = f"not an image{member_wanted(shown)}" if data else "empty file (0 bytes)"
        raise InputError(f"{shown}: {what}") from None
    except OSError as error:
        raise InputError(f"{shown}: {'cannot be read' if error.strerror else 'broken image'}: {error}") from None
    except Exception as error:  # decoders of damaged files raise whatever their parsing meets
        raise InputError(f"{shown}: broken image: {error or type(error).__name__}") from None


def upright_size(file: str | os.PathLike[str]) -> tuple[int, int]:
    """Read width and height of an image as ``decode`` turns it, from its header alone.

    Raises:
        InputError: It is missing, or not an image.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> from bincam.data.images import upright_size
        >>> with TemporaryDirectory() as folder:
        ...     Image.new("L", (4, 2)).save(Path(folder, "a.png"))
        ...     upright_size(Path(folder, "a.png"))
        (4, 2)
    """
    from PIL import Image

    path = regular(file)
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) in _SIDEWAYS
    except Exception as error:  # of a damaged header, whatever its parsing meets
        raise InputError(f"{path}: not an image: {error or type(error).__name__}") from None
    return (height, width) if turned else (width, height)


def _plain_jpeg(data: bytes) -> tuple[int, int] | None:
    """Width and height of a complete greyscale or colour JPEG, else None; opencv fills a truncated one silently."""
    if data[:2] != b"\xff\xd8" or not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        return None
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # a frame header; then length, depth, H, W
            height, width = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
            return (width, height) if data[at + 9] in {1, 3} else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _is_upright(data: bytes) -> bool:
    """True if a JPEG states no orientation, in EXIF or in XMP, or the usual one, as pillow reads it.

    Opencv reads EXIF alone, and would leave unturned what it does not know; only pillow turns images here.
    """
    from PIL import Image

    if b"Exif\0" not in data and b"http://ns.adobe.com/" not in data:
        return True
    with Image.open(BytesIO(data)) as image:  # reads no pixels
        return image.getexif().get(_ORIENTATION, 1) not in _TURNED


def _opencv(data: bytes) -> NDArray[np.uint8] | None:
    """Decode in half of pillow's time with the same libjpeg; None on failure, so that pillow reports the reason."""
    import cv2

    try:
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)


def _rgb(opened: Picture, shown: str) -> NDArray[np.uint8]:
    from PIL import ImageOps

    _check_white(opened, shown)
    image = ImageOps.exif_transpose(opened) if opened.getexif() else opened
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)


def _check_white(image: Picture, shown: str) -> None:
    """Refuse values of more than 8 bits, which do not say what is white.

    Raises:
        InputError: They are refused.
    """
    if image.mode == "F":
        kind = "floating-point values"
    elif image.mode.startswith("I") or ";16" in str(getattr(image, "tile", "")):  # of RGB pillow keeps eight bits
        kind = "values of more than 8 bits"
    else:
        return
    raise InputError(
        f"{shown}: {kind} do not say what is black and what is white; state it, such as --range 0-65535 (range=), or "
        "store the image in 8 bits"
    )
