"""Masks of objects in the run lengths of annotation programs other than COCO's, as shapes of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bincam.data.regions.shapes import Mask, Place, Shape
from bincam.errors import InputError

_COVERED = 128
"""Opacity, of 255, from which on a painted pixel belongs to the mask: that of a pixel that is half covered."""
_SHOWN = 8
"""Bytes of which the bits of a number are taken."""


@dataclass(frozen=True)
class RowRuns(Shape):
    """Runs along the rows of a box, alternately outside and inside, from outside, as CVAT writes them.

    Attributes:
        counts: Lengths of the runs.
        box: Left, top, width and height, in pixels of the image.
        where: Begins the message.

    >>> RowRuns((1, 2, 1), (1, 0, 2, 2)).draw(Place((2, 4))).astype(int).tolist()
    [[0, 0, 1, 0], [0, 1, 0, 0]]
    """

    counts: tuple[int, ...]
    box: tuple[int, int, int, int]
    where: str = "mask"

    def draw(self, place: Place) -> Mask:
        """Draw into an image of the size that the box refers to.

        Raises:
            InputError: The runs do not fill the box, or it reaches beyond the image.
        """
        left, top, width, height = self.box
        if min(left, top) < 0 or min(width, height) < 1 or left + width > place.size[1] or top + height > place.size[0]:
            raise InputError(
                f"{self.where}: its box of {width} x {height} pixels at {left}, {top} is not inside the image of "
                f"{place.size[1]} x {place.size[0]}"
            )
        if min(self.counts, default=0) < 0 or sum(self.counts) != width * height:
            raise InputError(
                f"{self.where}: run lengths of {sum(self.counts):,} pixels, but its box has {width * height:,}"
            )
        mask = np.zeros(place.size, bool)
        inside = np.arange(len(self.counts)) % 2 == 1
        mask[top : top + height, left : left + width] = np.repeat(inside, self.counts).reshape(height, width)
        return mask


@dataclass(frozen=True)
class PackedRuns(Shape):
    """The opacity of every pixel of a painted image, in the code of the package *rle-pack*, as Label Studio writes it.

    The code is a stream of bits. It states the number of values (32 bits), the bits of a value less one (5), and four
    sizes less one (4 each). Blocks follow: a bit that tells if one value is repeated, the number of a size (2 bits), as
    many values as a number of this size says, less one, and then the one value or all of them.

    Attributes:
        packed: The bytes.
        where: Begins the message.
    """

    packed: bytes
    where: str = "mask"

    def draw(self, place: Place) -> Mask:
        """Draw into an image of the size that was painted on; a pixel belongs to the mask that is at least half opaque.

        Raises:
            InputError: The bytes are no such code, or that of an image of another size.
        """
        pixels = place.size[0] * place.size[1]
        values = unpacked(self.packed, 4 * pixels, self.where)
        mask: Mask = values.reshape(*place.size, 4)[..., 3] >= _COVERED
        return mask


def unpacked(packed: bytes, count: int, where: str = "mask") -> NDArray[np.uint8]:
    """Decode values of up to 8 bits from the code that ``PackedRuns`` describes.

    Args:
        packed: The bytes.
        count: The values that are expected: four channels of every pixel.
        where: Begins the message.

    Returns:
        ``(count,)``.

    Raises:
        InputError: There are fewer or more values, values of more bits, or the bytes end before.

    >>> unpacked(bytes([0, 0, 0, 4, 57, 27, 252, 127, 224]), 4).tolist()
    [255, 255, 255, 255]
    """
    source = _Bits(packed, where)
    stated, bits = source.number(32), source.number(5) + 1
    sizes = [source.number(4) + 1 for _ in range(4)]
    if stated != count:
        raise InputError(f"{where}: {stated:,} values, but four for each pixel of the image are {count:,}")
    if bits > 8:
        raise InputError(f"{where}: values of {bits} bits; those of a painted image have 8")
    values = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        repeated = source.number(1)
        end = at + 1 + source.number(sizes[source.number(2)])
        if end > count:
            raise InputError(f"{where}: its runs have more than the {count:,} values that it states")
        values[at:end] = source.number(bits) if repeated else source.numbers(end - at, bits)
        at = end
    return values


class _Bits:
    """Reads numbers from bits, the most significant one first."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data = data + bytes(_SHOWN)
        self.length = 8 * len(data)
        self.where = where
        self.at = 0

    def number(self, bits: int) -> int:
        """Read one number of at most 56 bits."""
        window = int.from_bytes(self.data[self.at // 8 : self.at // 8 + _SHOWN], "big")
        found = (window >> (8 * _SHOWN - self.at % 8 - bits)) & ((1 << bits) - 1)
        self._move(bits)
        return found

    def numbers(self, count: int, bits: int) -> NDArray[np.uint8]:
        """Read several numbers of at most 8 bits."""
        start = self.at
        self._move(count * bits)
        part = np.frombuffer(self.data, np.uint8)[start // 8 : self.at // 8 + 1]
        single = np.unpackbits(part)[start % 8 : start % 8 + count * bits].reshape(count, bits)
        return np.packbits(np.pad(single, ((0, 0), (8 - bits, 0))), axis=1)[:, 0]

    def _move(self, bits: int) -> None:
        self.at += bits
        if self.at > self.length:
            raise InputError(f"{self.where}: ends before all of its values")
