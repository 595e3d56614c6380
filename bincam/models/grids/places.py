"""Places in the image of the entries of a tensor: a row and a column each, or none.

Coordinates are fractions of the image's height and width; the centre of the image is (0.5, 0.5). NaN stands for an
entry that has no single place: a class token, a pooled vector, a mixture of distant cells. Axes along which the
coordinates are constant, such as that of the channels, are stored with length 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

WIDE = 0.4
"""Extent from which a mixture of entries has no place: two cells of a grid of two, but not two of a grid of four."""
_SAME = 0.15
"""Difference up to which two entries are at one place: half a stride between the branches of a residual connection."""


@dataclass(frozen=True)
class Places:
    """Coordinates of a tensor's entries.

    Attributes:
        yx: ``(2, *compact)``, rows and columns; ``compact`` has the tensor's axes, each in full or with length 1.
        shape: The tensor's shape.
    """

    yx: Tensor
    shape: tuple[int, ...]

    def full(self) -> Tensor:
        """The coordinates ``(2, *shape)``, expanded without copying."""
        return self.yx.expand(2, *self.shape)

    @property
    def varying(self) -> tuple[int, ...]:
        """Axes along which the coordinates vary."""
        return tuple(axis for axis, length in enumerate(self.yx.shape[1:]) if length > 1)

    @property
    def several(self) -> bool:
        """True if the entries have at least two different places."""
        return self.yx.numel() > 2 and any(bool((finite != finite[0]).any()) for finite in _finite(self.yx))


def _finite(yx: Tensor) -> list[Tensor]:
    return [finite for row in yx if len(finite := row[row.isfinite()])]


def nowhere(shape: Sequence[int]) -> Places:
    """Make the places of a tensor whose entries have none."""
    return Places(torch.full((2, *[1] * len(shape)), math.nan), tuple(shape))


def of_images(shape: Sequence[int]) -> Places:
    """Make the places of the pixels of images ``(B, C, H, W)``; of tensors with other axes, none."""
    if len(shape) != 4:
        return nowhere(shape)
    height, width = shape[2:]
    yx = torch.empty(2, 1, 1, height, width)
    yx[0] = ((torch.arange(height) + 0.5) / height)[:, None]
    yx[1] = (torch.arange(width) + 0.5) / width
    return Places(yx, tuple(shape))


def compact(yx: Tensor) -> Places:
    """Make places of coordinates ``(2, *shape)``, and shorten the axes along which they are constant."""
    shape = tuple(yx.shape[1:])
    for axis in range(1, yx.ndim):
        if yx.shape[axis] > 1 and yx.stride(axis) == 0:
            yx = yx.narrow(axis, 0, 1)
    for axis in range(1, yx.ndim):
        if yx.shape[axis] > 1:
            first = yx.narrow(axis, 0, 1)
            if bool(((yx == first) | (yx.isnan() & first.isnan())).all()):
                yx = first
    return Places(yx, shape)


def combined(parts: Iterable[Places], shape: Sequence[int]) -> Places:
    """Combine the operands of an elementwise call: the place that they share.

    An operand without a place, such as a gate or a position embedding, moves nothing, and neither does padding, whose
    place is outside the image. Operands from distant places give an entry without one.
    """
    result: Tensor | None = None
    for part in parts:
        yx = part.yx.reshape(2, *[1] * (len(shape) - len(part.shape)), *part.yx.shape[1:])
        if result is None:
            result = yx
            continue
        if yx.numel() == 2 and bool(yx.isnan().all()):
            continue
        padding, earlier_padding = _outside(yx), _outside(result)
        conflict = ((result - yx).abs() > _SAME) & (padding == earlier_padding)
        replaced = (result.isnan() & ~padding) | (earlier_padding & ~padding)
        result = torch.where(replaced, yx, result).masked_fill(conflict, math.nan)
    return nowhere(shape) if result is None else Places(result, tuple(shape))


def _outside(yx: Tensor) -> Tensor:
    """Find the coordinates that are outside the image, as those of padding are."""
    return ((yx < 0) | (yx > 1)).any(0, keepdim=True)


def either(first: Places, second: Places, shape: Sequence[int]) -> Places:
    """Combine the operands of a product of matrices: the first operand's places where it has any, else the second's."""
    return Places(torch.where(first.yx.isnan(), second.yx, first.yx), tuple(shape))


def reduced(places: Places, axes: Iterable[int], *, keepdim: bool = True) -> Places:
    """Merge entries along axes: the middle of what is merged, or none if its extent is wide."""
    dims = sorted({axis % len(places.shape) for axis in axes})
    shape = tuple(1 if axis in dims else length for axis, length in enumerate(places.shape))
    yx = places.yx
    varying = [axis + 1 for axis in dims if yx.shape[axis + 1] > 1]
    if varying:
        low = yx.nan_to_num(nan=math.inf).amin(varying, keepdim=True)
        high = yx.nan_to_num(nan=-math.inf).amax(varying, keepdim=True)
        yx = ((low + high) / 2).masked_fill((high - low >= WIDE) | (low > high), math.nan)
    if not keepdim:
        kept = [axis for axis in range(len(shape)) if axis not in dims]
        yx = yx.reshape(2, *[yx.shape[axis + 1] for axis in kept])
        shape = tuple(shape[axis] for axis in kept)
    return Places(yx, shape)


def shared_along(places: Places, axis: int) -> Tensor:
    """Find where all entries along an axis have one and the same place; the axis is kept, with length 1."""
    along = axis % len(places.shape) + 1
    spread = places.yx.amax(along, keepdim=True) - places.yx.amin(along, keepdim=True)
    return (spread <= 1e-6).all(0)  # False for NaN, which is no place


def resized(places: Places, count: int, shape: Sequence[int], *, keep_strips: bool = False) -> Places:
    """Map the last axes onto others, as convolution, pooling and interpolation do: the whole onto the whole.

    Half a stride by which the centres of receptive fields are off is neglected. One remaining cell is a mixture.

    Args:
        places: Of the input.
        count: Number of spatial axes.
        shape: Of the output.
        keep_strips: Put the cells of a grid with one row or column in the middle of the image, instead of nowhere.
    """
    strips = keep_strips and max(shape[-count:]) > 1
    for axis in range(len(shape) - count, len(shape)):
        if strips and shape[axis] == 1 and places.yx.shape[axis + 1] > 1:
            yx = places.yx.mean(axis + 1, keepdim=True)
            places = Places(yx, (*places.shape[:axis], 1, *places.shape[axis + 1 :]))
        places = _stretched(places, axis, shape[axis])
    return Places(places.yx, tuple(shape))


def _stretched(places: Places, axis: int, length: int) -> Places:
    before = places.shape[axis]
    shape = (*places.shape[:axis], length, *places.shape[axis + 1 :])
    if length == before or places.yx.shape[axis + 1] == 1:
        return Places(places.yx, shape)
    if length == 1:
        return reduced(places, [axis])
    at = (torch.arange(length) + 0.5) * before / length - 0.5
    left = at.floor().long().clamp(0, before - 2)
    share = (at - left).reshape(-1, *[1] * (len(shape) - axis - 1))  # below 0 or above 1 beyond the outer centres
    a, b = places.yx.index_select(axis + 1, left), places.yx.index_select(axis + 1, left + 1)
    return Places(a + share * (b - a), shape)


def padded(places: Places, widths: Sequence[int]) -> Places:
    """Pad with constants: a grid continues beyond the image, other entries get no place.

    Args:
        places: Of the input.
        widths: As for ``torch.nn.functional.pad``: from the last axis on, before and after.
    """
    yx, shape = places.full(), list(places.shape)
    for number in range(len(widths) // 2):
        axis, (before, after) = len(shape) - 1 - number, widths[2 * number : 2 * number + 2]
        if before or after:
            length = shape[axis]
            shape[axis] = length + before + after
            rows = [_continued(row, axis, before, after, len(shape)) for row in yx]
            yx = torch.stack(rows)
    return compact(yx)


def _continued(row: Tensor, axis: int, before: int, after: int, ndim: int) -> Tensor:
    """One coordinate, padded along an axis; negative widths crop."""
    length = row.shape[axis]
    start, stop = max(-before, 0), length - max(-after, 0)
    row = row.narrow(axis, start, stop - start)
    before, after, length = max(before, 0), max(after, 0), stop - start
    step = row.narrow(axis, 1, 1) - row.narrow(axis, 0, 1) if length > 1 else torch.zeros_like(row.narrow(axis, 0, 1))
    if ndim < 4:
        step = torch.full_like(step, math.nan)
    index = [1] * row.ndim
    index[axis] = -1
    front = row.narrow(axis, 0, 1) + step * torch.arange(-before, 0).reshape(index)
    back = row.narrow(axis, length - 1, 1) + step * torch.arange(1, after + 1).reshape(index)
    return torch.cat([front, row, back], axis)
