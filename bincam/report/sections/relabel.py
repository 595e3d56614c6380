"""Labels to check: the errors of which every model on the page is most certain."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from bincam.display import spreadsheet_cell
from bincam.report.figures.pictured.examples import Photographs
from bincam.report.reading.audited_model import Arm
from bincam.report.view.parts import Cell, Table
from bincam.report.view_model import Relabel
from bincam.stats.formatting import counted, number

IN_CARD, IN_TABLE, IN_FILE = 3, 20, 20
"""Images shown on a card, rows of the page's table, and rows of each attribute in the file."""

CAPTION = (
    "A confident error is either a wrong label or one of the model's worst mistakes; only the image can tell which. "
    "Images are ordered by the distance of the logit from the threshold, on the wrong side of it"
)


OF_SETS = "those of a set by how far the score of the predicted output exceeds that of the labelled one"


@dataclass(frozen=True)
class Suspect:
    """An error of every model.

    Attributes:
        row: Row of the image.
        label: The recorded label, 1 or 0; of a set the name of the labelled output.
        margin: |z - t|, of a set the score of the predicted output less that of the labelled one; the smallest over the
            models.
    """

    row: int
    label: int | str
    margin: float


def suspects(attribute: str, arms: Sequence[Arm], count: int) -> list[Suspect]:
    """Find the most certain errors that all models share, the most certain first; ties in the order of the data."""
    rows, margins = np.zeros(0, np.int64), np.zeros(0)
    for place, arm in enumerate(arms):
        outcome = arm.column(attribute, "outcome")
        distance = np.abs(arm.column(attribute, "logit") - arm.column(attribute, "threshold"))
        wrong = np.flatnonzero((outcome == "FP") | (outcome == "FN"))
        here = arm.rows[wrong], distance[wrong]
        if not place:
            rows, margins = here
            continue
        rows, of_others, of_arm = np.intersect1d(rows, here[0], assume_unique=True, return_indices=True)
        margins = np.minimum(margins[of_others], here[1][of_arm])
    first = np.lexsort((rows, -margins))[:count]
    label = arms[0].column(attribute, "label")[np.searchsorted(arms[0].rows, rows[first])]
    return [
        Suspect(row, int(one), margin)
        for row, one, margin in zip(rows[first].tolist(), label.tolist(), margins[first].tolist(), strict=True)
    ]


def relabel(
    arms: Sequence[Arm],
    attributes: Sequence[str],
    photographs: Photographs,
    sets: Mapping[str, Sequence[Suspect]] | None = None,
) -> Relabel | None:
    """Make the page's list of labels to check, and a file with more of them; None without errors.

    Args:
        arms: The audited models.
        attributes: The yes-or-no attributes.
        photographs: The images.
        sets: Name of a set to its errors, the most certain first.
    """
    by_attribute = {name: suspects(name, arms, IN_FILE) for name in attributes}
    by_attribute |= {name: list(errors[:IN_FILE]) for name, errors in (sets or {}).items()}
    listed = [(name, suspect) for name, errors in by_attribute.items() for suspect in errors]
    if not listed:
        return None
    strongest = sorted(listed, key=lambda item: (-item[1].margin, item[0], item[1].row))[:IN_TABLE]
    rows = [
        [
            Cell(photographs.name(suspect.row), None),
            Cell(name, None),
            Cell(_label(suspect), None),
            Cell(number(suspect.margin), suspect.margin, note="logit units"),
        ]
        for name, suspect in strongest
    ]
    by_both = " (the smaller of both models', for images that both misclassify)" if len(arms) > 1 else ""
    of_sets = f"; {OF_SETS}" if sets else ""
    of_each = " and set" if sets else ""
    caption = (
        f"{CAPTION}{of_sets}{by_both}. The file lists {counted(len(listed), 'error')}, up to {IN_FILE} of each "
        f"attribute{of_each}."
    )
    heads = ("Attribute or set", "Label", "Margin") if sets else ("Attribute", "Label", "Logit beyond the threshold")
    table = Table("Labels to check", caption, ["Image", *heads], rows)
    return Relabel(table, f"data:text/csv;charset=utf-8,{quote(_csv(by_attribute, photographs))}")


def _label(suspect: Suspect) -> str:
    return suspect.label if isinstance(suspect.label, str) else "present" if suspect.label else "absent"


def _csv(by_attribute: Mapping[str, Sequence[Suspect]], photographs: Photographs) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["attribute", "rank", "image", "row", "label", "margin", "new_label"])
    for name, errors in by_attribute.items():
        for rank, suspect in enumerate(errors, start=1):
            image = photographs.name(suspect.row)
            cells = [name, rank, image, suspect.row, suspect.label, f"{suspect.margin:.6g}", ""]
            writer.writerow([spreadsheet_cell(cell) for cell in cells])
    return text.getvalue()
