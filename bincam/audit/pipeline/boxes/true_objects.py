"""What is true of an image: the boxes and masks of its objects, in pixels of the crop that the model sees."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bincam.audit.pipeline.projected_masks import may_show
from bincam.data import AttributeTable, BoxTable, Regions, part_boxes
from bincam.data.dataset import Crop
from bincam.data.regions.box_table import NAME
from bincam.data.regions.boxes import Boxes
from bincam.data.regions.shapes import Mask, Place
from bincam.data.regions.stored_masks import PartMasks, cropped
from bincam.errors import InputError
from bincam.provenance import regions_digest

TRUE_PARTS = 32
"""Most boxes of one object that are kept; of more, such as the specks of a noisy mask, the largest ones."""


@dataclass(frozen=True)
class TrueObjects:
    """Source of the true boxes of a table's images.

    Attributes:
        names: The A attributes that may have a box.
        table: Boxes given by a file, or by the data set itself; None takes those of the masks.
        masks: Masks stored per image; None where only boxes are known.
    """

    names: tuple[str, ...]
    table: BoxTable | None
    masks: Regions | None

    @property
    def source(self) -> str:
        """Where the true boxes come from."""
        if self.table is not None:
            return self.table.source
        return "" if self.masks is None else f"parts of the masks in {self.masks.source}"

    @property
    def digest(self) -> str:
        """SHA-256 of the file of boxes, of the boxes that the data set states, or of the masks."""
        if self.table is not None:
            file = Path(self.table.source)
            return hashlib.sha256(file.read_bytes()).hexdigest() if file.name == NAME else self.table.digest()
        return "" if self.masks is None else regions_digest(self.masks, self.names)

    def of(
        self, image: str, crop: Crop, size: tuple[int, int], wanted: Sequence[bool]
    ) -> tuple[list[Boxes], list[Mask | None]]:
        """Return the boxes and masks of one image.

        Args:
            image: Its id in the table.
            crop: Its crop.
            size: ``(H, W)`` of the crop.
            wanted: For each attribute if it is asked for; the others have neither box nor mask.

        Returns:
            A times ``(K, 4)``, K is 0 where there is no such object inside the crop; and A masks ``(H, W)``, None
            without one.

        Raises:
            InputError: A mask cannot be read, or a box is not inside its image.
        """
        names = [name for name, asked in zip(self.names, wanted, strict=True) if asked]
        place = Place(size, image=image, matrix=crop.matrix, stored=crop.stored)
        masks = self._masks(names, place)
        if self.table is not None:
            boxes = self.table.cropped(image, names, crop.matrix, crop.stored, size)
        else:
            boxes = [np.zeros((0, 4)) if mask is None else _largest(part_boxes(mask)) for mask in masks]
        of_name = dict(zip(names, zip(boxes, masks, strict=True), strict=True))
        nothing: tuple[Boxes, Mask | None] = (np.zeros((0, 4)), None)
        found = [of_name.get(name, nothing) for name in self.names]
        return [_largest(box) for box, _ in found], [mask for _, mask in found]

    @property
    def may_ignore(self) -> bool:
        """True if the masks state pixels of some image that count neither way."""
        return self.masks is not None and self.masks.shapes[""].may_ignore

    def ignored(self, image: str, crop: Crop, size: tuple[int, int]) -> Mask | None:
        """Return the pixels of one image that count neither way, ``(H, W)``; None where there are none.

        Raises:
            InputError: Their mask cannot be read.
        """
        if self.masks is None:
            return None
        return self.masks.shapes[""].ignored(Place(size, image=image, matrix=crop.matrix, stored=crop.stored))

    def _masks(self, names: Sequence[str], place: Place) -> list[Mask | None]:
        if self.masks is None:
            return [None] * len(names)
        shape = self.masks.shapes[""]
        if not isinstance(shape, PartMasks):
            return self.masks.masks(
                names, place.size, image=place.image, labels=dict.fromkeys(names, 1.0),
                matrix=place.matrix, stored=place.stored,
            )  # fmt: skip
        parts = shape.read(place)  # one file for all attributes
        if parts is None:
            return [None] * len(names)
        moved = cropped(parts, place)
        drawn = [np.isin(moved, shape.parts[name]) if name in shape.parts else None for name in names]
        return [mask if mask is not None and mask.any() else None for mask in drawn]


def find_objects(table: AttributeTable, masks: Regions | None, names: Sequence[str], *, turned: bool) -> TrueObjects:
    """Find the true boxes of a table.

    A file of boxes beside it comes first, then the boxes that the data set itself states, unless it states none of
    these attributes and there are masks. Where crops turn the images and there are masks, those do, because the upright
    box around a turned box is larger than the object.

    Args:
        table: The images.
        masks: Masks of objects stored per image, or None.
        names: Attributes of which boxes are wanted.
        turned: Crops turn the images.

    Raises:
        InputError: There are neither boxes nor masks, or none of these attributes; or a folder has the name of a file
            of boxes.
    """
    file = next((f for place in _places(table) if (f := place / NAME).exists()), None)
    if file is not None and file.is_dir():
        raise InputError(f"{file} is a folder, expected a file of boxes (docs/boxes.md); move it away, or write one")
    boxes = None
    if masks is None or not turned:
        boxes = table.objects if file is None else BoxTable.read(file)
    if masks is not None and file is None and boxes is not None and boxes.names.isdisjoint(names):
        boxes = None
    if boxes is not None:
        boxes.check(table.ids, names)
        known = tuple(name for name in names if name in boxes.names)
    elif masks is not None:
        known = tuple(name for name in names if may_show(masks, name))
    else:
        raise InputError(
            f"no true boxes to compare with: {table.source or table.root} has neither {NAME} nor masks of objects "
            "(masks/parts); see docs/boxes.md, name masks with --object-masks, or leave out --boxes"
        )
    if not known:
        raise InputError(
            f"no true boxes to compare with: {file or getattr(boxes or masks, 'source', '')} has none of the audited "
            "attributes"
        )
    return TrueObjects(known, boxes, masks)


def _places(table: AttributeTable) -> list[Path]:
    """The folders in which a file of boxes is beside a table."""
    source = Path(table.source) if table.source else None
    own = [] if source is None else [source if source.is_dir() else source.parent]
    return [*own, table.root, table.root.parent]


def _largest(boxes: Boxes) -> Boxes:
    """Keep the largest boxes of very many, in their order."""
    if len(boxes) <= TRUE_PARTS:
        return boxes
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return boxes[np.sort(np.argsort(-areas, kind="stable")[:TRUE_PARTS])]
