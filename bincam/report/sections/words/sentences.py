"""Sentences about one audited model."""

from __future__ import annotations

from bincam.report.reading.audited_model import Arm, minority_share
from bincam.report.sections.words import wording
from bincam.stats.formatting import Kind, listed, percent, stated
from bincam.stats.outcomes import class_sign

SIDES = {
    "predicted": "the predicted class",
    "true": "the true class",
    "positive": "the positive class",
    "negative": "the negative class",
}
"""Words for the explained side."""


def explained(arm: Arm) -> str:
    """Name the side that the audit explains, such as ``the predicted class``."""
    return SIDES[arm.audit.manifest.side]


def answer(arm: Arm, attribute: str, minority: bool) -> str:
    """Return ``yes`` or ``no``: the answer of a model that predicts the class."""
    part = "minority" if minority else "majority"
    return "yes" if class_sign(part, arm.minority(attribute)) > 0 else "no"


def has(arm: Arm, attribute: str, minority: bool) -> str:
    """Return ``with`` or ``without``: the images of the class have the attribute or lack it."""
    return "with" if answer(arm, attribute, minority) == "yes" else "without"


def sentences(arm: Arm, attribute: str) -> list[str]:
    """Write the paragraph of an attribute in the audit of one model, with intervals."""
    share = f"{percent(minority_share(arm, attribute))} of the {wording.labels_counted(arm, [attribute])}"
    rarer = "both classes are equally frequent" if arm.tied(attribute) else f"the minority class, {share}"
    result = [
        f"Of the images {has(arm, attribute, True)} {attribute} ({rarer}) the model misclassifies "
        f"{stated(arm.rate(attribute, 'minority_error'), 'percent')}; of those {has(arm, attribute, False)} it "
        f"{stated(arm.rate(attribute, 'majority_error'), 'percent')}."
    ]
    gains = _by_answer(arm, attribute, "gain", "number")
    if gains:
        result.append(
            f"The chance-corrected energy (gain) of the evidence in the expected region is {gains}; 0 is that of a "
            "uniform map, 1 is all evidence inside."
        )
    if exact := _exact(arm, attribute):
        result.append(f"Measured against per-image masks, the gain is {exact}.")
    shares = _by_answer(arm, attribute, "bias_share", "percent")
    if shares:
        zero = _by_answer(arm, attribute, "zero.bias_share", "percent")
        without = f"; without a reference (zero), the head's own constant is {zero}" if zero else ""
        result.append(
            f"Counted from {wording.reference(arm)}, the share of the support for {explained(arm)} that is not located "
            f"in the image (bias share) is {shares}{without}."
        )
    empty = arm.measure(attribute, "empty", "predicted:majority")
    if empty.defined:
        predicted = f"“{answer(arm, attribute, False)}”" if arm.tied(attribute) else "the majority class"
        result.append(
            f"Of the maps where it predicts {predicted}, {stated(empty, 'percent')} have no positive evidence."
        )
    return result


def _exact(arm: Arm, attribute: str) -> str:
    """Write the gains against the audit's per-image masks; empty where none is defined."""
    masks = {"object": "the object itself", "influence": "all pixels that the attribute changes"}
    estimates = [(arm.measure(attribute, f"{mask}_gain", "all"), masks[mask]) for mask in arm.audit.masks]
    return listed([f"{stated(estimate)} for {what}" for estimate, what in estimates if estimate.defined])


def _by_answer(arm: Arm, attribute: str, column: str, kind: Kind) -> str:
    """Write a measure by predicted class, without undefined values; empty where all are."""
    parts = []
    for name in ("minority", "majority"):
        estimate = arm.measure(attribute, column, f"predicted:{name}")
        if estimate.defined:
            which = "" if arm.tied(attribute) else f" ({name})"
            parts.append(
                f"{stated(estimate, kind)} where it predicts “{answer(arm, attribute, name == 'minority')}”{which}"
            )
    return listed(parts)


def place(row: float, column: float) -> str:
    """Name a point in [0, 1]²: ``upper left``, ``centre`` and so on."""
    vertical = "upper" if row < 1 / 3 else "lower" if row > 2 / 3 else ""
    horizontal = "left" if column < 1 / 3 else "right" if column > 2 / 3 else ""
    return " ".join(part for part in (vertical, horizontal or ("middle" if vertical else "")) if part) or "centre"
