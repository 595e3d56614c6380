"""What is odd about the values of an image, and what of a file is not read."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from numpy.typing import NDArray

DARK = 64
"""An image whose values are all below this, of 256, leaves three quarters of the range empty."""


def oddity(pixels: NDArray[Any]) -> str:
    """Say what is odd about the values of an image; empty if nothing is.

    Args:
        pixels: From 0 to 255.

    >>> import numpy as np
    >>> oddity(np.zeros((2, 2, 3))), oddity(np.array([0, 255]))
    ('all its pixels are black', '')
    """
    low, high = float(pixels.min()), float(pixels.max())
    if high == 0:
        return "all its pixels are black"
    if low == high:
        return "all its pixels are equal"
    if high < DARK:
        return (
            f"its brightest value is {high:.0f} of 255, so that most of the range is empty; if its values have another "
            "range, state it: --range BLACK-WHITE (range=)"
        )
    return ""


def dropped_of(content: bytes) -> str:
    """Say what of a file is not read: a fourth channel that is not opaque throughout, or further pages.

    Args:
        content: Of an image file that can be decoded.

    >>> from PIL import Image
    >>> Image.new("RGBA", (2, 2), (9, 9, 9, 0)).save(file := BytesIO(), "PNG")
    >>> dropped_of(file.getvalue())
    'a fourth channel (A of RGBA) that is not read'
    """
    from PIL import Image

    if content[:2] == b"\xff\xd8":
        return ""
    try:
        with Image.open(BytesIO(content)) as image:
            if (pages := int(getattr(image, "n_frames", 1))) > 1:
                return f"{pages} pages or frames, of which the first is read"
            if image.mode in ("RGBA", "LA", "PA") and image.getchannel("A").getextrema() != (255, 255):
                return (
                    f"a {'fourth' if image.mode == 'RGBA' else 'further'} channel (A of {image.mode}) that is not read"
                )
    except Exception:  # it was decoded otherwise; pillow alone knows pages and channels
        return ""
    return ""
