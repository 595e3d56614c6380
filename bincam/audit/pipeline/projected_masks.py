"""Masks as weights on a grid: drawn in the process that reads the image, and brought to the grid by Uᵀ.

A mask M enters every measure through w = Uᵀ1_M alone (see ``bincam.resample``): w sums to the region's area in pixels,
and ⟨S, w⟩ is the upsampled map's sum inside it. Masks at image size never leave the process that drew them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.data import AttributeTable, Regions
from bincam.data.dataset import Crop
from bincam.data.regions.shapes import Mask, Place
from bincam.data.regions.stored_masks import AttributeMasks, PartMasks, cropped
from bincam.metrics.localization.pointing_game import hit_cells
from bincam.resample import matrix as upsampling
from bincam.resample import project

Grid = tuple[int, int]
Weights = NDArray[np.float32]
OUTLINE = 112
"""Longest side of the images of mean regions, in pixels."""


@dataclass(frozen=True)
class MaskProjector:
    """Draws the masks of an image and brings them to the grids, for ``bincam.data.loader(also=...)``.

    Attributes:
        table: Of the images, with the audited attributes.
        size: ``(H, W)`` of the images as cropped.
        grids: Of the maps to be measured.
        sources: Masks that differ from image to image, by a name such as ``object``.
        outlined: The source whose hits and outlines are returned too, or None.
    """

    table: AttributeTable
    size: tuple[int, int]
    grids: tuple[Grid, ...]
    sources: Mapping[str, Regions]
    outlined: str | None = None

    def __call__(self, crop: Crop) -> dict[str, NDArray[Any]]:
        """Draw the masks of one image.

        Returns:
            ``SOURCE@HxW`` ``(A, h, w)`` for each grid, NaN without a mask. For the outlined source also ``hits@HxW``
            (see ``hits``) and ``outline`` ``(A, H', W')``.
        """
        result: dict[str, NDArray[Any]] = {}
        for source, regions in self.sources.items():
            shape = regions.shapes.get("") if regions.per_image else None
            wanted = {key(source, grid): grid for grid in self.grids}
            if isinstance(shape, PartMasks) and source != self.outlined:
                parts = self._parts(shape, crop)
                result |= {name: self._of_parts(shape, parts, crop.row, grid) for name, grid in wanted.items()}
                continue
            masks = self._stored(regions, crop) if shape else self._drawn(regions, crop)
            result |= {name: projected(masks, grid) for name, grid in wanted.items()}
            if source == self.outlined:
                result["outline"] = outlines(masks, self.size)
                result |= {key("hits", grid): hits(masks, grid) for grid in self.grids}
        return result

    def _drawn(self, regions: Regions, crop: Crop) -> list[Mask | None]:
        points = crop.view.landmarks
        if points is None or not np.isfinite(points).all():
            return [None] * len(self.table.names)  # without landmarks there is no region
        return regions.masks(self.table.names, self.size, landmarks=points)

    def _stored(self, regions: Regions, crop: Crop) -> list[Mask | None]:
        shape, labels = regions.shapes[""], self.table.labels[crop.row]
        names = [name for name in self.table.names if not isinstance(shape, AttributeMasks) or self._has(shape, name)]
        masks = regions.masks(
            names,
            self.size,
            image=self.table.ids[crop.row],
            labels=dict(zip(self.table.names, labels.tolist(), strict=True)),
            matrix=crop.matrix,
            stored=crop.stored,
        )
        by_name = dict(zip(names, masks, strict=True))
        return [by_name.get(name) for name in self.table.names]

    def _has(self, shape: AttributeMasks, name: str) -> bool:
        return (shape.folder / name).is_dir() or self._archives

    @cached_property
    def _archives(self) -> bool:
        """True if any source keeps masks as ``STEM.npz``, so that only the file names the attributes."""
        shapes = (regions.shapes.get("") for regions in self.sources.values())
        return any(isinstance(s, AttributeMasks) and any(s.folder.glob("*.npz")) for s in shapes)

    def _parts(self, shape: PartMasks, crop: Crop) -> tuple[NDArray[np.int16], NDArray[np.bool_]] | None:
        """The part of every pixel of the crop, -1 outside; and which parts the stored image shows, ``(256,)``.

        None if the image has no file.
        """
        place = Place(self.size, image=self.table.ids[crop.row], matrix=crop.matrix, stored=crop.stored)
        parts = shape.read(place)
        if parts is None:
            return None
        return cropped(parts, place), np.bincount(parts.reshape(-1), minlength=256) > 0

    def _of_parts(self, shape: PartMasks, parts: tuple[Any, Any] | None, row: int, grid: Grid) -> Weights:
        """Sum the weights of each attribute's parts, which do not overlap."""
        weights = np.full((len(self.table.names), *grid), np.nan, np.float32)
        if parts is None:
            return weights
        moved, seen = parts
        belongs = self._belongs(shape)  # (A, 256)
        has_mask = belongs[:, seen].any(1) & (self.table.labels[row] != 0)  # a negative image has no such object
        shown = np.flatnonzero(np.bincount(moved.reshape(-1) + 1, minlength=257)[1:])
        rows, columns = (upsampling(n, m) for n, m in zip(grid, self.size, strict=True))
        one_hot = (moved[:, None] == shown[:, None].astype(np.int16)).astype(np.float32)  # (H, P, W)
        along = rows.T.astype(np.float32) @ one_hot.reshape(self.size[0], -1)  # (h, P W)
        by_part = along.reshape(grid[0], len(shown), self.size[1]) @ columns.astype(np.float32)  # (h, P, w)
        weights[has_mask] = np.einsum("ap,hpw->ahw", belongs[has_mask][:, shown].astype(np.float32), by_part)
        return weights

    def _belongs(self, shape: PartMasks) -> NDArray[np.bool_]:
        """The parts that show each attribute, ``(A, 256)``."""
        table = np.zeros((len(self.table.names), 256), bool)
        for column, name in enumerate(self.table.names):
            table[column, list(shape.parts.get(name, ()))] = True
        return table


def key(source: str, grid: Grid) -> str:
    """The name of a source's weights for a grid in ``Batch.also``."""
    return f"{source}@{grid[0]}x{grid[1]}"


def outlines(masks: Sequence[Mask | None], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Shrink masks to shares of 255: ``(A, H', W')``, 0 without a mask."""
    import cv2

    height, width = outline_size(size)
    result = np.zeros((len(masks), height, width), np.uint8)
    for number, mask in enumerate(masks):
        if mask is not None:
            result[number] = cv2.resize(mask.view(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA)
    return result


def outline_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size ``(H', W')`` of an outline, whose longest side is at most ``OUTLINE``."""
    scale = min(1.0, OUTLINE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def projected(masks: Sequence[Mask | None], grid: Grid) -> Weights:
    """Compute Uᵀ1_M of each mask, ``(A, h, w)``; NaN without a mask."""
    return _of_each(masks, grid, project)


def hits(masks: Sequence[Mask | None], grid: Grid) -> Weights:
    """Mark the cells whose centres hit each mask, ``(A, h, w)``, see ``hit_cells``; NaN without a mask."""
    return _of_each(masks, grid, hit_cells)


def _of_each(
    masks: Sequence[Mask | None], grid: Grid, brought: Callable[[Mask, Grid], NDArray[np.floating]]
) -> Weights:
    """Bring each mask to the grid; a mask that several attributes share is brought once."""
    result = np.full((len(masks), *grid), np.nan, np.float32)
    done: dict[int, NDArray[np.floating]] = {}
    for number, mask in enumerate(masks):
        if mask is not None:
            if id(mask) not in done:
                done[id(mask)] = brought(mask, grid)
            result[number] = done[id(mask)]
    return result
