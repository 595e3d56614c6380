"""How the model sees photographs that were named one by one: as its card states, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.decoding.bands import ValueRange, decode_bands, shown_bands, shown_note
from bincam.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from bincam.cam import PlacedViews
    from bincam.inference.zoom.plan import Plan
    from bincam.models import Card

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Photographs:
    """What turns image files into a model's input, and places of that input into places of the photograph.

    Attributes:
        card: Of the model, with the ``fit`` that is used.
        landmarks: Of each file, ``(5, 2)`` x, y in its pixels, or None where there are none; empty for a model that
            needs none.
        source: Where the landmarks are from, for messages.
        trained_on: The ``fit`` that the model's card states, where the user asked for another.
        value_range: The values of the images that are black and white; None of 8-bit images.
    """

    card: Card
    landmarks: Mapping[Path, Points | None] = field(default_factory=dict)
    source: str = ""
    trained_on: str | None = None
    value_range: ValueRange | None = None

    @property
    def banded(self) -> bool:
        """True where images are read as they are, with any number of channels and type of values."""
        return len(self.card.mean) not in (1, 3) or self.value_range is not None

    def tensor(self, file: Path) -> Tensor:
        """Return a photograph as the model takes it, ``(C, H, W)``.

        Raises:
            InputError: It cannot be read, or its landmarks are unknown or all beside it.
        """
        from bincam.models import preprocess, preprocess_values

        if self.banded:
            return preprocess_values(*self._values(file))
        photo, points = self._opened(file)
        return preprocess(photo, self.card, points)

    def views(self, file: Path, plan: Plan) -> PlacedViews:
        """Return a photograph at views of it, or of the square of its face crop.

        Raises:
            InputError: It cannot be read, or its landmarks are unknown or all beside it.
        """
        from bincam.cam import PlacedViews

        _, points = self._opened(file)
        return PlacedViews.of([file], plan, self.card, None if points is None else [points])

    def as_seen(self, file: Path) -> NDArray[np.uint8]:
        """Return the picture ``(H, W, 3)`` that the model sees, before it is normalised; of many channels the first."""
        from bincam.models.preprocess import fit, fit_values

        if self.banded:
            return shown_bands(fit_values(*self._values(file)))
        photo, points = self._opened(file)
        return np.asarray(fit(photo, self.card, points).convert("RGB"))

    def viewed(self, file: Path) -> Image:
        """Return the picture that views are views of: the photograph, or the square of its face crop."""
        from PIL import Image

        from bincam.inference import face_square

        photo, points = self._opened(file)
        if points is None:
            return photo
        return Image.fromarray(face_square(np.asarray(photo), points, self.card.input_size[0]))

    def size(self, file: Path) -> tuple[int, int]:
        """Return ``(H, W)`` of a photograph, as it is read."""
        from bincam.models import open_image

        if self.banded:
            height, width, _ = decode_bands(file, len(self.card.mean), self.value_range).shape
            return height, width
        photo = open_image(file)
        return photo.height, photo.width

    def matrix(self, file: Path, size: tuple[int, int]) -> Points:
        """Return the matrix ``(2, 3)`` from pixels of a photograph of ``size`` (H, W) to those of the model's input."""
        from bincam.models.preprocess import input_matrix

        return input_matrix(self.card, size, self._points(file))

    def about(self) -> dict[str, Any]:
        """State in the document how photographs were fitted, where that is not told by the model alone.

        >>> from bincam.models import make_card
        >>> card = make_card(attributes=("Bald",), architecture="timm", name="resnet18", input_size=(64, 64))
        >>> Photographs(card, trained_on="face").about()
        {'fit': 'stretch', 'trained_on': 'face'}
        """
        stated: dict[str, Any] = {"fit": self.card.fit}
        if self.source:
            stated["landmarks"] = self.source
        if self.trained_on:
            stated["trained_on"] = self.trained_on
        if self.value_range is not None:
            stated["range"] = list(self.value_range)
        if note := shown_note(len(self.card.mean)):
            stated["pictures"] = note
        return stated

    def _values(self, file: Path) -> tuple[NDArray[np.float32], Card, Points | None]:
        """Read an image as it is, with the card and its landmarks."""
        values, points = decode_bands(file, len(self.card.mean), self.value_range), self._points(file)
        self._check_points(file, points, (values.shape[1], values.shape[0]))
        return values, self.card, points

    def _opened(self, file: Path) -> tuple[Image, Points | None]:
        """Open a photograph, and find its landmarks; refuse those that are of another picture than this one."""
        from bincam.models import open_image

        photo, points = open_image(file), self._points(file)
        self._check_points(file, points, photo.size)
        return photo, points

    def _check_points(self, file: Path, points: Points | None, size: tuple[int, int]) -> None:
        if points is not None and not np.any(np.all((points >= 0) & (points < size), axis=1)):
            raise InputError(
                f"{file}: none of its landmarks lies on it, which is {size[0]}x{size[1]} pixels; "
                f"{self.source} must state pixels of this very file, not of a larger or a cropped one"
            )

    def _points(self, file: Path) -> Points | None:
        if self.card.fit != "face":
            return None
        points = self.landmarks.get(file)
        if points is None:
            raise InputError(f"{file}: not in {self.source}, so its landmarks are unknown")
        if not np.isfinite(points).all():
            raise InputError(f"{file}: {self.source} does not know all five landmarks of it")
        return points


def fit_note(document: Mapping[str, Any]) -> str:
    """Write the sentences about a fit that the model was not trained on, and about channels, for a figure's caption."""
    photographs = document.get("photographs", {})
    note = photographs.get("pictures", "")
    said = f" {note[:1].upper()}{note[1:]}." if note else ""
    if "trained_on" not in photographs:
        return said
    return said + (
        f" The model was trained on {photographs['trained_on']} crops and is shown the photograph by "
        f"{photographs['fit']!r} instead: its answers may be worse than an audit says."
    )
