"""What the reference split says of boxes: the constant box of each attribute, and one threshold for the data set."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.boxes import REFERENCE
from bincam.errors import InputError
from bincam.files import read_json, write_json
from bincam.metrics.localization.boxes.constant import ConstantBoxes

KIND, SCHEMA = "bincam-box-reference", 1


@dataclass(frozen=True)
class BoxReference:
    """Figures of the reference split.

    Attributes:
        names: The A attributes.
        fitted: Their constant and centred boxes.
        level: τ that is best on the split; NaN where it has no true box.
        images: Images that were read.
        split: The split's name.
    """

    names: tuple[str, ...]
    fitted: ConstantBoxes
    level: float
    images: int
    split: str = field(default="")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object: None for NaN."""

        def plain(boxes: NDArray[np.float64]) -> list[list[float] | None]:
            return [None if np.isnan(box).any() else box.tolist() for box in boxes]

        return {
            "kind": KIND,
            "schema": SCHEMA,
            "split": self.split,
            "images": self.images,
            "level": None if np.isnan(self.level) else self.level,
            "attributes": list(self.names),
            "centred": plain(self.fitted.centred),
            "constant": plain(self.fitted.constant),
            "fitted_on": self.fitted.images.tolist(),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``references/boxes.json`` in an audit's folder, atomically."""
        write_json(folder / REFERENCE, self.to_json())


def load_box_reference(folder: Path) -> BoxReference | None:
    """Read what ``BoxReference.save`` wrote; None without the file.

    Raises:
        InputError: The file is broken, or of another kind or schema.
    """
    file = folder / REFERENCE
    if not file.is_file():
        return None
    value = read_json(file, kind=KIND, schema=SCHEMA)
    try:
        boxes = [
            np.array([[np.nan] * 4 if box is None else box for box in value[name]], np.float64).reshape(-1, 4)
            for name in ("centred", "constant")
        ]
        level = float("nan") if value["level"] is None else float(value["level"])
        fitted = ConstantBoxes(boxes[0], boxes[1], np.array(value["fitted_on"], np.int64))
        return BoxReference(tuple(value["attributes"]), fitted, level, int(value["images"]), str(value["split"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{file}: no reference of boxes ({type(error).__name__} {error}); make the audit again"
        ) from None
