"""PGM and PPM files: their values as they are stored, and the value of white, which their header states.

Other decoders stretch some of these files to 8 or 16 bits and leave others as they are, so that a value means one thing
in a text file and another in a binary one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.decoding.size import check_size

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P([2356])" + (_GAP + rb"(\d{1,9})") * 3 + rb"\s")
_COMMENT = re.compile(rb"#[^\r\n]*")


@dataclass(frozen=True)
class Header:
    """What the first lines of a PGM or PPM file state.

    Attributes:
        shape: ``(H, W, C)``.
        white: The greatest value, which is white.
        is_text: The values are written as text.
        begin: Place of the first value in the file.
    """

    shape: tuple[int, int, int]
    white: int
    is_text: bool
    begin: int


def header(data: bytes) -> Header | None:
    """Read the header of a PGM or PPM file; None of other files, and of headers that are not valid.

    >>> header(b"P2 2 1 100 0 50")
    Header(shape=(1, 2, 1), white=100, is_text=True, begin=11)
    """
    found = _HEADER.match(data)
    if found is None:
        return None
    kind, width, height, white = map(int, found.groups())
    if not (width and height and 0 < white < 1 << 16):
        return None
    return Header((height, width, 3 if kind in (3, 6) else 1), white, kind in (2, 3), found.end())


def stated_range(data: bytes) -> tuple[float, float] | None:
    """Return the values of black and white that an image file states; None of files that do not.

    >>> stated_range(b"P5 2 1 100 " + bytes([0, 50])), stated_range(b"no image")
    ((0.0, 100.0), None)
    """
    found = header(data)
    return None if found is None else (0.0, float(found.white))


def netpbm_values(data: bytes, stated: Header, shown: str) -> NDArray[Any]:
    """Return the values of a PGM or PPM file as they are stored, ``(H, W, C)``, uint8 or uint16.

    Args:
        data: The file's content; a second image behind the first is not read.
        stated: Its header.
        shown: The file, for messages.

    Raises:
        InputError: It claims too many pixels.
        ValueError: It ends early, or has a value above white or one that is no number.

    >>> text = b"P2 2 1 100 0 50"
    >>> netpbm_values(text, header(text), "a.pgm").ravel().tolist()
    [0, 50]
    """
    height, width, channels = stated.shape
    check_size((width, height), shown)
    count = height * width * channels
    stored: NDArray[Any]
    if stated.is_text:
        words = _COMMENT.sub(b"", data[stated.begin :]).split(maxsplit=count)[:count]
        stored = np.array([int(word) for word in words], np.int64)
    else:
        type_ = np.dtype(np.uint8 if stated.white < 256 else ">u2")
        there = (len(data) - stated.begin) // type_.itemsize
        stored = np.frombuffer(data, type_, min(count, there), stated.begin)
    if stored.size < count:
        raise ValueError(f"it ends after {stored.size:,} of {count:,} values")
    if not (stored.min() >= 0 and stored.max() <= stated.white):
        raise ValueError(
            f"values from {stored.min()} to {stored.max()}, and its header states that {stated.white} is white"
        )
    return stored.astype(np.uint8 if stated.white < 256 else np.uint16).reshape(stated.shape)
