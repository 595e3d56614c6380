"""Mean maps of the outputs of a set by two models, and their difference, on one colour scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bincam.audit.folder.parts.sets import slots
from bincam.report.figures.pictured.explanation import scale
from bincam.report.figures.pictured.overlays import overlay
from bincam.report.reading.audited_model import Arm, Floats
from bincam.report.sections.attributes.card import MAP_SIDE, SHOWN, describe, ground
from bincam.report.sections.context import Drawing, slug
from bincam.report.view.parts import Picture
from bincam.report.view.sets import OutputMaps
from bincam.stats.formatting import MINUS, counted
from bincam.stats.outcomes import OUTCOMES

MOST = 6
"""Outputs with maps; of a set with more those with the most misses of both models."""


def contrast_maps(name: str, entry: Mapping[str, Any], drawing: Drawing) -> tuple[list[OutputMaps], float, str]:
    """Draw a row per output and model, and one of the models' difference.

    Args:
        name: Name of the set.
        entry: Its entry in the document of the contrast.
        drawing: Of the two models.

    Returns:
        The rows; none where one audit has a row per output and the other has not, or their maps are of different
        methods or sides. The end of the common colour scale.
        What is shown, in words.
    """
    chosen, text = _chosen(name, entry, drawing.arms)
    order = [OUTCOMES.index(outcome) for outcome in SHOWN]
    rows: list[tuple[str, str, Floats, list[str], Arm]] = []
    for output in chosen:
        shown, grids = output.removeprefix(f"{name}: "), []
        for arm in drawing.arms:
            means, counts = arm.means
            at = arm.index(output)
            numbers = [counted(int(n), "image") for n in counts[at][order]]
            rows.append((output, f"{shown}, {arm.name}", means[at][order], numbers, arm))
            grids.append(means[at][order])
        if grids[0].shape == grids[1].shape:
            first, second = (arm.name for arm in drawing.arms)
            difference = f"{shown}, {first} {MINUS} {second}"
            rows.append((output, difference, grids[0] - grids[1], [""] * len(SHOWN), drawing.arms[0]))
    limit = scale([grid for _, _, of_row, _, _ in rows for grid in of_row])
    maps = []
    for number, (output, label, of_row, numbers, arm) in enumerate(rows):
        pictures: list[Picture | None] = []
        for outcome, grid, count in zip(SHOWN, of_row, numbers, strict=True):
            if not np.isfinite(grid).any():
                pictures.append(None)
                continue
            alt = f"{label}, {outcome}{f', mean of {count}' if count else ''}: {describe(grid, drawing.explained)}"
            image = overlay(ground(drawing.face, grid), grid, limit)
            pictures.append(drawing.picture(image, MAP_SIDE, alt, f"{slug(name)}/{slug(label)}-mean-{outcome}"))
        anchor = f"set-{slug(name)}-{slug(output)}-{number}"
        maps.append(OutputMaps(label, anchor, pictures, numbers, drawing.outline(arm, output)))
    return maps, limit, text


def _chosen(name: str, entry: Mapping[str, Any], arms: Sequence[Arm]) -> tuple[list[str], str]:
    """Choose the rows of the records that both audits have, and say which."""

    def of_both(rows: Sequence[str]) -> bool:
        return all(set(rows) <= set(arm.audit.attributes) for arm in arms)

    outputs = list(entry["outputs"])
    if len({(arm.method, arm.audit.manifest.side) for arm in arms}) > 1:  # the primary methods may differ
        return [], ""
    if of_both(slots(name)):
        return list(slots(name)), "Maps of the predicted and of the true output of every image, whichever these are."
    if not of_both(outputs):
        return [], ""
    by_output: Mapping[str, Any] = entry.get("by_output") or {}
    if len(outputs) <= MOST:
        return outputs, ""

    def missed(output: str) -> float:
        figures = by_output.get(output)
        if figures is None:
            return 0.0
        return float(sum((figures["fnr"][arm.key]["value"] or 0) * figures["images"] for arm in arms))

    most = sorted(outputs, key=lambda output: -missed(output))[:MOST]
    return most, f"The {MOST} of {len(outputs):,} outputs with the most misses of both models."
