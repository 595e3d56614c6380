"""What the annotations of objects say of images: labels of classes, and boxes, gathered image by image."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bincam.data.attribute_table import AttributeTable
from bincam.data.regions.box_table import BoxTable
from bincam.data.regions.boxes import checked_boxes
from bincam.display import counted
from bincam.errors import BincamWarning, InputError

BadBoxes = Literal["refuse", "skip"]
Unannotated = Literal["unknown", "absent"]
ROUNDING = 1.0
"""Pixels by which a box may reach beyond its image, because its ends were rounded; it is cut at the border."""


@dataclass
class FoundObjects:
    """Images, with the classes and boxes that were found in their annotations.

    Attributes:
        source: The file or folder, for messages.
        classes: Names of the classes, each of which becomes an attribute.
        bad_boxes: Refuse boxes without area or beyond their image, or skip them, with a warning that counts them.
        sizes: ``(W, H)`` of each image, or None where it is not known.
        splits: The split of each image.
        labels: For each image the classes that are there (1), or of which that is not known (NaN).
        unlabelled: Images of which nothing is known.
    """

    source: str
    classes: Sequence[str]
    bad_boxes: BadBoxes = "refuse"
    sizes: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    labels: dict[str, dict[str, float]] = field(default_factory=dict)
    unlabelled: set[str] = field(default_factory=set)
    _boxes: dict[tuple[str, str], list[list[float]]] = field(default_factory=dict)
    _skipped: list[str] = field(default_factory=list)

    def image(self, name: str, where: str, size: tuple[int, int] | None = None, split: str = "") -> None:
        """Add an image.

        Raises:
            InputError: It is there already, or its name is empty or that of a file outside of the images' folder.
        """
        if not name:
            raise InputError(f"{where}: an image without a name")
        if name in self.sizes:
            raise InputError(f"{where}: image {name!r} occurs twice")
        self.sizes[name] = size
        self.splits[name] = split
        self.labels[name] = {}

    def present(self, name: str, label: str, *, known: bool = True) -> None:
        """State that an image shows a class, or that it is not known whether it does; the former prevails."""
        if known or label not in self.labels[name]:
            self.labels[name][label] = 1.0 if known else float("nan")

    def box(self, name: str, label: str, ends: Sequence[float], where: str) -> None:
        """Add the box of an object.

        Args:
            name: Of the image.
            label: The class.
            ends: x0, y0, x1, y1 in pixels of the stored image, ends exclusive.
            where: Place of the annotation, for the message.

        Raises:
            InputError: It has no area, or reaches beyond the image by more than rounding, and ``bad_boxes`` refuses.
        """
        try:
            cut = self._cut(name, ends, where)
        except InputError as error:
            if self.bad_boxes == "refuse":
                raise InputError(f"{error}; correct it, or skip such boxes: bad_boxes='skip'") from None
            self._skipped.append(str(error))
            return
        self._boxes.setdefault((name, label), []).append(cut)

    def _cut(self, name: str, ends: Sequence[float], where: str) -> list[float]:
        size = self.sizes[name]
        box = [float(end) for end in ends]
        if size is not None:
            box = [
                min(max(end, 0.0), limit) if -ROUNDING <= end <= limit + ROUNDING else end
                for end, limit in zip(box, (*size, *size), strict=True)
            ]
        x0, y0, x1, y1 = box
        right, bottom = size or (math.inf, math.inf)
        if not (-math.inf < x0 < x1 <= right and -math.inf < y0 < y1 <= bottom and (size is None or min(x0, y0) >= 0)):
            checked_boxes(box, None if size is None else (size[1], size[0]), where)  # says what is wrong
        return box

    def table(
        self, root: str | Path, *, unannotated: Unannotated = "unknown", with_splits: bool = False, **extra: Any
    ) -> AttributeTable:
        """Make the table.

        Args:
            root: Folder of the images.
            unannotated: What the images in ``unlabelled`` show: nothing is known, or none of the classes.
            with_splits: Images have splits.
            extra: Further fields of the table.

        Returns:
            Labels 1 where a class was found, 0 where it was not, NaN where that is not known; boxes as ``objects``.

        Raises:
            InputError: There are no images.
        """
        if not self.sizes:
            raise InputError(f"{self.source}: no images in it")
        ids = tuple(self.sizes)
        column = {name: i for i, name in enumerate(self.classes)}
        labels = np.zeros((len(ids), len(column)), np.float32)
        for row, name in enumerate(ids):
            if name in self.unlabelled and unannotated == "unknown":
                labels[row] = np.nan
            for label, value in self.labels[name].items():
                labels[row, column[label]] = value
        if self._skipped:
            warnings.warn(
                f"{self.source}: {counted(len(self._skipped), 'box', 'boxes')} skipped, the first: {self._skipped[0]}",
                BincamWarning,
                stacklevel=3,
            )
        if with_splits:
            extra["splits"] = np.array([self.splits[name] for name in ids], np.str_)
        boxes = {key: np.array(ends, np.float64) for key, ends in self._boxes.items()}
        count = counted(sum(map(len, boxes.values())), "box", "boxes")
        said = (*extra.pop("meaning", ()), f"objects: {count} in {counted(len({path for path, _ in boxes}), 'image')}")
        return AttributeTable(
            names=tuple(self.classes),
            labels=labels,
            ids=ids,
            root=Path(root),
            objects=BoxTable(boxes, self.source),
            source=self.source,
            meaning=said,
            **extra,
        )
