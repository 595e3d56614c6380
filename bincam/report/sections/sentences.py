"""Sentences of a single audit."""

from __future__ import annotations

from bincam.report.reading.audited_model import Arm, minority_share
from bincam.stats.formatting import Kind, listed, percent, stated
from bincam.stats.outcomes import class_sign

SIDES = {
    "predicted": "the answer given",
    "true": "the right answer",
    "positive": "the answer “yes”",
    "negative": "the answer “no”",
}
"""What maps and ledger are evidence for, by the side that was explained."""


def explained(arm: Arm) -> str:
    """``the answer given``, or what else the audit explains."""
    return SIDES[arm.audit.manifest.side]


def answer(arm: Arm, attribute: str, minority: bool) -> str:
    """``yes`` or ``no``: the answer of a model that predicts the class."""
    part = "minority" if minority else "majority"
    return "yes" if class_sign(part, arm.minority(attribute)) > 0 else "no"


def has(arm: Arm, attribute: str, minority: bool) -> str:
    """``with`` or ``without``: the images of the class have the attribute or lack it."""
    return "with" if answer(arm, attribute, minority) == "yes" else "without"


def sentences(arm: Arm, attribute: str) -> list[str]:
    """Write the paragraph of an attribute in the audit of one model, with intervals."""
    result = [
        f"Of the images {has(arm, attribute, True)} {attribute} (the minority class, "
        f"{percent(minority_share(arm, attribute))} of the training labels) the model misclassifies "
        f"{stated(arm.rate(attribute, 'minority_error'), 'percent')}; of those {has(arm, attribute, False)} it "
        f"{stated(arm.rate(attribute, 'majority_error'), 'percent')}."
    ]
    gains = _by_answer(arm, attribute, "gain", "number")
    if gains:
        result.append(
            f"The evidence is in the expected region with a chance-corrected energy (gain) of {gains}; 0 is that of a "
            "uniform map, 1 is all of it inside."
        )
    if exact := _exact(arm, attribute):
        result.append(f"Against masks of every single image the gain is {exact}.")
    shares = _by_answer(arm, attribute, "bias_share", "percent")
    if shares:
        result.append(f"Of the support for {explained(arm)}, no place in the image accounts for {shares}.")
    empty = arm.measure(attribute, "empty", "predicted:majority")
    if empty.defined:
        result.append(f"The map of a majority answer has no positive evidence in {stated(empty, 'percent')}.")
    return result


def _exact(arm: Arm, attribute: str) -> str:
    """Gain against the masks that the audit has of each image; empty where none is defined."""
    against = {"object": "the object alone", "influence": "all that the attribute changes"}
    estimates = [(arm.measure(attribute, f"{mask}_gain", "all"), against[mask]) for mask in arm.audit.masks]
    return listed([f"{stated(estimate)} against {what}" for estimate, what in estimates if estimate.defined])


def _by_answer(arm: Arm, attribute: str, column: str, kind: Kind) -> str:
    """A measure by predicted class without what is undefined; empty where all is."""
    parts = []
    for name in ("minority", "majority"):
        estimate = arm.measure(attribute, column, f"predicted:{name}")
        if estimate.defined:
            parts.append(
                f"{stated(estimate, kind)} where it answers “{answer(arm, attribute, name == 'minority')}” ({name})"
            )
    return listed(parts)


def place(row: float, column: float) -> str:
    """A point in [0, 1]² as ``upper left``, ``centre`` and so on."""
    vertical = "upper" if row < 1 / 3 else "lower" if row > 2 / 3 else ""
    horizontal = "left" if column < 1 / 3 else "right" if column > 2 / 3 else ""
    return " ".join(part for part in (vertical, horizontal or ("middle" if vertical else "")) if part) or "centre"
