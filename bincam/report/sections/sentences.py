"""Numbers as words: formats, and the sentences of a single audit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bincam.report.reading.audited_model import Arm, Number, minority_share

MINUS, NONE = "\u2212", "–"
SIDES = {
    "predicted": "the answer given",
    "true": "the right answer",
    "positive": "the answer “yes”",
    "negative": "the answer “no”",
}
"""What the maps and the ledger speak for, by the side that was explained."""


def percent(value: float) -> str:
    """A share in [0, 1] as ``19.7 %``; whole from 99.95 on and at 0."""
    if not math.isfinite(value):
        return NONE
    return f"{signed(100 * value, 0 if value in (0, 1) else 1)}\u202f%"


def plain(value: float) -> str:
    """Two decimals, with a true minus."""
    return signed(value, 2) if math.isfinite(value) else NONE


def signed(value: float, digits: int) -> str:
    """A number with a true minus, and no minus before zero."""
    text = f"{abs(value):.{digits}f}"
    return text if value >= 0 or float(text) == 0 else MINUS + text


def points(value: float) -> str:
    """A difference of shares, in percentage points."""
    return f"{signed(100 * value, 1)} points" if math.isfinite(value) else NONE


def p_value(p: float) -> str:
    """Two digits, or ``< 0.001``."""
    return NONE if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(number: Number, kind: str) -> str:
    """``18.1 to 21.4``, in the unit of the kind; empty without one."""
    if not (number.defined and math.isfinite(number.low) and math.isfinite(number.high)):
        return ""
    factor, digits = (100, 1) if kind == "percent" else (1, 2)
    return f"{signed(factor * number.low, digits)} to {signed(factor * number.high, digits)}"


def shown(number: Number, kind: str) -> str:
    """The value by its kind."""
    return percent(number.value) if kind == "percent" else plain(number.value)


def told(number: Number, kind: str = "percent") -> str:
    """A number within a sentence: ``19.7 % [18.1 to 21.4; 412 images]``."""
    if not number.defined:
        return "undefined (no such image)"
    inside = [part for part in (interval(number, kind), basis(number)) if part]
    return f"{shown(number, kind)} [{'; '.join(inside)}]" if inside else shown(number, kind)


def basis(number: Number) -> str:
    """On how many images and people a number rests, and whether these are few."""
    if not number.images:
        return ""
    text = images(number.images)
    if number.identities is not None:
        text += f" of {number.identities:,} people"
    return text + (", too few to rely on" if number.small else "")


def images(count: int) -> str:
    """``1 image``, ``2,000 images``."""
    return f"{count:,} image{'s' * (count != 1)}"


def explained(arm: Arm) -> str:
    """``the answer given``, or what else the audit explains."""
    return SIDES[arm.audit.manifest.side]


def answer(arm: Arm, attribute: str, minority: bool) -> str:
    """``yes`` or ``no``: what a model says that predicts the class."""
    return "yes" if (arm.minority(attribute) > 0) == minority else "no"


def has(arm: Arm, attribute: str, minority: bool) -> str:
    """``with`` or ``without``: how the images of the class are called."""
    return "with" if answer(arm, attribute, minority) == "yes" else "without"


def sentences(arm: Arm, attribute: str) -> list[str]:
    """What an audit of one model says of an attribute, with its intervals."""
    result = [
        f"Of the images {has(arm, attribute, True)} {attribute} (the minority class, "
        f"{percent(minority_share(arm, attribute))} of the training labels) the model misjudges "
        f"{told(arm.rate(attribute, 'minority_error'))}; of those {has(arm, attribute, False)} it "
        f"{told(arm.rate(attribute, 'majority_error'))}."
    ]
    gains = _by_answer(arm, attribute, "gain", "number")
    if gains:
        result.append(
            f"The evidence lies in the expected region with a gain of {gains}; 0 is what an evenly lit map reaches, "
            "1 is all of it inside."
        )
    if exact := _exact(arm, attribute):
        result.append(f"Against masks of every single image the gain is {exact}.")
    shares = _by_answer(arm, attribute, "bias_share", "percent")
    if shares:
        result.append(f"Of the support for {explained(arm)}, no place in the image accounts for {shares}.")
    empty = arm.measure(attribute, "empty", "predicted:majority")
    if empty.defined:
        result.append(f"The map of a majority answer shows nothing in {told(empty)}.")
    return result


def _exact(arm: Arm, attribute: str) -> str:
    """Gain against the masks that the audit has of each image; empty where none is defined."""
    against = {"object": "the object alone", "influence": "all that the attribute changes"}
    numbers = [(arm.measure(attribute, f"{mask}_gain", "all"), against[mask]) for mask in arm.audit.masks]
    return listed([f"{told(number, 'number')} against {what}" for number, what in numbers if number.defined])


def _by_answer(arm: Arm, attribute: str, column: str, kind: str) -> str:
    """A measure by predicted class, leaving out what is undefined; empty where all is."""
    parts = []
    for name in ("minority", "majority"):
        number = arm.measure(attribute, column, f"predicted:{name}")
        if number.defined:
            parts.append(
                f"{told(number, kind)} where it answers “{answer(arm, attribute, name == 'minority')}” ({name})"
            )
    return listed(parts)


def listed(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def place(row: float, column: float) -> str:
    """A point in [0, 1]² as ``upper left``, ``centre`` and so on."""
    vertical = "upper" if row < 1 / 3 else "lower" if row > 2 / 3 else ""
    horizontal = "left" if column < 1 / 3 else "right" if column > 2 / 3 else ""
    return " ".join(part for part in (vertical, horizontal or ("middle" if vertical else "")) if part) or "centre"
