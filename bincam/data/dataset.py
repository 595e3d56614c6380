"""A table as a torch data set: decode, crop, augment. A sample depends only on the seed and its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bincam.data import crop
from bincam.data.attribute_table import AttributeTable
from bincam.data.augment import Augmentation, View, Views
from bincam.data.decoding.bands import decode_bands, photograph, picture
from bincam.data.regions.regions import Regions
from bincam.errors import InputError

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    _Base = Dataset["Sample | Skipped"]
else:
    _Base = object  # torch's loader asks for __getitem__ and __len__; importing torch takes longer than a small report

OnError = Literal["raise", "skip"]


class Key(NamedTuple):
    """A sampler's request: a row of the table in an epoch.

    Attributes:
        epoch: Number of the epoch, from 0.
        row: Row of the table.
        repeat: How often this row occurred before in the epoch; each repetition is augmented differently.
    """

    epoch: int
    row: int
    repeat: int = 0


@dataclass(frozen=True)
class Sample:
    """One cropped image.

    Attributes:
        row: Row of the table.
        view: Image and points after the crop.
        masks: ``(M, H, W)`` bool, or None if no regions were requested.
        known: ``(M,)`` bool: whether the region has a mask in this image.
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
        row: Row of the table.
        reason: The error message, which names the file.
    """

    row: int
    reason: str


class Crop(NamedTuple):
    """A cropped image and its crop, as passed to ``also``.

    Attributes:
        row: Row of the table.
        view: Image and points after the crop.
        matrix: From stored to cropped pixels, without the augmentation.
        stored: ``(H, W)`` of the stored image.
        image: ``(H, W, 3)``, the stored image; None where a crop was made without one.
    """

    row: int
    view: View
    matrix: NDArray[np.float64]
    stored: tuple[int, int]
    image: NDArray[np.uint8] | None = None


Also = Callable[[Crop], Mapping[str, NDArray[Any]]]
"""A function that makes further arrays from an image, in the process that reads it."""


class FaceDataset(_Base):
    """Images of a table, cropped and optionally augmented.

    ``bincam.data.loader`` makes batches of it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from PIL import Image
        >>> from bincam.data import AttributeTable, FaceDataset
        >>> with TemporaryDirectory() as folder:
        ...     Image.new("RGB", (178, 218)).save(f"{folder}/a.png")
        ...     faces = AttributeTable(("Smiling",), np.ones((1, 1)), ("a.png",), folder)
        ...     FaceDataset(faces, size=64)[0].view.image.shape
        (64, 64, 3)
    """

    def __init__(
        self,
        table: AttributeTable,
        *,
        size: int | tuple[int, int] = 224,
        fit: crop.Fit | None = None,
        augmentation: Augmentation | None = None,
        regions: Regions | None = None,
        also: Also | None = None,
        channels: int | None = None,
        seed: int = 0,
        on_error: OnError = "raise",
    ) -> None:
        """Set what a sample contains.

        Args:
            table: The images.
            size: ``(H, W)`` of the output, or the side of a square.
            fit: ``"face"`` is the AFFACT crop by landmarks, ``"crop"`` the largest centred part, ``"stretch"`` the
                whole image. None is ``"face"`` if the table has landmarks and the output is square, else ``"crop"``.
            augmentation: The random augmentation; None for plain crops.
            regions: Regions of which each sample gets one mask per attribute of the table. Masks stored per image are
                transformed with the crop, all others are drawn into the crop.
            also: Function that makes further arrays from each image, in the process that reads it.
            channels: Number of channels that a model takes, of which the images then have as many: 1 and 3 of 8-bit
                images whose range is not stated are converted from RGB. None for pictures to look at, RGB uint8.
            seed: Seed of the augmentation.
            on_error: ``"raise"`` raises an error that names the file, ``"skip"`` returns a ``Skipped`` as the sample.

        Raises:
            InputError: ``"face"`` without landmarks or with a size that is not square, or a size below 1; or two images
                would share a mask stored per image.
        """
        height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
        if height < 1 or width < 1:
            raise InputError(f"size={size}: expected at least 1 pixel")
        if fit is None:
            fit = "face" if table.landmarks is not None and height == width else "crop"
        if fit == "face" and table.landmarks is None:
            raise InputError(
                f"{table.source or table.root}: a face crop needs landmarks; use fit='crop', which needs none"
            )
        if fit == "face" and height != width:
            raise InputError(
                f"a face crop is square, got {height} x {width}; fit='crop' and fit='stretch' take any size"
            )
        if fit not in {"face", "crop", "stretch"}:
            raise InputError(f"fit={fit!r}: expected one of 'face', 'crop', 'stretch'")
        if on_error not in {"raise", "skip"}:
            raise InputError(f"on_error={on_error!r}: expected 'raise' or 'skip'")
        if regions is not None:
            regions.check_images(table.ids)
        self.table = table
        self.size = (height, width)
        self.fit = fit
        self.regions = regions
        self.also = also
        self.channels = channels
        self._bands = channels is not None and (channels not in (1, 3) or table.value_range is not None)
        if self._bands and augmentation is not None and augmentation.extra:
            raise InputError("extra transforms are of 8-bit RGB images, and these have other channels or values")
        self.seed = seed
        self.on_error = on_error
        self._views = Views(augmentation, self.size)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, key: int | Key) -> Sample | Skipped:
        """The sample of a key; a plain row number means epoch 0."""
        full_key = key if isinstance(key, Key) else Key(0, int(key))
        try:
            return self._sample(full_key)
        except InputError as error:
            if self.on_error == "raise":
                raise
            return Skipped(full_key.row, str(error))

    def _sample(self, key: Key) -> Sample:
        row = key.row
        table, path = self.table, self.table.path(row)
        image = self._decoded(path)
        points = None if table.landmarks is None else table.landmarks[row]
        box = None if table.boxes is None else table.boxes[row]
        if self.fit == "face":
            assert points is not None  # the constructor checked it
            try:
                matrix = crop.face_matrix(points, self.size[0])
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
        else:
            matrix = crop.fit_matrix(self.fit, (image.shape[0], image.shape[1]), self.size)
        size = (image.shape[0], image.shape[1])
        stored = self._stored(row, size, matrix)
        moving = None if stored is None or self._views.augmentation is None else stored[0]
        seed = (self.seed, key.epoch, row, *([key.repeat] if key.repeat else []))
        view = self._views(image, matrix, seed, landmarks=points, box=box, masks=moving)
        also = {} if self.also is None else self.also(Crop(row, view, matrix, size, image))
        if self.regions is None:
            return Sample(row, view, also=also)
        if stored is not None:
            return Sample(row, view, stored[0] if moving is None else view.masks, stored[1], also)
        masks, known = _stack(self.regions.masks(table.names, self.size, landmarks=view.landmarks), self.size)
        return Sample(row, view, masks, known, also)

    def _decoded(self, path: Path) -> NDArray[Any]:
        if self.channels is None:
            return picture(path, self.table.value_range)
        if self._bands:
            return decode_bands(path, self.channels, self.table.value_range)
        return photograph(path)

    def _stored(
        self, row: int, size: tuple[int, int], matrix: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Masks stored per image: cropped, or those of the stored image where an augmentation will move them."""
        if self.regions is None or not self.regions.per_image:
            return None
        labels = dict(zip(self.table.names, self.table.labels[row].tolist(), strict=True))
        whole = self._views.augmentation is not None
        masks = self.regions.masks(
            self.table.names,
            size if whole else self.size,
            image=self.table.ids[row],
            labels=labels,
            matrix=None if whole else matrix,
            stored=None if whole else size,
        )
        return _stack(masks, size if whole else self.size)


def _stack(
    masks: Sequence[NDArray[np.bool_] | None], size: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    known = np.array([mask is not None for mask in masks])
    return np.stack([np.zeros(size, bool) if mask is None else mask for mask in masks]), known
