"""Masks as weights on a grid: drawn in the process that reads the image, and brought to the grid by Uᵀ.

A mask M enters every measure through w = Uᵀ1_M alone (see ``bincam.resample``): w sums to the region's area in pixels,
and ⟨S, w⟩ is the upsampled map's sum inside it. Masks at image size never leave the process that drew them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
class ReadAll:
    """Several functions of a crop as one, for ``bincam.data.loader(also=...)``."""

    parts: tuple[Callable[[Crop], dict[str, NDArray[Any]]], ...]

    def __call__(self, crop: Crop) -> dict[str, NDArray[Any]]:
        """Join what all make of an image."""
        return {name: array for part in self.parts for name, array in part(crop).items()}


@dataclass(frozen=True)
class MaskProjector:
    """Draws the masks of an image and brings them to the grids, for ``bincam.data.loader(also=...)``.

    Attributes:
        table: Of the images, with the audited attributes.
        size: ``(H, W)`` of the images as cropped.
        grids: Of the maps to be measured.
        sources: Masks that differ from image to image, by a name such as ``object``.
        outlined: The source whose hits and outlines are returned too, or None.

    Raises:
        InputError: Two images would share a mask stored per image.
    """

    table: AttributeTable
    size: tuple[int, int]
    grids: tuple[Grid, ...]
    sources: Mapping[str, Regions]
    outlined: str | None = None

    def __post_init__(self) -> None:
        for regions in self.sources.values():
            regions.check_images(self.table.ids)

    def __call__(self, crop: Crop) -> dict[str, NDArray[Any]]:
        """Draw the masks of one image, of all attributes of the table; see ``draw``."""
        return self.draw(self.table.names, self.table.labels[crop.row], self.place(crop))

    def place(self, crop: Crop) -> Place:
        """Where masks of an image are drawn: its id, its landmarks and its crop."""
        landmarks, image = crop.view.landmarks, self.table.ids[crop.row]
        return Place(self.size, landmarks, image, matrix=crop.matrix, stored=crop.stored)

    def draw(self, names: Sequence[str], labels: NDArray[np.floating], place: Place) -> dict[str, NDArray[Any]]:
        """Draw the masks of one image.

        Args:
            names: The A attributes whose masks are drawn.
            labels: ``(A,)``: 1, 0, NaN.
            place: Of the image.

        Returns:
            ``SOURCE@HxW`` ``(A, h, w)`` for each grid, NaN without a mask. For the outlined source also ``hits@HxW``
            (see ``hits``) and ``outline`` ``(A, H', W')``.
        """
        result: dict[str, NDArray[Any]] = {}
        for source, regions in self.sources.items():
            shape = regions.shapes.get("") if regions.per_image else None
            wanted = {key(source, grid): grid for grid in self.grids}
            if isinstance(shape, PartMasks) and source != self.outlined:
                weights = self._of_parts(shape, names, labels, place)
                result |= {name: weights[grid] for name, grid in wanted.items()}
                continue
            masks = self._stored(regions, names, labels, place) if shape else self._drawn(regions, names, place)
            result |= {name: projected(masks, grid) for name, grid in wanted.items()}
            if source == self.outlined:
                result["outline"] = outlines(masks, self.size)
                result |= {key("hits", grid): hits(masks, grid) for grid in self.grids}
        return result

    def masks(self, source: str, crop: Crop) -> list[Mask | None]:
        """Draw the masks ``(H, W)`` of one source, of all attributes of the table; None where there is none."""
        regions, names, place = self.sources[source], self.table.names, self.place(crop)
        if regions.per_image:
            return self._stored(regions, names, self.table.labels[crop.row], place)
        return self._drawn(regions, names, place)

    def _drawn(self, regions: Regions, names: Sequence[str], place: Place) -> list[Mask | None]:
        points = place.landmarks
        if points is None or not np.isfinite(points).all():
            return [None] * len(names)  # without landmarks there is no region
        return regions.masks(names, self.size, landmarks=points)

    def _stored(
        self, regions: Regions, names: Sequence[str], labels: NDArray[np.floating], place: Place
    ) -> list[Mask | None]:
        shape = regions.shapes[""]
        there = [name for name in names if not isinstance(shape, AttributeMasks) or self._has(shape, name)]
        masks = regions.masks(
            there,
            self.size,
            image=place.image,
            labels=dict(zip(names, labels.tolist(), strict=True)),
            matrix=place.matrix,
            stored=place.stored,
        )
        by_name = dict(zip(there, masks, strict=True))
        return [by_name.get(name) for name in names]

    def _has(self, shape: AttributeMasks, name: str) -> bool:
        return shape.may_show(name)

    def _of_parts(
        self, shape: PartMasks, names: Sequence[str], labels: NDArray[np.floating], place: Place
    ) -> dict[Grid, Weights]:
        """Sum the weights of each attribute's parts, which do not overlap, for each grid."""
        weights = {grid: np.full((len(names), *grid), np.nan, np.float32) for grid in self.grids}
        parts = shape.read(place)
        if parts is None:
            return weights
        moved = cropped(parts, place)  # -1 outside
        seen = np.bincount(parts.reshape(-1), minlength=256) > 0
        belongs = np.zeros((len(names), 256), bool)  # the parts that show each attribute
        for column, name in enumerate(names):
            belongs[column, list(shape.parts.get(name, ()))] = True
        has_mask = belongs[:, seen].any(1) & (labels != 0)  # a negative image has no such object
        shown = np.flatnonzero(np.bincount(moved.reshape(-1) + 1, minlength=257)[1:])
        one_hot = (moved[:, None] == shown[:, None].astype(np.int16)).astype(np.float32)  # (H, P, W)
        for grid, of_grid in weights.items():
            rows, columns = (upsampling(n, m) for n, m in zip(grid, self.size, strict=True))
            along = rows.T.astype(np.float32) @ one_hot.reshape(self.size[0], -1)  # (h, P W)
            by_part = along.reshape(grid[0], len(shown), self.size[1]) @ columns.astype(np.float32)  # (h, P, w)
            of_grid[has_mask] = np.einsum("ap,hpw->ahw", belongs[has_mask][:, shown].astype(np.float32), by_part)
        return weights


def may_show(regions: Regions, name: str) -> bool:
    """Return False where regions are known to have none of an attribute; of archives only the file of an image says it.

    Args:
        regions: Drawn ones, or masks stored per image.
        name: The attribute.
    """
    shape = regions.shapes.get("")
    if isinstance(shape, PartMasks):
        return name in shape.parts
    if isinstance(shape, AttributeMasks):
        return shape.may_show(name)
    return name in regions


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
