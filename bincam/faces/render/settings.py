"""What can be asked of the drawing of generated faces."""

from __future__ import annotations

from collections.abc import Sequence

from bincam.errors import InputError
from bincam.faces.labels.spec import index

TAU = 8  # of 255: about what an eye begins to see, and well above the rounding of two drawings
# Raised whenever the same spec gives another picture: a set begun by one renderer is not continued by another.
RENDERER = 2
LEAST, MOST = 64, 2048  # pixels on a side; below, an earring or a thin moustache is less than a pixel


def check_drawing(attributes: Sequence[str], size: Sequence[int], tau: int) -> None:
    """Refuse what cannot be drawn.

    Args:
        attributes: Those whose influence is wanted.
        size: (W, H) in pixels.
        tau: Threshold of the influence, of 255.

    Raises:
        InputError: An attribute that is unknown or has no pixels, or a size or threshold out of range.
    """
    for name, pixels in zip(("width", "height"), size, strict=True):
        if pixels < LEAST:
            raise InputError(
                f"a {name} of {pixels} pixels is too small to show the attributes: at least {LEAST}, CelebA has 178x218"
            )
        if pixels > MOST:
            raise InputError(f"a {name} of {pixels} pixels is too large: at most {MOST}")
    for name in attributes:
        index(name)
        if name == "Attractive":
            raise InputError("Attractive has no pixels of its own, so nothing shows its influence")
    if not 0 <= tau <= 255:
        raise InputError(f"tau is a difference between 0 and 255, got {tau}")
