"""Limits and defaults of the renderer, and the version of the images it draws."""

from __future__ import annotations

from collections.abc import Sequence

from bincam.errors import InputError
from bincam.faces.labels.spec import index

TAU = 8  # levels of 255: about the smallest visible difference, and well above rounding
# Incremented whenever the same spec gives a different image: a set begun by one renderer is not resumed by another.
RENDERER = 2
SMALLEST = (44, 54)  # (W, H) of a single image; below, neither brows nor earrings are one pixel
LEAST = 64  # width and height of the images of a set; below, an earring or a thin moustache is less than a pixel
LARGEST = 2048


def check_drawing(attributes: Sequence[str], size: Sequence[int], tau: int) -> None:
    """Validate the settings of a set of faces.

    Args:
        attributes: Attributes whose influence is requested.
        size: (W, H) in pixels.
        tau: Threshold of the influence, in levels of 255.

    Raises:
        InputError: An attribute that is unknown or has no pixels, or a size or threshold out of range.
    """
    for name, pixels in zip(("width", "height"), size, strict=True):
        if pixels < LEAST:
            raise InputError(
                f"a {name} of {pixels} pixels is too small to show the attributes: expected at least {LEAST}; "
                "CelebA has 178x218"
            )
        if pixels > LARGEST:
            raise InputError(f"a {name} of {pixels} pixels is too large: expected at most {LARGEST}")
    for name in attributes:
        index(name)
        if name == "Attractive":
            raise InputError("Attractive has no pixels of its own, so it has no influence mask")
    if not 0 <= tau <= 255:
        raise InputError(f"expected a tau between 0 and 255, got {tau}")
