"""Faithfulness measures of a few sampled images: deletion, insertion and ROAD."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bincam.report.reading.audited_model import Arm
from bincam.report.view.parts import Cell, Table
from bincam.stats.estimate import MIN_IMAGES
from bincam.stats.formatting import NONE, counted, listed, number

MEASURES = {
    "deletion": "Deletion",
    "random_deletion": "Deletion at random",
    "insertion": "Insertion",
    "random_insertion": "Insertion at random",
    "road": "ROAD",
}
CAPTION = (
    "Deletion: area under the curve of the explained side's probability while the strongest pixels of the map are "
    "removed; should be below that of a random order. Insertion: the same while they are restored; should be above. "
    "ROAD: half the difference between removing the weakest and the strongest pixels, imputed from their neighbours; "
    "should be above 0. From few images and without intervals, these reveal gross failures, not small differences."
)


def sample_table(arms: Sequence[Arm], attributes: Sequence[str]) -> Table | None:
    """Make a table of each method's means over attributes, then of each attribute by the primary method.

    Outputs of sets, and the predicted and the true output of large sets, follow the attributes; no mean is over them.

    Returns:
        The table; None where no images were sampled.
    """
    many = len(arms) > 1
    rows = [
        [Cell(f"mean of {len(attributes)}", None), *_names(arm, spec, many), *_means(measured, attributes)]
        for arm in arms
        for spec, measured in _methods(arm).items()
        if attributes
    ]
    of_sets = dict.fromkeys(name for arm in arms for name in arm.audit.attributes if name not in attributes)
    rows += [
        [Cell(name, None), *_names(arm, arm.method, many), *_cells(_methods(arm)[arm.method], name)]
        for name in (*attributes, *(of_sets if any(arm.audit.one_of for arm in arms) else ()))
        for arm in arms
        if arm.method in _methods(arm) and name in _methods(arm)[arm.method]["deletion"]
    ]
    if not rows:
        return None
    sizes = {arm.name: len(arm.audit.sample["images"]) for arm in arms if _methods(arm)}
    same = len(set(sizes.values())) == 1
    text = listed([f"{size:,}" + ("" if same else f" ({name})") for name, size in sizes.items()][: 1 if same else None])
    noun = "image" if set(sizes.values()) == {1} else "images"
    title = f"Deletion, insertion and ROAD on {text} {noun}"
    return Table(title, CAPTION, ["Attribute", *(["Model"] if many else []), "Method", *MEASURES.values()], rows)


def _methods(arm: Arm) -> Mapping[str, Any]:
    methods: Mapping[str, Any] = arm.audit.sample.get("methods") or {}
    return methods


def _names(arm: Arm, spec: str, many: bool) -> list[Cell]:
    return [*([Cell(arm.name, None)] if many else []), Cell(spec, None)]


def _cells(measured: Mapping[str, Any], attribute: str) -> list[Cell]:
    cells = []
    for measure in MEASURES:
        entry = measured[measure][attribute]
        value, images = entry["mean"], int(entry["images"])
        cells.append(
            _cell(math.nan if value is None else value, images, counted(images, "image") if images else "undefined")
        )
    return cells


def _means(measured: Mapping[str, Any], attributes: Sequence[str]) -> list[Cell]:
    cells = []
    for measure in MEASURES:
        entries = [measured[measure][name] for name in attributes]
        defined = [entry for entry in entries if entry["mean"] is not None]
        mean = sum(entry["mean"] for entry in defined) / len(defined) if defined else math.nan
        fewest = min((int(entry["images"]) for entry in defined), default=0)
        note = (
            f"{counted(len(defined), 'attribute')} of at least {counted(fewest, 'image')}" if defined else "undefined"
        )
        cells.append(_cell(mean, fewest, note))
    return cells


def _cell(value: float, images: int, note: str) -> Cell:
    return Cell(
        number(value) if math.isfinite(value) else NONE,
        None,
        small=0 < images < MIN_IMAGES,
        note=note,
    )
