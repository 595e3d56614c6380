"""Regions and masks of the explained outputs of large sets: of each image the predicted and the true output.

The true output is known before the pass, so its masks are drawn in the process that reads the image. The predicted one
is not: where it is another, its masks are drawn after the forward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.pipeline.projected_masks import Grid, MaskProjector, Weights, hits, key, projected
from bincam.data import Batch, Regions
from bincam.data.dataset import Crop
from bincam.data.regions.shapes import Place
from bincam.one_of import Sets

_TRUE = "true output: "
_PLACE = ("landmarks", "matrix", "stored")
REGION, HITS = "region", "hits"


def own_masks(also: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Select what was drawn of the attributes that have a row of their own."""
    return {name: values for name, values in also.items() if not name.startswith(_TRUE)}


@dataclass(frozen=True)
class TrueOutputMasks:
    """Masks of the true outputs of an image, and what is needed to draw those of others later.

    Attributes:
        projector: Of the images.
        one_of: The large sets.
        true: Name of a set to the true output of every row of the projector's table ``(N,)``; -1 where unknown.
    """

    projector: MaskProjector
    one_of: Sets
    true: Mapping[str, NDArray[np.int64]]

    def __call__(self, crop: Crop) -> dict[str, NDArray[Any]]:
        """Draw the masks of one image: ``(sets, h, w)`` each, NaN where there is none or the true output is unknown."""
        place = self.projector.place(crop)
        true = [int(self.true[name][crop.row]) for name in self.one_of]
        known = [number for number, k in enumerate(true) if k >= 0]
        names = [members[k] for members, k in zip(self.one_of.values(), true, strict=True) if k >= 0]
        result: dict[str, NDArray[Any]] = {}
        for name, drawn in self.projector.draw(names, np.ones(len(names)), place).items():
            if "@" in name:
                result[_TRUE + name] = np.full((len(true), *drawn.shape[1:]), np.nan, np.float32)
                result[_TRUE + name][known] = drawn
        landmarks = np.full((5, 2), np.nan) if place.landmarks is None else place.landmarks
        values = (np.asarray(landmarks, float), np.asarray(place.matrix, float), np.asarray(place.stored, float))
        return result | {_TRUE + name: value for name, value in zip(_PLACE, values, strict=True)}


@dataclass(frozen=True)
class RowMasks:
    """Masks of the rows of large sets on the maps' grids.

    Attributes:
        projector: Of the audited images; its sources are the masks that differ from image to image.
        one_of: The large sets.
        true: Name of a set to the true output of every audited image ``(N,)``; -1 where unknown.
        regions: Regions that are the same in every image; None if there are none, or each image has its own.
    """

    projector: MaskProjector
    one_of: Sets
    true: Mapping[str, NDArray[np.int64]]
    regions: Regions | None

    def drawn(self, batch: Batch, predicted: Mapping[str, NDArray[np.int64]]) -> dict[str, Tensor]:
        """Return the masks of a batch, of the predicted and of the true output of each set.

        Args:
            batch: With its rows in the audited table, and what ``TrueOutputMasks`` drew where masks differ.
            predicted: Name of a set to the predicted output of each image ``(B,)``; -1 where unknown.

        Returns:
            ``SOURCE@HxW`` and ``hits@HxW``, ``(B, rows, h, w)``; NaN without a mask.
        """
        rows = batch.rows.numpy()
        names = (REGION, HITS, *(source for source in self.projector.sources if source != REGION))
        shape = (len(rows), 2 * len(self.one_of))
        result = {
            key(name, grid): np.full((*shape, *grid), np.nan, np.float32)
            for name in names
            for grid in self.projector.grids
        }
        for number, name in enumerate(self.one_of):
            said, true = predicted[name], self.true[name][rows]
            at = 2 * number
            for of_outputs, weights in self._fixed.get(name, {}).items():
                result[of_outputs][:, at], result[of_outputs][:, at + 1] = weights[said], weights[true]
            if not self.projector.sources:
                continue
            for key_, values in result.items():
                if _TRUE + key_ in batch.also:
                    of_true = batch.also[_TRUE + key_][:, number].numpy()
                    values[:, at + 1] = of_true
                    values[:, at] = np.where((said == true)[:, None, None], of_true, np.nan)
            for image in np.flatnonzero((said >= 0) & (said != true)).tolist():
                label = 0.0 if true[image] >= 0 else np.nan
                output = self.one_of[name][said[image]]
                for key_, weights in self.projector.draw(
                    [output], np.array([label]), self._place(batch, image)
                ).items():
                    if key_ in result:
                        result[key_][image, at] = weights[0]
        return {name: torch.from_numpy(values) for name, values in result.items()}

    @cached_property
    def _fixed(self) -> dict[str, dict[str, Weights]]:
        """Weights and hits of each set's outputs ``(K + 1, h, w)``; the last are NaN, for an unknown output."""
        if self.regions is None:
            return {}
        result: dict[str, dict[str, Weights]] = {}
        for name, members in self.one_of.items():
            masks = [*self.regions.masks(members, self.projector.size), None]
            grids: tuple[Grid, ...] = self.projector.grids
            result[name] = {key(REGION, grid): projected(masks, grid) for grid in grids}
            result[name] |= {key(HITS, grid): hits(masks, grid) for grid in grids}
        return result

    def _place(self, batch: Batch, image: int) -> Place:
        landmarks, matrix, stored = (batch.also[_TRUE + name][image].numpy() for name in _PLACE)
        name = self.projector.table.ids[int(batch.rows[image])]
        shape = (int(stored[0]), int(stored[1]))
        return Place(self.projector.size, landmarks, name, matrix=matrix, stored=shape)
