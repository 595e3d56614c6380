"""Numbers as text: the one format of sentences, tables, figures, gate output and commands.

Rules:

- A negative number has a true minus (U+2212); what rounds to zero has no sign. Differences always have a sign.
- An estimate is ``value unit [low, high]``: ``57 % [22, 86]``, ``0.31 [0.28, 0.34]``, ``−3.5 points [−6.1, −0.9]``. The
  ends have as many decimals as the value, and its unit. Without an interval there are no brackets.
- A number has two to four decimals: the fewest at which neither the value nor half of its interval's width rounds to
  zero. A percentage is as fine as the share that it stands for, so it has none to two decimals; within 10 points of 0 %
  or 100 % it has at least one. Exactly 0 % and 100 % need none, and nothing else is rounded to them at two decimals.
- A share is in percent, a difference of shares in percentage points. A narrow no-break space keeps number and unit on
  one line.
- Counts have thousands separators. A p-value has three decimals, or is ``< 0.001``.
- What has no value is ``undefined`` in a sentence and ``–`` in the cell of a table.

Machine-readable files (JSON, CSV) are not formatted: they hold unrounded numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from bincam.display import MINUS, NONE, UNDEFINED, counted, number
from bincam.stats.estimate import Estimate

__all__ = [
    "DIFFERENCE",
    "MINUS",
    "NONE",
    "PERCENT",
    "UNDEFINED",
    "Kind",
    "basis",
    "counted",
    "decimals",
    "images",
    "interval",
    "listed",
    "number",
    "p_value",
    "percent",
    "shown",
    "significant",
    "stated",
    "written",
]

Kind = Literal["number", "percent", "difference", "points"]
"""``percent``: a share; ``difference``: of two numbers; ``points``: of two shares."""

DIFFERENCE: dict[str, Kind] = {"number": "difference", "percent": "points"}
"""The kind of a difference of two figures of a kind."""

PERCENT = "\u202f%"

_UNITS = {"number": "", "difference": "", "percent": PERCENT, "points": "\u202fpoints"}
_FACTORS = {"number": 1, "difference": 1, "percent": 100, "points": 100}


def significant(value: float, digits: int = 6, *, signed: bool = False) -> str:
    """Write a number with some significant digits, without trailing zeros and without an exponent.

    >>> significant(-0.000032), significant(0.2, signed=True)
    ('−0.000032', '+0.2')
    """
    if not math.isfinite(value):
        return number(value)
    text = f"{Decimal(f'{abs(value):.{digits}g}'):f}"
    return _sign(value, signed) + text if float(text) else text


def percent(share: float, digits: int | None = None) -> str:
    """Write a share without an interval in percent, with as many decimals as ``decimals`` gives it by default."""
    if not math.isfinite(share):
        return UNDEFINED
    return number(100 * share, decimals(share, kind="percent") if digits is None else digits) + PERCENT


def p_value(p: float) -> str:
    """Write a p-value: ``0.023`` or ``< 0.001``; ``–`` where it is undefined."""
    return NONE if not math.isfinite(p) else "< 0.001" if p < 0.001 else number(p, 3)


def decimals(value: float, low: float = math.nan, high: float = math.nan, kind: Kind = "number") -> int:
    """Return how many decimals a figure and the ends of its interval have (see the rules of this module)."""
    sizes = [abs(value), (high - low) / 2]
    edge = min(value, round(1 - value, 12)) if kind == "percent" else math.nan  # how far from none and from all
    smallest = min((size for size in (*sizes, edge) if size > 0 and math.isfinite(size)), default=1.0)
    digits = min(4, max(2, math.ceil(-math.log10(smallest))))
    if _FACTORS[kind] == 1:
        return digits
    return max(digits - 2, 1 if 0 < edge < 0.1 else 0)


def shown(estimate: Estimate, kind: Kind = "number") -> str:
    """Write the value of an estimate with its unit, as finely as its interval asks for; ``–`` where it is undefined."""
    return _value(estimate, kind, _decimals(estimate, kind)) if estimate.defined else NONE


def interval(estimate: Estimate, kind: Kind = "number", digits: int | None = None) -> str:
    """Write the interval of an estimate, ``[22, 86]``; empty where there is none."""
    low, high = estimate.low, estimate.high
    if not estimate.defined or math.isnan(low) or math.isnan(high):
        return ""
    digits = _decimals(estimate, kind) if digits is None else digits
    ends = (number(_FACTORS[kind] * end, digits, signed=kind in ("difference", "points")) for end in (low, high))
    return f"[{', '.join(ends)}]"


def written(estimate: Estimate, kind: Kind = "number", digits: int | None = None) -> str:
    """Write an estimate in a sentence: ``57 % [22, 86]``, followed by ``(few images)`` where its cell is small.

    Args:
        estimate: The estimate.
        kind: Its kind.
        digits: Decimals, in the place of those that the interval asks for.
    """
    return _full(estimate, kind, digits) + (" (few images)" if estimate.small else "")


def stated(estimate: Estimate, kind: Kind = "number") -> str:
    """Write an estimate with what it rests on: ``57 % [22, 86] (412 images of 31 people)``."""
    rests = basis(estimate)
    return f"{_full(estimate, kind)} ({rests})" if rests and estimate.defined else _full(estimate, kind)


def basis(estimate: Estimate) -> str:
    """Write on how many images and people an estimate rests, and whether these are few; empty without a count."""
    if not estimate.images:
        return ""
    return images(estimate) + (", too few to rely on" if estimate.small else "")


def images(estimate: Estimate) -> str:
    """Write how many images, and people where they are known, an estimate rests on."""
    people = "" if estimate.identities is None else f" of {counted(estimate.identities, 'person', 'people')}"
    return counted(estimate.images, "image") + people


def listed(parts: Sequence[str]) -> str:
    """Join parts of a sentence: ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def _sign(value: float, signed: bool) -> str:
    return MINUS if value < 0 else "+" if signed else ""


def _decimals(estimate: Estimate, kind: Kind) -> int:
    return decimals(estimate.value, estimate.low, estimate.high, kind)


def _value(estimate: Estimate, kind: Kind, digits: int) -> str:
    return number(_FACTORS[kind] * estimate.value, digits, signed=kind in ("difference", "points")) + _UNITS[kind]


def _full(estimate: Estimate, kind: Kind, digits: int | None = None) -> str:
    if not estimate.defined:
        return UNDEFINED
    digits = _decimals(estimate, kind) if digits is None else digits
    return " ".join(filter(None, (_value(estimate, kind, digits), interval(estimate, kind, digits))))
