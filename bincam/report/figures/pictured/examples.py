"""Example images: chosen by a fixed rule, shown as the model saw them, with faces hidden on request."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bincam.data.decoding.bands import photograph, shown_bands, shown_note
from bincam.errors import BincamError, BincamWarning, InputError
from bincam.report.figures.pictured.overlays import Pixels, hidden
from bincam.stats.nearest_rank import nearest_ranks

if TYPE_CHECKING:
    from bincam.audit.folder.reader import Audit
    from bincam.data.attribute_table import AttributeTable

RULE = (
    "Examples are not chosen by hand. Within each outcome the images are sorted by the distance of the logit from the "
    "threshold (ties in the order of the data); those at the 10th, 50th and 90th percentile are shown: a close, a "
    "typical and a clear decision."
)


def choose(distance: NDArray[np.float64], inside: NDArray[np.bool_]) -> list[int]:
    """Choose the images at the 10th, 50th and 90th percentile of |z - t| within an outcome.

    Args:
        distance: ``(N,)`` |z - t|; NaN are excluded.
        inside: ``(N,)`` mask of the images that have the outcome.

    Returns:
        Their positions, from close to clear; fewer than three in small outcomes.
    """
    rows = np.flatnonzero(inside & np.isfinite(distance))
    order = rows[np.argsort(distance[rows], kind="stable")]
    return [int(order[place]) for place in nearest_ranks(len(order))]


@dataclass
class Photographs:
    """The audited images, cropped as the model saw them.

    Attributes:
        audit: The audit, which names the data set.
        hide_faces: Make every image unrecognisable.
        missing: Reason why images cannot be shown; empty where they can.
    """

    audit: Audit
    hide_faces: bool = False
    missing: str = ""
    _views: Any = field(default=None, repr=False)
    _table: Any = field(default=None, repr=False)
    _rows: dict[str, int] = field(default_factory=dict, repr=False)
    _cache: dict[str, Pixels | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Open the data set; if it is missing or has changed, the reason is kept and every image is None."""
        try:
            self._open()
        except InputError as error:
            self.missing = str(error)

    def _read_table(self) -> AttributeTable:
        """Read the audited data again.

        The page may be sent on, and the reader's message may quote a cell, such as a person's name: it is told to who
        makes the page, and the page itself states what does not come from the data.

        Raises:
            InputError: The data cannot be read; the message is for the page.
        """
        data = self.audit.manifest.data
        try:
            return data.read_table()
        except BincamError as error:
            if data.source != "orl" and not Path(data.source).exists():
                raise InputError(f"{data.source}: no such folder or file") from None
            warnings.warn(f"photographs are not shown: {error}", BincamWarning, stacklevel=2)
            raise InputError(f"{data.source} can no longer be read as it was for the audit") from None

    def _open(self) -> None:
        from bincam.data.containers.address import exists
        from bincam.data.dataset import FaceDataset

        manifest = self.audit.manifest
        source = manifest.data.source
        card = manifest.model.card
        table = self._read_table()
        self._rows = {name: row for row, name in enumerate(table.ids)}
        audited = (self._rows[name] for name in self.audit.images["image"] if name in self._rows)
        if not any(exists(table.path(row)) for row in audited):
            raise InputError(f"{source}: none of the audited images is where it was")
        size = tuple(manifest.image_size or card["input_size"])
        fit: Any = manifest.frame_fit
        if fit == "face" and table.landmarks is None:
            raise InputError(f"{source}: the model needs face crops, but the data no longer has landmarks")
        self._table = table
        self._views = FaceDataset(table, size=(int(size[0]), int(size[1])), fit=fit, channels=self._channels)

    @property
    def note(self) -> str:
        """What the pictures show of images of many channels; empty of others."""
        return "" if self.missing else shown_note(self._channels)

    @property
    def _channels(self) -> int:
        """Of the images that the model takes; a card that states no means is one of photographs."""
        return len(self.audit.manifest.model.card.get("mean", (0.0, 0.0, 0.0)))

    def name(self, row: int) -> str:
        """Return the image's name in the data set."""
        return str(self.audit.images["image"].iloc[row])

    def get(self, row: int) -> Pixels | None:
        """Return the image ``(H, W, 3)``; None where the file is missing or broken."""
        name = self.name(row)
        if name not in self._cache:
            self._cache[name] = self._read(name)
        return self._cache[name]

    def framed(self, row: int) -> Pixels | None:
        """Return what views of the image are cut from: the stored image, or the square of its face crop.

        Faces are not hidden in it, whatever ``hide_faces`` says; ``shown`` does that to what is cut from it.
        """
        from bincam.inference.zoom.render import face_square

        name, card = self.name(row), self.audit.manifest.model.card
        if self.missing or name not in self._rows:
            return None
        table, at = self._table, self._rows[name]
        try:
            image = photograph(table.path(at))
            if card.get("fit") != "face" or table.landmarks is None:
                return image
            return face_square(image, table.landmarks[at], int(card["input_size"][0]))
        except InputError:
            return None

    def shown(self, image: Pixels) -> Pixels:
        """Return an image as the page may show it."""
        return hidden(image) if self.hide_faces else image

    def _read(self, name: str) -> Pixels | None:
        if self.missing or name not in self._rows:
            return None
        try:
            return self.shown(shown_bands(self._views[self._rows[name]].view.image))
        except InputError:
            return None


def mean_face(audit: Audit, *, hide_faces: bool = False) -> Pixels | None:
    """Return the mean audited image as the model saw it, with stretched contrast; None where the audit has none."""
    from bincam.audit.folder.files import MEAN_IMAGE
    from bincam.data.images import decode

    file = Path(audit.folder) / MEAN_IMAGE
    if not file.is_file():
        return None
    image = decode(file).astype(np.float64)
    low, high = np.percentile(image, (1, 99))
    # A mean has little contrast; stretched to the full range its features become visible.
    stretched = np.clip((image - low) * (255 / max(high - low, 1.0)), 0, 255).astype(np.uint8)
    return hidden(stretched, 16) if hide_faces else stretched
