"""A table as a torch data set: decode, crop, augment. What comes out depends on seed and key alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from bincam.data import crop
from bincam.data.attribute_table import AttributeTable
from bincam.data.augment import Augmentation, View, Views
from bincam.data.images import decode
from bincam.data.regions.regions import Regions
from bincam.errors import InputError

OnError = Literal["raise", "skip"]


class Key(NamedTuple):
    """What a sampler asks for: a row of the table in an epoch.

    Attributes:
        epoch: From 0.
        row: Of the table.
        repeat: How often the epoch has had this row before; each time it is augmented anew.
    """

    epoch: int
    row: int
    repeat: int = 0


@dataclass(frozen=True)
class Sample:
    """One image, cropped.

    Attributes:
        row: Of the table.
        view: Image and points as cropped.
        masks: ``(M, H, W)`` bool, or None where no regions were asked for.
        known: ``(M,)`` whether that region has a mask in this image.
        also: Further arrays, by name.
    """

    row: int
    view: View
    masks: NDArray[np.bool_] | None = None
    known: NDArray[np.bool_] | None = None
    also: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read.

    Attributes:
        row: Of the table.
        reason: What was wrong, naming the file.
    """

    row: int
    reason: str


class Crop(NamedTuple):
    """What became of an image.

    Attributes:
        row: Of the table.
        view: Image and points as cropped.
        matrix: From stored to cropped pixels; an augmentation does not enter it.
        stored: ``(H, W)`` of the stored image.
    """

    row: int
    view: View
    matrix: NDArray[np.float64]
    stored: tuple[int, int]


Also = Callable[[Crop], Mapping[str, NDArray[Any]]]
"""Makes further arrays of an image, in the process that reads it."""


class FaceDataset(Dataset[Sample | Skipped]):
    """Images of a table, cropped and, if asked, augmented."""

    def __init__(
        self,
        table: AttributeTable,
        *,
        size: int | tuple[int, int] = 224,
        fit: crop.Fit | None = None,
        augmentation: Augmentation | None = None,
        regions: Regions | None = None,
        also: Also | None = None,
        seed: int = 0,
        on_error: OnError = "raise",
    ) -> None:
        """Say what to give.

        Args:
            table: The images.
            size: ``(H, W)`` of the output, or the side of a square.
            fit: ``"face"`` is the AFFACT crop by landmarks, ``"crop"`` the largest centred part, ``"stretch"`` the
                whole image. None is ``"face"`` where the table has landmarks and the output is square, else ``"crop"``.
            augmentation: What varies; None for plain crops.
            regions: Give a mask per attribute of the table. Masks stored per image move with the crop, all others are
                drawn into it.
            also: What else to make of each image, in the process that reads it.
            seed: Seeds the augmentation.
            on_error: ``"raise"`` an error that names the file, or ``"skip"`` it: the sample is then a ``Skipped``.

        Raises:
            InputError: ``"face"`` without landmarks or for a size that is not square, or a size below 1.
        """
        height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
        if height < 1 or width < 1:
            raise InputError(f"a size in pixels is at least 1, got {size}")
        if fit is None:
            fit = "face" if table.landmarks is not None and height == width else "crop"
        if fit == "face" and table.landmarks is None:
            raise InputError(f"{table.source or table.root}: a face crop needs landmarks; fit='crop' needs none")
        if fit == "face" and height != width:
            raise InputError(f"a face crop is square, got {height} x {width}; fit='crop' or 'stretch' take any size")
        if fit not in {"face", "crop", "stretch"}:
            raise InputError(f"fit={fit!r}: one of 'face', 'crop', 'stretch'")
        if on_error not in {"raise", "skip"}:
            raise InputError(f"on_error={on_error!r}: one of 'raise', 'skip'")
        self.table = table
        self.size = (height, width)
        self.fit = fit
        self.regions = regions
        self.also = also
        self.seed = seed
        self.on_error = on_error
        self._views = Views(augmentation, self.size)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, key: int | Key) -> Sample | Skipped:
        """The sample of a row; a bare row is that of epoch 0."""
        wanted = key if isinstance(key, Key) else Key(0, int(key))
        try:
            return self._sample(wanted)
        except InputError as error:
            if self.on_error == "raise":
                raise
            return Skipped(wanted.row, str(error))

    def _sample(self, key: Key) -> Sample:
        row = key.row
        table, path = self.table, self.table.path(row)
        image = decode(path)
        points = None if table.landmarks is None else table.landmarks[row]
        box = None if table.boxes is None else table.boxes[row]
        if self.fit == "face":
            assert points is not None  # the constructor has seen to it
            try:
                matrix = crop.face_matrix(points, self.size[0])
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
        else:
            matrix = crop.fit_matrix(self.fit, (image.shape[0], image.shape[1]), self.size)
        stored = self._stored(row, image.shape[:2])
        seed = (self.seed, key.epoch, row, *([key.repeat] if key.repeat else []))
        view = self._views(image, matrix, seed, landmarks=points, box=box, masks=None if stored is None else stored[0])
        also = {} if self.also is None else self.also(Crop(row, view, matrix, (image.shape[0], image.shape[1])))
        if self.regions is None:
            return Sample(row, view, also=also)
        if stored is not None:
            return Sample(row, view, view.masks, stored[1], also)
        masks, known = _stack(self.regions.masks(table.names, self.size, landmarks=view.landmarks), self.size)
        return Sample(row, view, masks, known, also)

    def _stored(self, row: int, size: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        if self.regions is None or not self.regions.per_image:
            return None
        labels = dict(zip(self.table.names, self.table.labels[row].tolist(), strict=True))
        shape = (size[0], size[1])
        return _stack(self.regions.masks(self.table.names, shape, image=self.table.ids[row], labels=labels), shape)


def _stack(
    masks: Sequence[NDArray[np.bool_] | None], size: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    known = np.array([mask is not None for mask in masks])
    return np.stack([np.zeros(size, bool) if mask is None else mask for mask in masks]), known
