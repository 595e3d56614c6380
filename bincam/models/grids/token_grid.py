"""Grid of a feature tensor: which of its cells or tokens are places in the image, in raster order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from bincam.errors import UnsupportedError
from bincam.models.grids.places import Places

Order = Literal["NCHW", "NHWC", "NLC", "NCL"]
_SPATIAL: dict[Order, tuple[int, ...]] = {"NCHW": (2, 3), "NHWC": (1, 2), "NLC": (1,), "NCL": (2,)}
_STEP = 1e-4
"""Difference from which two coordinates belong to different rows or columns."""
_OFF = 0.2
"""Largest distance of a row or column from where it is drawn, as a fraction of the image."""


@dataclass(frozen=True)
class Layout:
    """The axes of a feature tensor.

    Attributes:
        order: ``NCHW``, ``NHWC``, tokens ``NLC`` (B, L, C), or transposed tokens ``NCL``.
        grid: ``(h, w)``.
        prefix: Number of tokens before the grid without a position in the image (class, distillation, register tokens).
        suffix: Number of such tokens behind the grid, or between its tokens.
        cells: Indices of the grid's tokens among the L in the image's raster order, where they do not simply follow the
            prefix in this order: windows, mirrored maps, tokens without a position between others. For ``NCHW`` and
            ``NHWC`` they number the cells of the tensor. None otherwise.
        traced: Whether the grid follows from the calls of the model; otherwise the numerical proof alone supports it.
    """

    order: Order
    grid: tuple[int, int]
    prefix: int = 0
    suffix: int = 0
    cells: tuple[int, ...] | None = field(default=None, repr=False)
    traced: bool = field(default=True, repr=False)

    def grid_of(self, tensor: Tensor) -> Tensor:
        """The grid of a tensor as ``(..., C, h, w)``, a view where strides allow; leading axes are kept."""
        if self.order in ("NCHW", "NHWC"):
            maps = tensor if self.order == "NCHW" else tensor.movedim(-1, -3)
            return maps if self.cells is None else self._picked(maps.flatten(-2))
        tokens = tensor if self.order == "NLC" else tensor.transpose(-1, -2)  # (..., L, C)
        channels = tokens.transpose(-1, -2)  # (..., C, L)
        if self.cells is not None:
            return self._picked(channels)
        places = channels[..., self.prefix : channels.shape[-1] - self.suffix]  # (..., C, hw)
        return places.reshape(*places.shape[:-1], *self.grid)

    def prefix_of(self, tensor: Tensor) -> Tensor:
        """The tokens of a tensor without a position as ``(..., n, C)``; n is 0 if there are none."""
        if self.order in ("NCHW", "NHWC"):
            tokens = (tensor if self.order == "NCHW" else tensor.movedim(-1, -3)).flatten(-2).transpose(-1, -2)
        else:
            tokens = tensor if self.order == "NLC" else tensor.transpose(-1, -2)
        length = tokens.shape[-2]
        if self.order in ("NCHW", "NHWC") and self.cells is None:
            return tokens[..., :0, :]
        if self.suffix == 0:
            return tokens[..., : self.prefix, :]
        placed = set(self.cells or range(self.prefix, length - self.suffix))
        return tokens[..., [n for n in range(length) if n not in placed], :]

    def _picked(self, flat: Tensor) -> Tensor:
        cells = torch.tensor(self.cells, device=flat.device)
        return flat[..., cells].reshape(*flat.shape[:-1], *self.grid)


def token_grid(places: Places, order: Order) -> Layout:
    """Read the grid off the places of a tensor's entries.

    Args:
        places: Of a tensor ``(1, ...)``.
        order: The order of its axes.

    Returns:
        The layout, in which cells are in the image's raster order.

    Raises:
        UnsupportedError: The entries have no place, or the places form no grid that covers the image.
    """
    shape, spatial = places.shape, _SPATIAL[order]
    described = f"features of shape {shape}"
    if len(shape) != len(spatial) + 2 or not set(places.varying) <= set(spatial):
        raise UnsupportedError(f"{described} have places along other axes than those of a grid; pass another layer=")
    flat = places.yx.expand(2, *[n if axis in spatial else 1 for axis, n in enumerate(shape)]).reshape(2, -1)
    placed = flat.isfinite().any(0)
    count = int(placed.sum())
    if len(placed) == 1:
        raise UnsupportedError(
            f"{described} have a single cell at this input size, which has no place in the image; pass larger images, "
            "or another layer="
        )
    if not count:
        raise UnsupportedError(f"{described} have no place in the image; pass another layer=")
    if len(spatial) == 1 and bool(flat.isnan().all(1).any()):
        raise UnsupportedError(f"{described} have a place along one axis of the image alone; pass another layer=")
    rows, columns = (_ranks(coordinate[placed]) for coordinate in flat)
    h, w = len(rows[1]), len(columns[1])
    raster = rows[0] * w + columns[0]
    if h * w != count or len(raster.unique()) != count:
        raise UnsupportedError(f"{count} places of {described} form no grid; pass another layer=")
    for name, centres in (("height", rows[1]), ("width", columns[1])):
        drawn = (torch.arange(len(centres)) + 0.5) / len(centres)
        if float((centres - drawn).abs().max()) > _OFF:
            raise UnsupportedError(f"{described} cover a part of the image's {name} alone; pass another layer=")
    cells = placed.nonzero()[:, 0][raster.argsort()]
    first = int(placed.nonzero()[0])
    plain = bool((cells == torch.arange(first, first + count)).all())
    if len(spatial) == 2 and (count < len(placed) or (h, w) != tuple(shape[axis] for axis in spatial)):
        plain = False
    return Layout(order, (h, w), first, len(placed) - count - first, None if plain else tuple(cells.tolist()))


def _ranks(values: Tensor) -> tuple[Tensor, Tensor]:
    """Number the different values of a coordinate, and return them; unknown ones stand for the whole axis."""
    values = values.nan_to_num(nan=0.5)
    ordered, order = values.sort()
    steps = torch.diff(ordered, prepend=ordered[:1]) > _STEP
    numbers = steps.cumsum(0)
    ranks = torch.empty_like(numbers)
    ranks[order] = numbers
    starts = torch.cat([torch.zeros(1, dtype=torch.long), steps.nonzero()[:, 0]])
    return ranks, ordered[starts]
