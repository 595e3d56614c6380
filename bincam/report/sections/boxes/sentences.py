"""The results of boxes in words."""

from __future__ import annotations

import math

from bincam.metrics.localization.boxes.verdict import CANNOT, JUDGED
from bincam.report.sections.boxes.audited import ArmBoxes
from bincam.report.sections.words import wording
from bincam.stats.formatting import DIFFERENCE, counted, interval, listed, shown, written

MOST_NAMED = 6


def finding(model: ArmBoxes, *, named: bool) -> str:
    """Say for the first screen if maps box the objects, in one sentence; a second one if some cannot be judged."""
    accuracy, constant = (model.figure("overall", name) for name in ("fixed", "constant"))
    total, left_out = len(model.summary["attributes"]), model.summary["not_judged"]
    of = model.arm.phrase if named else "the model"
    if not accuracy.defined:
        why = f"no map on its grid could box half of the objects of {listed(left_out)}" if left_out else "no true box"
        return f"Whether maps of {of} box the object cannot be judged: {why}."
    text = (
        f"where an image shows the object, the map of {of} boxes it (IoU ≥ .5 at τ = .2) in "
        f"{shown(accuracy, 'percent')} {interval(accuracy, 'percent')} of {counted(accuracy.images, 'case')} (an image "
        f"and an attribute{', too few to rely on' if accuracy.small else ''})"
    )
    if constant.defined:
        text += f"; the same box in every image of an attribute does so in {written(constant, 'percent')}"
    text += "."
    if left_out:
        text += f" {len(left_out)} of {counted(total, 'attribute')} cannot be judged on this grid: {_named(left_out)}."
    return f"{text[0].upper()}{text[1:]}"


def about(model: ArmBoxes, attribute: str, *, named: bool) -> list[str]:
    """Say of one attribute how good its boxes are, and against what."""
    entry = model.entry(attribute)
    start = f"{model.arm.label}: " if named else ""
    reach = model.figure(attribute, "reach")
    if entry["judgement"] == CANNOT:
        return [
            f"{start}Cannot be judged on this grid: even the object itself, seen through it, is boxed in "
            f"{written(reach, 'percent')} of {counted(entry['measured'], 'image')} at most. A layer with a finer "
            "grid, or larger images, may tell."
        ]
    if entry["judgement"] != JUDGED:
        return [f"{start}No image with a true box was measured."]
    accuracy = model.figure(attribute, "fixed")
    result = [
        f"{start}The map's box has IoU ≥ .5 with the object in {wording.headline(accuracy, 'percent')}; no map on this "
        f"grid could in more than {written(reach, 'percent')}."
    ]
    over = model.figure(attribute, "over_constant")
    if over.defined:
        side = "a difference in neither direction is shown"
        if over.low > 0:
            side = "so the map says more than where such objects usually are"
        elif over.high < 0:
            side = "so a box that never looks is better"
        elif math.isnan(over.low):
            side = "without an interval"
        result.append(f"Less the constant box: {written(over, DIFFERENCE['percent'])}, {side}.")
    return result


def _named(names: list[str]) -> str:
    if len(names) <= MOST_NAMED:
        return listed(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
