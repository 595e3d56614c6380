"""Where the objects of an image are: the centre of each output's box, for the scale that a question needs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bincam.audit.pipeline.boxes.true_objects import TrueObjects, find_objects
from bincam.audit.pipeline.defaults import choose_masks
from bincam.audit.settings import Settings
from bincam.data import AttributeTable, crop
from bincam.data.augment import View
from bincam.data.dataset import Crop
from bincam.data.regions.box_table import NAME
from bincam.data.regions.boxes import union_box
from bincam.errors import BincamWarning, InputError
from bincam.models import Card


@dataclass(frozen=True)
class Centres:
    """Centres of the objects of a table's images.

    Attributes:
        table: The images.
        card: Of the model.
        objects: Their boxes or masks; None where the data has neither.
    """

    table: AttributeTable
    card: Card
    objects: TrueObjects | None

    @classmethod
    def of(cls, table: AttributeTable, card: Card) -> Centres:
        """Find boxes (``boxes.parquet``) or masks (``masks/parts``) beside a table.

        Warns:
            BincamWarning: There are some, but they are not of these outputs, or cannot be read.
        """
        masks = choose_masks(table, Settings(), None).get("object")
        own = [Path(table.source).parent, Path(table.source)] if table.source else []
        if masks is None and not any((place / NAME).is_file() for place in (*own, table.root, table.root.parent)):
            return cls(table, card, None)
        try:
            objects = find_objects(table, masks, table.names, turned=card.fit == "face")
        except InputError as error:
            warnings.warn(f"the scale that an object needs is not measured: {error}", BincamWarning, stacklevel=2)
            objects = None
        return cls(table, card, objects)

    def at(self, row: int, pixels: NDArray[np.uint8], landmarks: ArrayLike | None) -> NDArray[np.float32]:
        """Return x and y of the objects of one image, as shares of its width and height.

        Of a face crop, they are shares of its square's side.

        Args:
            row: Row of the image.
            pixels: The decoded image.
            landmarks: ``(5, 2)``, for a face crop.

        Returns:
            ``(A, 2)``; NaN where the label is not 1, or the image has no such object inside of the frame.
        """
        result = np.full((len(self.table.names), 2), np.nan, np.float32)
        if self.objects is None:
            return result
        columns = [self.table.names.index(name) for name in self.objects.names]
        wanted = self.table.labels[row, columns] == 1
        if not wanted.any():
            return result
        height, width = self.card.input_size
        stored = (pixels.shape[0], pixels.shape[1])
        matrix = (
            crop.face_matrix(landmarks, height)
            if self.card.fit == "face" and landmarks is not None
            else crop.fit_matrix("stretch", stored, (height, width))
        )
        of_image = Crop(row, View(pixels, None, None, None, mirrored=False), matrix, stored)
        boxes, _ = self.objects.of(self.table.ids[row], of_image, (height, width), wanted.tolist())
        for column, of_object in zip(columns, boxes, strict=True):
            for x0, y0, x1, y1 in union_box(of_object):
                result[column] = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height
        return result
