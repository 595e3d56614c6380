"""Tables of boxes: figures beside what they must beat, and further scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bincam.report.sections.boxes.audited import ArmBoxes
from bincam.report.sections.contrast_tables import estimate_cell
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import Estimate
from bincam.stats.formatting import DIFFERENCE, NONE, Kind, listed

COLUMNS: tuple[tuple[str, str, Kind], ...] = (
    ("fixed", "CAM, τ = .2", "percent"),
    ("constant", "constant box", "percent"),
    ("centred", "centred box", "percent"),
    ("projected", "projected mask", "percent"),
    ("reach", "grid's reach", "percent"),
)
FURTHER: tuple[tuple[str, str, Kind], ...] = (
    ("chosen", "τ chosen before", "percent"),
    ("max", "MaxBoxAcc (oracle)", "percent"),
    ("v2", "MaxBoxAccV2 (oracle)", "percent"),
    ("top_1", "top-1", "percent"),
    ("pxap", "PxAP", "percent"),
    ("pointing", "pointing game", "percent"),
    ("pointing_chance", "its chance", "percent"),
    ("pointing_centre", "the centre's", "percent"),
)
COUNTS = {"measured": "images", "no_box": "no box", "no_truth": "no true box", "not_sampled": "not sampled"}
OVERALL = "all that can be judged"


def tables(models: Sequence[ArmBoxes], attributes: Sequence[str]) -> list[Table]:
    """Make the tables of all attributes, and of all pairs together."""
    source = models[0].summary
    many = len(models) > 1
    names = [*attributes, "overall"] if len(attributes) > 1 else list(attributes)
    entries = [model.entry(name) for name in names for model in models]
    counts = [key for key in COUNTS if key == "measured" or any(entry.get(key) for entry in entries)]

    def rows(columns: Sequence[tuple[str, str, Kind]], *, first: bool) -> list[list[Cell]]:
        result = []
        for name in names:
            for model in models:
                entry = model.entry(name)
                cells = [Cell(OVERALL if name == "overall" else name, None)]
                cells += [Cell(model.arm.name, None)] if many else []
                cells += [estimate_cell(model.figure(name, key), kind) for key, _, kind in columns]
                if first:
                    cells.append(estimate_cell(model.figure(name, "over_constant"), DIFFERENCE["percent"]))
                    cells.append(Cell(entry["judgement"], None))
                else:
                    cells += [_count(entry, key) for key in counts]
                result.append(cells)
        return result

    head = ["Attribute", *(["Model"] if many else [])]
    reference = source["reference"]
    fitted = (
        f"The constant and the centred box are fitted on {reference['images']:,} images of split {reference['split']}."
        if reference
        else "There was no reference split, so no box is fitted."
    )
    levels = [f"{model.level:g}{f' ({model.arm.name})' * many}" for model in models if math.isfinite(model.level)]
    level = f" τ chosen before is {listed(levels)}." if levels else ""
    return [
        Table(
            "Boxes beside what they must beat",
            f"Share of the images with the attribute and a true box of which a box has IoU ≥ {source['delta']:g} with "
            f"the object. {fitted} The projected mask is the object itself, seen through the grid, at τ = .2; the "
            "grid's reach is the best that any map on it could give. The last column but one is CAM less the constant "
            "box, paired by image.",
            [*head, *(text for _, text, _ in COLUMNS), "less constant", "verdict"],
            rows(COLUMNS, first=True),
        ),
        Table(
            "Further scores of the maps",
            f"The attribute taken as known, except in top-1, where the model must also say yes.{level} MaxBoxAcc takes "
            "the τ that is best on these very images, V2 several boxes and the mean over δ of .3, .5 and .7. PxAP "
            "ranks the pixels of all images; without masks it is undefined. The pointing game stands beside the share "
            "of the image that would be a hit and the score of the image's centre.",
            [*head, *(text for _, text, _ in FURTHER), *(COUNTS[key] for key in counts)],
            rows(FURTHER, first=False),
        ),
    ]


def difference_table(contrast: Mapping[str, Any], first: str, second: str) -> Table | None:
    """Make the table of the paired differences of a contrast; None where it has none of boxes."""
    boxes = contrast.get("boxes") or {}
    entries = boxes.get("attributes") or {}
    if not entries:
        return None
    columns = (("fixed", "CAM, τ = .2"), ("chosen", "τ chosen before"), ("pointing", "pointing game"))
    rows = []
    for name, entry in entries.items():
        cells = [Cell(OVERALL if name == "overall" else name, None)]
        for key, _ in columns:
            cells.append(estimate_cell(Estimate.from_json(entry[key]), DIFFERENCE["percent"]))
        rows.append(cells)
    caption = f"{first} minus {second}, on images of which both have measured the box."
    return Table("Paired differences of boxes", caption, ["Attribute", *(text for _, text in columns)], rows)


def _count(entry: Mapping[str, Any], key: str) -> Cell:
    return Cell(f"{entry[key]:,}" if entry[key] else ("0" if key == "measured" else NONE), None, note=f"{entry[key]:,}")
