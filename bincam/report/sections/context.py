"""Context that all cards share: the models, their images, and the folder of full-size images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

from bincam.errors import InputError
from bincam.files import atomic
from bincam.report.figures.audited.attribute import Canvas
from bincam.report.figures.pictured.examples import Photographs
from bincam.report.figures.pictured.overlays import Pixels, outline, resize, uri
from bincam.report.reading.audited_model import Arm
from bincam.report.reading.contrast import Contrast
from bincam.report.sections.words import sentences
from bincam.report.view.parts import Picture


@dataclass
class Drawing:
    """Context that all cards share.

    Attributes:
        arms: The audited models.
        photographs: The first arm's images.
        face: The mean face; None where the audit has none.
        canvas: The reusable axes of the charts.
        assets: Folder for full-size pictures, or None.
        base: Folder of the page; links are relative to it.
        contrast: The comparison of two arms; None for a single audit.
        misses: Number of an attribute's worst misses to show at most.
    """

    arms: Sequence[Arm]
    photographs: Photographs
    face: Pixels | None
    canvas: Canvas
    assets: Path | None
    base: Path
    contrast: Contrast | None
    misses: int
    _outlines: dict[str, dict[str, str]] = field(default_factory=dict)

    def prefix(self, arm: Arm) -> str:
        """Return the arm's name and a colon to begin a line with; empty where there is only one arm."""
        return f"{arm.name}: " if len(self.arms) > 1 else ""

    @property
    def explained(self) -> str:
        """The side that the maps explain; it is the same for both models of a contrast."""
        return sentences.explained(self.arms[0])

    def outline(self, arm: Arm, attribute: str) -> str:
        """Return the attribute's mean region as an SVG path; empty without a region."""
        if arm.name not in self._outlines:
            try:
                regions = dict(zip(arm.audit.attributes, arm.audit.regions(), strict=True))
            except InputError:
                regions = {}
            self._outlines[arm.name] = {name: outline(mask) for name, mask in regions.items()}
        return self._outlines[arm.name].get(attribute, "")

    def picture(self, image: Pixels, side: int, alt: str, name: str) -> Picture:
        """Embed an image at thumbnail size, and write it in full size to the assets if there are any."""
        return Picture(uri(resize(image, side)), alt, self._keep(image, name))

    def _keep(self, image: Pixels, name: str) -> str:
        if self.assets is None:
            return ""
        import os

        from PIL import Image

        file = self.assets.joinpath(*map(slug, name.split("/"))).with_suffix(".png")
        with atomic(file) as part:
            Image.fromarray(image).save(part)
        return quote(os.path.relpath(file, self.base).replace(os.sep, "/"))


def slug(name: str) -> str:
    """Make a name safe in an address or a file name; a digest keeps changed names distinct."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    return plain if plain == name else f"{plain}-{crc32(name.encode()):08x}"
