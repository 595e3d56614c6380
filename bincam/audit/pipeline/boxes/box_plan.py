"""Which boxes an audit measures: attributes that may have one, and a draw of the images that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bincam.audit.folder.parts.box_reference import BoxReference
from bincam.audit.folder.parts.boxes import Rows
from bincam.audit.pipeline.boxes.columns import measure_boxes, not_measured
from bincam.audit.pipeline.boxes.reading import ReadBoxes
from bincam.audit.pipeline.boxes.true_objects import TrueObjects, find_objects
from bincam.audit.pipeline.defaults import reference_split
from bincam.audit.settings import Settings
from bincam.cam import Explainer
from bincam.cam.maps.methods import METHODS
from bincam.data import AttributeTable, Regions
from bincam.errors import InputError


@dataclass(frozen=True)
class BoxPlan:
    """The boxes that the pass measures.

    Attributes:
        objects: The source of true boxes; its names are the A attributes.
        columns: ``(A,)``: their columns among the rows of an image in the records.
        table: The audited images.
        sample: Images of each attribute that are measured at most; 0 for all.
        seed: Of the draw.
        size: ``(H, W)`` of the crops.
        grid: ``(h, w)`` of the primary method's maps.
        reference: What the reference split says; None until it is fitted.
    """

    objects: TrueObjects
    columns: tuple[int, ...]
    table: AttributeTable
    sample: int
    seed: int
    size: tuple[int, int]
    grid: tuple[int, int]
    reference: BoxReference | None = None

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """``(N, A)``: the images that have the attribute."""
        columns = [self.table.index(name) for name in self.objects.names]
        positive: NDArray[np.bool_] = self.table.labels[:, columns] == 1
        return positive

    @cached_property
    def drawn(self) -> NDArray[np.bool_]:
        """``(N, A)``: the pairs that are measured."""
        return draw_pairs(self.positive, self.objects.names, self.sample, self.seed)

    def reading(self, rows: NDArray[np.int64]) -> ReadBoxes:
        """Return what the process that reads some images does for their boxes."""
        fitted = None if self.reference is None else self.reference.fitted
        ids = tuple(self.table.ids[row] for row in rows)
        return ReadBoxes(self.objects, ids, self.drawn[rows], self.size, self.grid, fitted)

    def measure(self, maps: Tensor, side: Tensor, also: Mapping[str, Tensor], rows: Tensor) -> Rows:
        """Measure the boxes of a batch.

        Args:
            maps: ``(B, rows, h, w)``, σS of the primary method.
            side: ``(B, rows)``, σ; 0 where it is unknown. GT-known figures are of the map for *yes*, which is σ · σS.
            also: What ``ReadBoxes`` made of the images.
            rows: ``(B,)``: rows of the audited table.
        """
        columns = list(self.columns)
        own = maps[:, columns].float().cpu() * side[:, columns].float().cpu()[..., None, None]
        at = rows.numpy()
        return measure_boxes(own, also, at, self.positive[at], self.drawn[at], self.columns, self.size)

    @property
    def nothing(self) -> Rows:
        """The rows of a shard of which no image could be read."""
        return not_measured(np.zeros(0, np.int64), np.zeros((0, len(self.columns)), bool), self.columns)

    def stated(self) -> dict[str, Any]:
        """Return what the manifest states of boxes."""
        reference = self.reference
        return {
            "attributes": list(self.objects.names),
            "truth": self.objects.source,
            "digest": self.objects.digest,
            "masks": None if self.objects.masks is None else self.objects.masks.source,
            "sample": self.sample,
            "reference": None if reference is None else reference.digest,
        }


def plan_boxes(
    settings: Settings,
    explainer: Explainer | None,
    table: AttributeTable,
    regions: Mapping[str, Regions],
    grid: tuple[int, int],
) -> BoxPlan:
    """Plan the boxes of an audit.

    Args:
        settings: Of the audit.
        explainer: Of the primary method, of outputs that have a row of their own; None if none has.
        table: The audited images, with the outputs that have a row of their own.
        regions: Masks that differ from image to image, by name.
        grid: Of the primary method's maps.

    Raises:
        InputError: There are no true boxes, no output with a row of its own, or the primary method's maps for *yes*
            cannot be had of the explained side.
    """
    if explainer is None:
        raise InputError(
            "boxes are measured of outputs that have a row of their own; raise one_of_rows, or leave out boxes"
        )
    method = METHODS.get(explainer.method_name)
    if settings.side != "positive" and (method is None or not method.signed):
        raise InputError(
            f"boxes are made from the maps for yes, and {explainer.method_name}'s are not those for no with another "
            "sign; explain this side (--side positive), or name another method first, such as grad_cam"
        )
    masks = regions.get("object")
    stored = regions.get("region")
    if masks is None and stored is not None and stored.per_image:
        masks = stored
    assert explainer.card is not None
    objects = find_objects(table, masks, table.names, turned=explainer.card.fit == "face")
    columns = tuple(table.names.index(name) for name in objects.names)
    return BoxPlan(objects, columns, table, settings.boxes_sample, settings.seed, explainer.card.input_size, grid)


def choose_box_table(data: AttributeTable, settings: Settings, notes: list[str]) -> AttributeTable | None:
    """Choose the images on which constant boxes and the threshold are fitted; None, with a note, if there are none.

    Raises:
        InputError: The stated split has no images.
    """
    split = reference_split(data, settings)
    if split is None:
        notes.append("no reference split: boxes have no constant one beside them, and no threshold chosen beforehand")
        return None
    if settings.split in (None, split):
        notes.append(
            f"constant boxes and the boxes' threshold are fitted on images that are also audited (split {split})"
        )
    return data.split(split)


def draw_pairs(positive: NDArray[np.bool_], names: Sequence[str], count: int, seed: int) -> NDArray[np.bool_]:
    """Draw of each attribute at most a number of the images that have it; the draws of attributes are independent.

    Args:
        positive: ``(N, A)``.
        names: The A attributes.
        count: At most so many; 0 for all.
        seed: Of the draws.

    Returns:
        ``(N, A)``.

    >>> draw_pairs(np.ones((5, 2), bool), ["a", "b"], 2, seed=0).sum(0).tolist()
    [2, 2]
    """
    result = positive.copy()
    for a, name in enumerate(names):
        rows = np.flatnonzero(positive[:, a])
        if count and len(rows) > count:
            random = np.random.default_rng([seed, crc32(name.encode())])
            result[random.choice(rows, len(rows) - count, replace=False), a] = False
    return result
