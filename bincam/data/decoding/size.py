"""The largest picture that is decoded, known from what its header claims."""

from __future__ import annotations

from bincam.errors import InputError

LARGEST = 1 << 27
"""Pixels that a picture may have, 134 million: what its header claims is checked before anything is decoded."""


def check_size(size: tuple[int, int], shown: str) -> None:
    """Refuse a picture that claims more than ``LARGEST`` pixels.

    Args:
        size: Width and height, as its header states.
        shown: The file, for the message.

    Raises:
        InputError: It does.
    """
    if size[0] * size[1] > LARGEST:
        raise InputError(
            f"{shown}: claims {size[0]:,} x {size[1]:,} pixels, more than {LARGEST:,}; make a smaller one of it"
        )
