"""Examples of prediction grids: missed images whose evidence is in the cells of the object, and others whose is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bincam.audit.folder.parts.cells import read_image_cells
from bincam.audit.summary.panel import Panel, read_panel
from bincam.report.figures.pictured.cell_overlay import name_picture, score_picture
from bincam.report.figures.pictured.examples import choose
from bincam.report.figures.pictured.overlays import Pixels
from bincam.report.reading.audited_model import Arm, position_of
from bincam.report.sections.context import Drawing, slug
from bincam.report.view.cells import CellExamples
from bincam.report.view.parts import Example, Picture
from bincam.stats.formatting import counted, number, percent

SHOWN_SIDE = 144
GREY = 225
RULE = (
    "Examples are not chosen by hand: of the missed images of each kind, sorted by the distance of the logit from the "
    "threshold, those at the 10th, 50th and 90th percentile are shown. The cells of the object are outlined."
)
SCORES_LEGEND = (
    "Red cells say yes, blue cells no, white is the threshold; the colours are stretched by a square root, and "
    "end {limit} logits from it in all examples of this attribute."
)
NAMES_LEGEND = "Orange cells name the true output, blue cells the predicted one, grey cells another."
KINDS = (
    ("Missed, and the evidence is there: a cell on the object {says}", 1.0),
    ("Missed, and no cell on the object {says}", 0.0),
)


@dataclass(frozen=True)
class CellRecords:
    """The cells of one audited model, with what its records say of them.

    Attributes:
        arm: Of an audit with a prediction grid.
    """

    arm: Arm

    @cached_property
    def panel(self) -> Panel:
        """The records of ``cells.recovery`` and ``cells.chance``."""
        return read_panel(self.arm.sample, ["cells.recovery", "cells.chance"])

    @cached_property
    def place(self) -> dict[str, int]:
        """The row of the stored cells by attribute."""
        cells = self.arm.audit.manifest.cells
        assert cells is not None
        return {name: place for place, name in enumerate(cells.rows)}

    def column(self, name: str, attribute: str) -> NDArray[np.floating]:
        """A column of the records of one attribute, ``(N,)``."""
        return self.panel.column(name)[:, self.panel.attributes.index(attribute)]

    def missed(self, attribute: str) -> NDArray[np.bool_]:
        """Images with the attribute that the model gets wrong, ``(N,)``."""
        a = self.panel.attributes.index(attribute)
        missed: NDArray[np.bool_] = (self.panel.label[:, a] == 1) & (self.panel.wrong[:, a] == 1)
        return missed

    def margin(self, attribute: str) -> NDArray[np.floating]:
        """Logit less threshold, ``(N,)``."""
        a = self.panel.attributes.index(attribute)
        return self.panel.logit[:, a] - self.panel.threshold[:, a]

    def position(self, row: int) -> int | None:
        """The position of a row of the data in these records."""
        return position_of(row, self.panel.rows)

    def stored(self, name: str, position: int) -> NDArray[Any]:
        """A stored tensor of one image."""
        return read_image_cells(self.arm.sample, name, position)

    def cells(self, name: str, position: int, attribute: str) -> NDArray[Any]:
        """A stored tensor of one image and attribute, ``(h, w)``."""
        values: NDArray[Any] = self.stored(name, position)[self.place[attribute]]
        return values


def examples(attribute: str, records: Sequence[CellRecords], drawing: Drawing) -> tuple[list[CellExamples], str]:
    """Draw the examples of an attribute or an output, chosen by the first model.

    Args:
        attribute: Its name.
        records: Of the models with a prediction grid.
        drawing: Context of the page.

    Returns:
        The groups of examples, without those that no image belongs to; and the legend of their colours.
    """
    first = records[0]
    owner = next((name for name, members in first.panel.one_of.items() if attribute in members), None)
    missed, recovered = first.missed(attribute), first.column("cells.recovery", attribute)
    margin = np.abs(first.margin(attribute))
    chosen = [(title, inside, choose(margin, inside)) for title, value in KINDS
              for inside in [missed & (recovered == value)]]  # fmt: skip
    limit = 1.0
    if owner is None:
        offs = [
            np.abs(np.asarray(one.cells("scores", at, attribute), float) - _threshold(one, attribute))
            for _, _, places in chosen
            for place in places
            for one in records
            if (at := one.position(int(first.panel.rows[place]))) is not None
        ]
        limit = max((float(off[np.isfinite(off)].max(initial=0.0)) for off in offs), default=0.0) or 1.0
    says = "says yes" if owner is None else "names it"
    groups = [
        CellExamples(
            title.format(says=says),
            counted(int(inside.sum()), "image"),
            [_example(attribute, owner, int(first.panel.rows[place]), limit, records, drawing) for place in places],
        )
        for title, inside, places in chosen
        if places
    ]
    return groups, NAMES_LEGEND if owner else SCORES_LEGEND.format(limit=number(limit))


def _threshold(records: CellRecords, attribute: str) -> float:
    return records.arm.audit.manifest.thresholds.get(attribute, 0.0)


def _example(
    attribute: str, owner: str | None, row: int, limit: float, records: Sequence[CellRecords], drawing: Drawing
) -> Example:
    image, name = drawing.photographs.get(row), drawing.photographs.name(row)
    pictures: list[Picture | None] = []
    verdicts = []
    for one in records:
        at = one.position(row)
        if at is None:
            pictures.append(None)
            verdicts.append("not audited")
            continue
        picture, said = _cells(attribute, owner, at, limit, one, image)
        chance = float(one.column("cells.chance", attribute)[at])
        verdicts.append(f"logit {number(float(one.margin(attribute)[at]), signed=True)} from the threshold; {said}"
                        if owner is None else said)  # fmt: skip
        verdicts[-1] += f"; chance {percent(chance)}" if np.isfinite(chance) else ""
        stem = f"{slug(attribute)}/cells-{slug(name)}-{one.arm.name}"
        pictures.append(drawing.picture(picture, SHOWN_SIDE, f"Cells of {attribute} in {name}: {said}", stem))
    photograph = None
    if image is not None:
        alt = f"{name}, as the model sees it" + (", face hidden" if drawing.photographs.hide_faces else "")
        photograph = drawing.picture(image, SHOWN_SIDE, alt, f"{slug(attribute)}/cells-{slug(name)}")
    return Example(photograph, pictures, name, verdicts)


def _cells(
    attribute: str, owner: str | None, at: int, limit: float, records: CellRecords, image: Pixels | None
) -> tuple[Pixels, str]:
    """Draw the cells of one image, and say how many of the object's say yes."""
    inside = records.cells("foreground", at, attribute).astype(bool)
    ground = image if image is not None else np.full((SHOWN_SIDE, SHOWN_SIDE, 3), GREY, np.uint8)
    if owner is None:
        scores = np.asarray(records.cells("scores", at, attribute), float)
        threshold = _threshold(records, attribute)
        yes = scores >= threshold
        drawn = score_picture(ground, scores, threshold, limit, inside)
        named = "say yes"
    else:
        winners = records.stored(f"winners.{owner}", at)
        members = records.panel.one_of[owner]
        true = members.index(attribute)
        answers = records.panel.positive
        own = [records.panel.attributes.index(member) for member in members]
        predicted = int(answers[at, own].argmax()) if answers is not None else -1
        yes = winners == true
        drawn = name_picture(ground, winners, true, predicted, inside)
        named = f"name it; taken for {members[predicted]}"
    return drawn, f"{int((yes & inside).sum())} of {int(inside.sum())} cells on the object {named}"
