"""How the model sees photographs that were named one by one: as its card states, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
    """

    card: Card
    landmarks: Mapping[Path, Points | None] = field(default_factory=dict)
    source: str = ""
    trained_on: str | None = None

    def tensor(self, file: Path) -> Tensor:
        """Return a photograph as the model takes it, ``(C, H, W)``.

        Raises:
            InputError: It cannot be read, or its landmarks are unknown or all beside it.
        """
        from bincam.models import preprocess

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
        """Return the picture ``(H, W, 3)`` that the model sees, before it is normalised."""
        from bincam.models.preprocess import fit

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
        return stated

    def _opened(self, file: Path) -> tuple[Image, Points | None]:
        """Open a photograph, and find its landmarks; refuse those that are of another picture than this one."""
        from bincam.models import open_image

        photo, points = open_image(file), self._points(file)
        if points is not None and not np.any(np.all((points >= 0) & (points < photo.size), axis=1)):
            raise InputError(
                f"{file}: none of its landmarks lies on it, which is {photo.width}x{photo.height} pixels; "
                f"{self.source} must state pixels of this very file, not of a larger or a cropped one"
            )
        return photo, points

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
    """Write the sentence about a fit that the model was not trained on, for the caption of a figure; empty without."""
    photographs = document.get("photographs", {})
    if "trained_on" not in photographs:
        return ""
    return (
        f" The model was trained on {photographs['trained_on']} crops and is shown the photograph by "
        f"{photographs['fit']!r} instead: its answers may be worse than an audit says."
    )
