"""A contact sheet of images that no view gets right: what each is, and what it was taken for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bincam.data.decoding.bands import photograph
from bincam.errors import InputError
from bincam.files import atomic
from bincam.report.figures.pictured.sheet import make_sheet, style
from bincam.stats.formatting import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bincam.studies.zoom.hard_set import HardSet

MOST = 60
"""Images on one sheet."""

SIDE = 320
"""Pixels of the longer side of a picture."""


def contact_sheet(hard: HardSet, root: Path) -> Figure:
    """Draw the first images of a hard set in the order of the data, at most 60.

    Args:
        hard: The hard set.
        root: The folder that its image names are relative to.
    """
    from PIL import Image

    rows = hard.rows[:MOST]
    more = f"the first {len(rows)} of them in the order of the data" if len(hard.rows) > len(rows) else "all of them"
    caption = (
        f"{len(hard.rows):,} of {hard.images:,} images are right in no view; shown are {more}. Below each name: the "
        "true answer → the answer that most views give, with the share of the views that give it."
    )
    with style():
        sheet = make_sheet(len(rows), (1, 1), title="Right in no view", caption=caption, footer=0.1)
        for place, row in enumerate(rows):
            mistakes = hard.of(row)
            lines = [f"{_question(m.question, hard)}{m.true} → {m.taken_for} ({percent(m.share, 0)})" for m in mistakes]
            if len(lines) > 2:
                lines = [lines[0], f"and {len(lines) - 1} more questions"]
            axes = sheet.picture_axes(place, Path(mistakes[0].image).name, [line[:46] for line in lines])
            try:
                picture = Image.fromarray(photograph(root / mistakes[0].image))
            except InputError:
                axes.text(0.5, 0.5, "the file is no longer there", ha="center", transform=axes.transAxes)
                continue
            picture.thumbnail((SIDE, SIDE))
            axes.imshow(np.asarray(picture))
    return sheet.figure


def write_contact_sheet(hard: HardSet, root: Path, file: Path) -> int:
    """Write a contact sheet as PNG, and return the number of images on it."""
    figure = contact_sheet(hard, root)
    with atomic(file) as part:
        figure.savefig(part, format="png", dpi=110)
    return min(len(hard.rows), MOST)


def _question(name: str, hard: HardSet) -> str:
    """The question before its answers, where there are several."""
    return f"{name}: " if len({entry.question for entry in hard.mistaken}) > 1 else ""
